import Glibc
import Testing
import YAML

@testable import Config

/// Each `Fixtures/invalid/NAME.yaml` has, in `NAME.expected`, exactly what `check` prints for it.
///
/// After a change of messages: `MARTLET_RECORD=1 swift test --filter InvalidFileTests`, then read the difference.
@Suite struct InvalidFileTests {
    static let folder = FixturePath.tests + "/Fixtures/invalid"
    static let names: [String] = ((try? DiskFile.list(folder)) ?? [])
        .filter { $0.hasSuffix(".yaml") && !$0.hasPrefix("_") }.map { String($0.dropLast(5)) }

    @Test(arguments: names)
    func everyProblemIsReportedAsExpected(_ name: String) throws {
        let result = Self.load(name)
        #expect(result.config == nil)
        #expect(result.hasErrors)
        let expectedPath = "\(Self.folder)/\(name).expected"
        if unsafe getenv("MARTLET_RECORD") != nil {
            Self.write(result.report(), to: expectedPath)
        }
        let expected = String(decoding: try DiskFile.read(expectedPath, limit: 1 << 20), as: UTF8.self)
        #expect(result.report() == expected)
    }

    @Test func theTableIsLargeEnough() {
        let counts = Self.names.map { Self.load($0).problems.count { $0.severity == .error } }
        #expect(counts.count >= 40)
        #expect(counts.count { $0 >= 3 } >= 8)
    }

    /// Under the bare file name, so that messages do not depend on where the tests lie.
    static func load(_ name: String) -> ConfigResult {
        let folder = folder
        let files = ConfigFiles(
            read: { path, limit in
                // No system's authorities: messages are the same everywhere.
                if path.hasPrefix("/") { return .failure(.init(reason: "no such file")) }
                return ConfigFiles.disk.read(FixturePath.certificate(path) ?? "\(folder)/\(path)", limit)
            },
            list: { path in ConfigFiles.disk.list("\(folder)/\(path)") })
        return ConfigLoader.load(
            path: "\(name).yaml", environment: ["SECRET": "hunter2-from-outside", "PORT": "not-a-port", "EMPTY": ""],
            files: files, now: 1_800_000_000)
    }

    private static func write(_ text: String, to path: String) {
        guard let file = unsafe fopen(path, "w") else { return }
        unsafe fputs(text, file)
        unsafe fclose(file)
    }
}
