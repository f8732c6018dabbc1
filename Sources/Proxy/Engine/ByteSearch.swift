import Containers

/// Searches in heads that are valid already.
enum ByteSearch {
    /// Our name in Via fields, lower case.
    private static let pseudonym: InlineArray<7, UInt8> = [0x6D, 0x61, 0x72, 0x74, 0x6C, 0x65, 0x74]

    /// How often a Via field's value names us, whatever the case.
    static func countPseudonym(in bytes: Span<UInt8>) -> Int {
        var found = 0
        var index = 0
        while index &+ pseudonym.count <= bytes.count {
            var offset = 0
            while offset < pseudonym.count, bytes[index &+ offset] | 0x20 == pseudonym[offset] { offset &+= 1 }
            if offset == pseudonym.count { found &+= 1 }
            index &+= max(offset, 1)
        }
        return found
    }

    /// Offset behind the first LF at or after `start`; the count when there is none.
    static func firstLineEnd(_ bytes: borrowing Buffer, from start: Int) -> Int {
        var index = start
        while index < bytes.count {
            if bytes[index] == 0x0A { return index &+ 1 }
            index &+= 1
        }
        return bytes.count
    }
}
