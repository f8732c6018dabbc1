/// Whole numbers without sign, leading zeros or underscores.
enum DecimalNumber {
    /// Nil for anything else, and for what does not fit.
    static func parse(_ text: some StringProtocol) -> Int? {
        let bytes = text.utf8
        guard let first = bytes.first, first != 0x30 || bytes.count == 1 else { return nil }
        var value = 0
        for byte in bytes {
            guard (0x30...0x39).contains(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(byte) - 0x30)
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }
}
