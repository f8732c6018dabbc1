import Net
import Testing

@Suite struct CIDRBlockTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"), ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"), ("::/0", "::/0"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("::ffff:10.0.0.1", "10.0.0.1/32"),
    ])
    func blocksAreRead(text: String, printed: String) throws {
        #expect(try CIDRBlock(parsing: text).description == printed)
    }

    @Test(arguments: [
        ("", CIDRBlock.ParseError.notAnAddress), ("/8", .notAnAddress), ("10.0.0/8", .notAnAddress),
        ("host/8", .notAnAddress),
        ("10.0.0.0/", .invalidPrefix(limit: 32)), ("10.0.0.0/33", .invalidPrefix(limit: 32)),
        ("10.0.0.0/08", .invalidPrefix(limit: 32)), ("10.0.0.0/-1", .invalidPrefix(limit: 32)),
        ("10.0.0.0/8/8", .invalidPrefix(limit: 32)), ("::/129", .invalidPrefix(limit: 128)),
        ("10.0.0.0/255.0.0.0", .invalidPrefix(limit: 32)), ("::/999999", .invalidPrefix(limit: 128)),
        ("10.0.0.1/8", .bitsBeyondPrefix(network: CIDRBlock(address: .v4(0x0A00_0000), prefix: 8))),
        ("::ffff:10.0.0.1/104", .bitsBeyondPrefix(network: CIDRBlock(address: .v4(0x0A00_0000), prefix: 8))),
        ("2001:db8::1/64", .bitsBeyondPrefix(network: CIDRBlock(address: .v6(0x2001_0DB8_0000_0000, 0), prefix: 64))),
    ])
    func wrongBlocksSayWhy(text: String, problem: CIDRBlock.ParseError) {
        #expect(throws: problem) { try CIDRBlock(parsing: text) }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("10.0.0.0/8", "::a00:1", false), ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false),
        ("::/0", "1.2.3.4", false),
        ("::/0", "::1", true), ("10.0.0.4/31", "10.0.0.5", true), ("10.0.0.4/31", "10.0.0.6", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("::/127", "::1", true), ("::/127", "::2", false),
    ])
    func membershipFollowsTheFirstBits(block: String, address: String, isInside: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(try CIDRBlock(parsing: block).contains(address) == isInside)
    }
}
