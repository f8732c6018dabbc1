import Config
import Glibc
import Testing

@testable import Middleware

@Suite struct DocumentationTests {
    /// A file of the repository, beside this source file's folder.
    private func file(_ path: String) throws -> String {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
            separator: "/")
        // SAFETY: the path is NUL-terminated for the call.
        let descriptor = unsafe open("\(folder)/\(path)", O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while true {
            // SAFETY: the array has as many bytes as are asked for.
            let count = unsafe read(descriptor, &block, block.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += block[..<count]
        }
    }

    @Test func `The page shows the example that is compiled here`() throws {
        let page = try file("docs/middleware.md")
        let example = try file("Tests/MiddlewareTests/ExampleMiddleware.swift")
        #expect(example.utf8.count > 1000)
        #expect(page.utf8.split(separator: 0x0A).count > 100)
        #expect(contains(page, "```swift\n" + example + "```\n"))
    }

    /// `String.contains` without Foundation compares characters; this compares bytes.
    private func contains(_ text: String, _ part: String) -> Bool {
        let (text, part) = (Array(text.utf8), Array(part.utf8))
        guard part.count <= text.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0] == part[0] && text[$0...].starts(with: part) }
    }

    @Test func `The example does what the page says`() async throws {
        let kinds = exampleKinds()
        let settings = ["header": "X-Customer", "max_body": "10"]
        let pipeline = try Pipeline([("t", .custom(kind: "tenant", settings: settings))], custom: kinds)
        var request = TestHeads.request([
            "POST / HTTP/1.1", "X_Customer: evil", "X-Customer: acme", "x_tenant_id: root",
        ])
        let answer = await pipeline.answer(&request)
        #expect(answer.status == nil && answer.upstream == ["X-Tenant-Id: tenant-acme"])
        #expect(answer.response == ["X-Served-By: tenants"])
        check(request.bodyLimit == 10)
        #expect(await pipeline.answer(["GET / HTTP/1.1"]).status == 403)
        #expect(await pipeline.answer(["GET / HTTP/1.1", "X-Customer: a", "X-Customer: b"]).status == 403)
        #expect(throws: MiddlewareProblems.self) {
            _ = try Pipeline([("t", .custom(kind: "tenant", settings: ["header": "a b"]))], custom: kinds)
        }
    }

    @Test(arguments: [("anna", nil), ("guest", 402), ("", 401)] as [(String, Int?)])
    func `The waiting example decides by identity`(user: String, status: Int?) async throws {
        let pipeline = try Pipeline([("l", .custom(kind: "licence", settings: [:]))], custom: exampleKinds())
        var request = TestHeads.request(["GET / HTTP/1.1", "x.licence: full"])
        check(request.setIdentity(Array(user.utf8).span))
        let answer = await pipeline.answer(&request)
        #expect(answer.status == status)
        if status == nil { #expect(answer.upstream == ["X-Licence: full"]) }
    }
}
