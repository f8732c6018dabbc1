import Net
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1:80", SocketAddress.ip(.v4(0x7F00_0001), port: 80), "127.0.0.1:80"),
        ("[::1]:65535", .ip(.v6(0, 1), port: 65535), "[::1]:65535"),
        ("[::]:0", .ip(.v6(0, 0), port: 0), "[::]:0"),
        (":8080", .ip(.v4(0), port: 8080), "0.0.0.0:8080"),
        ("unix:/run/x.sock", .unix(path: "/run/x.sock"), "unix:/run/x.sock"),
    ])
    func addressesAreReadAndPrinted(text: String, address: SocketAddress, printed: String) throws {
        #expect(try SocketAddress(parsing: text) == address)
        #expect(address.description == printed)
        #expect(try SocketAddress(parsing: printed) == address)
    }

    @Test(arguments: [
        ("", SocketAddress.ParseError.missingPort), ("8080", .missingPort), ("127.0.0.1", .missingPort),
        ("[::1]", .missingPort),
        ("127.0.0.1:", .invalidPort), ("127.0.0.1:65536", .invalidPort), ("127.0.0.1:080", .invalidPort),
        (":+1", .invalidPort),
        (":8o", .invalidPort), ("localhost:80", .notAnAddress), ("[127.0.0.1]:80", .notAnAddress),
        ("[]:80", .notAnAddress),
        ("[::1:80", .notAnAddress), ("[::1%lo]:80", .notAnAddress), ("::1:80", .missingBrackets),
        ("unix:", .invalidPath),
        ("unix:run/x", .invalidPath), ("unix:/a\0b", .invalidPath), ("[", .missingPort), ("]:1", .notAnAddress),
        ("[:1", .notAnAddress),
        ("unix:/" + String(repeating: "x", count: 107), .pathTooLong),
    ])
    func wrongAddressesSayWhy(text: String, problem: SocketAddress.ParseError) {
        #expect(throws: problem) { try SocketAddress(parsing: text) }
    }

    @Test func theLongestUnixPathFits() throws {
        let path = "/" + String(repeating: "x", count: SocketAddress.unixPathLimit - 1)
        #expect(try SocketAddress(parsing: "unix:" + path) == .unix(path: path))
    }
}
