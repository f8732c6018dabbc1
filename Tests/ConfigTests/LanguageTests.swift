import Net
import Testing
import YAML

@testable import Config

@Suite struct LanguageTests {
    @Test func theDesignsExampleLoads() throws {
        let text = try DiskFile.read(FixturePath.tests + "/Fixtures/valid/design.yaml", limit: 1 << 20)
        let result = ConfigLoader.load(
            path: "martlet.yaml", credentialsDirectory: "/creds",
            files: .memory(["martlet.yaml": text, "/creds/users-token": Array("t0ken\n".utf8)]))
        #expect(result.report() == "")
        let config = try #require(result.config)
        #expect(
            config.routes.map(\.name) == [
                "user", "/ws", "/old/{rest...}", "/healthz", "shop.internal/shop/cart", "shop.internal/shop/*",
            ])
    }
}

enum FixturePath {
    /// This folder.
    static let tests = String(#filePath.dropLast("/LanguageTests.swift".utf8.count))
    /// The repository.
    static let root = String(tests.dropLast("/Tests/ConfigTests".utf8.count))
}
