import HTTP1
import Testing

@Suite struct MaxForwardsTests {
    @Test(arguments: [("0", 0), ("7", 7), ("007", 7), ("999999999", 999_999_999), ("99999999999999999", 999_999_999)])
    func `Decimal numbers count hops`(value: String, hops: Int) {
        let bytes = Array(value.utf8)
        #expect(holds(MaxForwards.unlimited.noting(bytes.span) == .hops(hops)))
    }

    @Test(arguments: ["", "-1", "+1", "1 ", "0x1", "1,2", "a", "\u{0661}"])
    func `Everything else is not valid`(value: String) {
        let bytes = Array(value.utf8)
        #expect(holds(MaxForwards.unlimited.noting(bytes.span) == .invalid))
    }

    @Test func `Two fields are not valid`() {
        let bytes = Array("5".utf8)
        #expect(holds(MaxForwards.unlimited.noting(bytes.span).noting(bytes.span) == .invalid))
    }
}
