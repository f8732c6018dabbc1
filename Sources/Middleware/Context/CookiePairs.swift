private import HTTP

/// Looks up cookies in the value of a Cookie field (RFC 6265 section 4.2.1): pairs split on `;`, white space around
/// them does not count, values are taken as they are.
enum CookiePairs {
    /// Where the first value of a cookie stands; names are case-sensitive.
    static func value(of name: Span<UInt8>, in line: Span<UInt8>) -> Range<Int>? {
        var at = 0
        while at < line.count {
            var end = at
            while end < line.count && line[end] != 0x3B { end += 1 }
            if let range = value(of: name, in: line, at..<end) { return range }
            at = end + 1
        }
        return nil
    }

    private static func value(of name: Span<UInt8>, in line: Span<UInt8>, _ pair: Range<Int>) -> Range<Int>? {
        var start = pair.lowerBound
        var end = pair.upperBound
        while start < end && isSpace(line[start]) { start += 1 }
        while start < end && isSpace(line[end - 1]) { end -= 1 }
        var equals = start
        while equals < end && line[equals] != 0x3D { equals += 1 }
        guard equals < end, ByteClass.equals(line.extracting(start..<equals), name) else { return nil }
        return (equals + 1)..<end
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
