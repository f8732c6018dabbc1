import HTTP

/// The value of a Transfer-Encoding field that is not just `chunked`.
enum TransferCodings {
    /// Whether it is a list of transfer codings, so that 501 is the answer and not 400 (RFC 9112 section 6.1).
    static func areWellFormed(_ value: Span<UInt8>) -> Bool {
        var elements = ListElements()
        while let range = elements.next(value) {
            var end = range.lowerBound
            while end < range.upperBound && value[end] != 0x3B && value[end] != 0x20 && value[end] != 0x09 { end &+= 1 }
            if !ByteScan.isToken(value.extracting(range.lowerBound..<end)) { return false }
        }
        return true
    }
}
