import Net
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", UInt32(0)), ("127.0.0.1", 0x7F00_0001), ("255.255.255.255", .max), ("10.20.30.40", 0x0A14_1E28),
        ("1.0.0.10", 0x0100_000A),
    ])
    func dottedDecimalIsRead(text: String, octets: UInt32) {
        #expect(IPAddress(text) == .v4(octets))
        #expect(IPAddress.v4(octets).description == text)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "1.1.1.1000", "01.2.3.4", "1.2.3.00",
        "0x7f.0.0.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.a", "+1.2.3.4", "127.1", "2130706433", "1,2,3,4", "١.2.3.4",
        "1.2.3.4/8", "1.2.3.4:80",
    ])
    func otherSpellingsOfIPv4AreRefused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("::", UInt64(0), UInt64(0), "::"),
        ("::1", 0, 1, "::1"),
        ("1::", 0x0001_0000_0000_0000, 0, "1::"),
        ("2001:DB8:0:0:0:0:0:1", 0x2001_0DB8_0000_0000, 1, "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", 0x2001_0DB8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", 0x2001_0000_0000_0001, 1, "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", 0x2001_0DB8_0000_0000, 0x0001_0000_0000_0001, "2001:db8::1:0:0:1"),
        ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000, "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", 0x0000_0002_0003_0004, 0x0005_0006_0007_0008, "0:2:3:4:5:6:7:8"),
        ("::ffff:1.2.3.4", 0, 0x0000_FFFF_0102_0304, "::ffff:1.2.3.4"),
        ("::ffff:102:304", 0, 0x0000_FFFF_0102_0304, "::ffff:1.2.3.4"),
        ("64:ff9b::192.0.2.33", 0x0064_FF9B_0000_0000, 0xC000_0221, "64:ff9b::c000:221"),
        (
            "fe80:0000:0000:0000:0204:61ff:fe9d:f156", 0xFE80_0000_0000_0000, 0x0204_61FF_FE9D_F156,
            "fe80::204:61ff:fe9d:f156"
        ),
        ("1:2:3:4:5:6:255.255.255.255", 0x0001_0002_0003_0004, 0x0005_0006_FFFF_FFFF, "1:2:3:4:5:6:ffff:ffff"),
        ("0:0:0:0:0:0:0:0", 0, 0, "::"),
        ("a::b:0:0", 0x000A_0000_0000_0000, 0x0000_000B_0000_0000, "a::b:0:0"),
    ])
    func textOfIPv6IsReadAndPrintedCanonically(text: String, high: UInt64, low: UInt64, printed: String) {
        #expect(IPAddress(text) == .v6(high, low))
        #expect(IPAddress.v6(high, low).description == printed)
    }

    @Test(arguments: [
        ":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "1::2::3",
        "12345::", "g::", "::1%eth0", "[::1]", "::1.2.3", "::1.2.3.4.5", "1.2.3.4::", "::1.2.3.4:5", "::01.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4", "::ffff:1.2.3.256", " ::1", "::1 ", "::-1", "1:::2",
        "0000:0000:0000:0000:0000:ffff:255.255.255.2555",
    ])
    func malformedIPv6IsRefused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func everyPatternOfZeroGroupsSurvivesPrintingAndReading() {
        for mask in 0..<256 {
            var words = (high: UInt64(0), low: UInt64(0))
            for group in 0..<8 where mask >> group & 1 == 1 {
                if group < 4 {
                    words.high |= 0xAB << UInt64(48 - 16 * group)
                } else {
                    words.low |= 0x1 << UInt64(112 - 16 * group)
                }
            }
            let address = IPAddress.v6(words.high, words.low)
            let text = address.description
            #expect(IPAddress(text) == address, "\(text)")
            #expect(!text.contains(":::"))
            #expect(text.utf8.count <= 39)
        }
    }

    @Test func mappedAddressesAreCanonicallyIPv4() {
        #expect(IPAddress("::ffff:10.0.0.1")?.canonical == .v4(0x0A00_0001))
        #expect(IPAddress("::10.0.0.1")?.canonical == .v6(0, 0x0A00_0001))
        #expect(IPAddress("::1")?.canonical == .v6(0, 1))
        #expect(IPAddress("::fffe:10.0.0.1")?.canonical == .v6(0, 0xFFFE_0A00_0001))
    }

    @Test(arguments: [
        ("10.1.2.3", "10.1.2.3"), ("::ffff:10.1.2.3", "10.1.2.3"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
    ])
    func clientsAreCountedByAddressOrNetwork(text: String, key: String) {
        #expect(IPAddress(text)?.clientKey() == IPAddress(key))
    }

    @Test func maskingKeepsTheFirstBits() {
        #expect(IPAddress("255.255.255.255")?.masked(prefix: 9) == IPAddress("255.128.0.0"))
        #expect(IPAddress("255.255.255.255")?.masked(prefix: 0) == IPAddress("0.0.0.0"))
        #expect(IPAddress("255.255.255.255")?.masked(prefix: 33) == .v4(.max))
        let all = IPAddress.v6(.max, .max)
        #expect(all.masked(prefix: 0) == .v6(0, 0))
        #expect(all.masked(prefix: 64) == .v6(.max, 0))
        #expect(all.masked(prefix: 65) == .v6(.max, 1 << 63))
        #expect(all.masked(prefix: 128) == all)
        #expect(all.masked(prefix: -1) == .v6(0, 0))
    }

    @Test func loopbackAndUnspecifiedAreRecognised() {
        #expect(IPAddress("127.8.0.1")?.isLoopback == true)
        #expect(IPAddress("::1")?.isLoopback == true)
        #expect(IPAddress("::ffff:127.0.0.1")?.isLoopback == true)
        #expect(IPAddress("128.0.0.1")?.isLoopback == false)
        #expect(IPAddress("::")?.isUnspecified == true)
        #expect(IPAddress("::1")?.isUnspecified == false)
    }
}
