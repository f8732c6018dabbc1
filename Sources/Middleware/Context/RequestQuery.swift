internal import Containers
internal import HTTP

/// Query parameters for policies: compared in decoded form, so that no escaped spelling gets past.
extension RequestContext {
    /// Decodes the value of a parameter that must come at most once.
    ///
    /// - Returns: false when it is not there, comes twice, or has no room.
    func decodeOnlyQueryParameter(_ name: Span<UInt8>, to output: inout Buffer) -> Bool {
        guard let range = head.query else { return false }
        let query = slice(range)
        var pairs = QueryPairs()
        var found: Range<Int>?
        while let pair = pairs.next(in: query) {
            guard PercentDecoding.equals(query.extracting(pair.name), name) else { continue }
            guard found == nil else { return false }
            found = pair.value
        }
        guard let found else { return false }
        return PercentDecoding.append(query.extracting(found), to: &output)
    }

    /// Takes every parameter of a name out of the query, in the head's bytes themselves, so that it shows nowhere
    /// later: what is left moves together and spaces fill the gap before the version.
    mutating func removeQueryParameters(_ name: Span<UInt8>) {
        guard let range = head.query else { return }
        var pairs = QueryPairs()
        var end = range.lower
        // A pair is read before its place can be written to: writing never overtakes reading.
        while let pair = pairs.next(in: bytes.span.extracting(range.range)) {
            let start = range.lower + pair.name.lowerBound
            let nameRange = start..<(range.lower + pair.name.upperBound)
            if PercentDecoding.equals(bytes.span.extracting(nameRange), name) { continue }
            if end > range.lower {
                bytes[end] = 0x26
                end += 1
            }
            for offset in start..<(range.lower + pair.all.upperBound) {
                bytes[end] = bytes[offset]
                end += 1
            }
        }
        let isEmpty = end == range.lower
        let targetEnd = isEmpty ? range.lower - 1 : end
        for offset in targetEnd..<range.upper { bytes[offset] = 0x20 }
        head.query = isEmpty ? nil : ByteRange(start: range.lower, count: end - range.lower)
        head.target = ByteRange(start: head.target.lower, count: targetEnd - head.target.lower)
    }
}

/// Percent-decoding for comparisons (RFC 3986 section 2.1); a `%` without two digits stands for itself.
enum PercentDecoding {
    static func equals(_ text: Span<UInt8>, _ decoded: Span<UInt8>) -> Bool {
        var at = 0
        var index = 0
        while at < text.count {
            let (byte, next) = self.next(in: text, at: at)
            guard index < decoded.count, decoded[index] == byte else { return false }
            at = next
            index += 1
        }
        return index == decoded.count
    }

    static func append(_ text: Span<UInt8>, to output: inout Buffer) -> Bool {
        guard text.count <= output.tailroom else { return false }
        var at = 0
        while at < text.count {
            let (byte, next) = self.next(in: text, at: at)
            output.append(byte)
            at = next
        }
        return true
    }

    private static func next(in text: Span<UInt8>, at: Int) -> (byte: UInt8, next: Int) {
        if text[at] == 0x25, at + 2 < text.count, let high = ByteClass.hexValue(text[at + 1]),
            let low = ByteClass.hexValue(text[at + 2])
        {
            return (high << 4 | low, at + 3)
        }
        return (text[at], at + 1)
    }
}
