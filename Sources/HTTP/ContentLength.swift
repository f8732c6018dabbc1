/// The value of a Content-Length field (RFC 9110 section 8.6).
@usableFromInline
package enum ContentLength {
    /// Digits that a value may have, leading zeros too.
    static let digits = 19

    /// The number that stands at a place, as below.
    @inlinable
    @inline(__always)
    package static func parse(_ bytes: Span<UInt8>, _ range: ByteRange) -> Int? {
        let count = Int(range.count)
        // Nearly all have one to eight digits.
        if count > 0 && count <= 8 { return ByteScan.decimal(ByteScan.window(bytes, at: range.lower), count: count) }
        return parse(bytes.extracting(range.range))
    }

    /// The number: 1 to 19 ASCII digits and nothing else, at most 2^63 - 1. Nil for everything else.
    @usableFromInline
    package static func parse(_ value: Span<UInt8>) -> Int? {
        guard value.count > 0, value.count <= digits else { return nil }
        var number = 0
        for index in 0..<value.count {
            let digit = value[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(digit))
            if overflow || carry { return nil }
            number = sum
        }
        return number
    }
}
