private import HTTP

/// Looks a field up in the bytes of a head. For log formats that name fields; everything else has parsed heads.
enum FieldLookup {
    /// The value of the first field line named `name` (lower case), without the white space around it.
    @_lifetime(copy head)
    static func value(of name: Span<UInt8>, in head: Span<UInt8>) -> Span<UInt8>? {
        var start = endOfLine(head, from: 0).next
        while start < head.count {
            let line = endOfLine(head, from: start)
            if line.end == start { return nil }
            if isNamed(head, start, line.end, name) {
                var from = start + name.count + 1
                var to = line.end
                while from < to && isBlank(head[from]) { from += 1 }
                while to > from && isBlank(head[to - 1]) { to -= 1 }
                return head.extracting(from..<to)
            }
            start = line.next
        }
        return nil
    }

    /// The first line, without its end.
    @_lifetime(copy head)
    static func startLine(of head: Span<UInt8>) -> Span<UInt8> {
        head.extracting(0..<endOfLine(head, from: 0).end)
    }

    private static func endOfLine(_ head: Span<UInt8>, from start: Int) -> (end: Int, next: Int) {
        var index = start
        var rest = head.extracting(droppingFirst: start)
        while rest.count >= 8 {
            // A line feed leaves a zero byte, and only a zero byte borrows from its high bit first.
            let word = ByteScan.word(rest) ^ 0x0A0A_0A0A_0A0A_0A0A
            let marks = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if marks != 0 {
                index += marks.trailingZeroBitCount / 8
                break
            }
            index += 8
            rest = rest.extracting(droppingFirst: 8)
        }
        while index < head.count && head[index] != 0x0A { index += 1 }
        let hasReturn = index > start && head[index - 1] == 0x0D
        return (hasReturn ? index - 1 : index, min(index + 1, head.count))
    }

    private static func isNamed(_ head: Span<UInt8>, _ start: Int, _ end: Int, _ name: Span<UInt8>) -> Bool {
        guard end - start > name.count, head[start + name.count] == 0x3A else { return false }
        for offset in 0..<name.count where ByteClass.lowercased(head[start + offset]) != name[offset] { return false }
        return true
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
