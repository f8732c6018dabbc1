import Client
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2))) struct DocumentationTests {
    /// A file of the repository.
    private func file(_ path: String) throws -> [UInt8] {
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
            guard count > 0 else { return bytes }
            bytes += block[..<count]
        }
    }

    @Test func `The page shows the example that is compiled here`() throws {
        let page = try file("docs/client.md")
        let part = Array("```swift\n".utf8) + (try file("Tests/ClientTests/ClientExample.swift")) + Array("```\n".utf8)
        #expect(part.count > 1_000 && page.count > part.count)
        #expect((0...(page.count - part.count)).contains { page[$0] == part[0] && page[$0...].starts(with: part) })
    }

    @Test func `The example does what the page says`() async throws {
        let server = try TestServer { connection, _ in
            while let request = try connection.receive() {
                let (status, body) =
                    switch request.line {
                    case "GET /orders?customer=anna%26co&page=2 HTTP/1.1": ("200 OK", #"[{"id":1,"items":["tea"]}]"#)
                    case "POST /orders HTTP/1.1": ("201 Created", "")
                    case "GET /export HTTP/1.1": ("200 OK", String(repeating: "row\n", count: 100_000))
                    case "POST /import HTTP/1.1":
                        (request.body.count == 400_000 ? "202 Accepted" : "400 Bad Request", "")
                    default: ("404 Not Found", "")
                    }
                try connection.send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        let service = OrderService(session: try ClientSession(), base: server.url)
        #expect(try await service.orders(of: "anna&co", page: 2) == [Order(id: 1, items: ["tea"])])
        #expect(try await service.orders(of: "nobody", page: 1) == nil)
        #expect(try await service.place(Order(id: 2, items: [])))
        #expect(try await service.copyExport(to: "\(server.url)/import") == 202)
    }
}
