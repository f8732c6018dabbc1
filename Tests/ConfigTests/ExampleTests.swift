import Testing
import YAML

@testable import Config

/// The files that are shipped.
@Suite struct ExampleTests {
    static let folder = FixturePath.root + "/config"
    static let files: [String] =
        [folder + "/martlet.yaml"]
        + ((try? DiskFile.list(folder + "/examples")) ?? []).filter { $0.hasSuffix(".yaml") }.map {
            "\(folder)/examples/\($0)"
        }

    @Test func thereAreExamples() {
        #expect(Self.files.count >= 15)
    }

    @Test(arguments: files)
    func shippedFilesLoadWithoutProblems(_ path: String) throws {
        let result = Self.load(path)
        #expect(result.report() == "")
        let config = try #require(result.config)
        #expect(!config.listeners.isEmpty)
        #expect(!config.routes.isEmpty)
    }

    /// Secrets that examples name lie beside them, or in the environment given here.
    static func load(_ path: String) -> ConfigResult {
        let files = ConfigFiles(
            read: { path, limit in
                path.hasPrefix("/run/credentials/")
                    ? .success(Array("s3cret\n".utf8)) : ConfigFiles.disk.read(path, limit)
            },
            list: ConfigFiles.disk.list)
        return ConfigLoader.load(
            path: path,
            environment: [
                "USERS_URL": "http://10.0.0.1:9000", "API_TOKEN": "t0ken",
                "CERTIFICATES": FixturePath.root + "/Tests/TLSTests/Fixtures",
            ],
            credentialsDirectory: "/run/credentials/martlet.service", files: files)
    }
}
