import HTTP

/// A line of a table, `name: value CRLF`, with what was found out about it when it was new.
struct TableEntry: Sendable {
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        static var badName: Flags { Flags(rawValue: 1) }
        static var badValue: Flags { Flags(rawValue: 2) }
        /// The name has `_` or `.`, which some receivers take for `-`.
        static var ambiguousName: Flags { Flags(rawValue: 4) }
    }

    /// Where the line stands: a count of bytes that wraps.
    var start: UInt16 = 0
    var nameCount: UInt16 = 0
    var valueCount: UInt16 = 0
    var known = KnownField.other
    var pseudo = PseudoField.none
    var flags: Flags = []

    /// Bytes of the line.
    @inline(__always)
    var lineCount: Int { Int(nameCount) &+ Int(valueCount) &+ 4 }

    /// Bytes that it counts for in a table (RFC 7541 section 4.1).
    @inline(__always)
    var size: Int { lineCount &+ 28 }

    init() {}

    /// With what a name says; the counts of bytes are the caller's.
    init(name: Span<UInt8>) {
        pseudo = PseudoField(name)
        guard pseudo == .none else { return }
        known = KnownField.recognise(name)
        // RFC 9113 section 8.2.1: a token in lower case; a name that is known may stand in capitals still.
        var isLower = true
        for index in name.indices where name[index] &- 0x41 < 26 { isLower = false }
        switch isLower ? ByteScan.nameKind(name) : .notToken {
        case .token: break
        case .ambiguous: flags.insert(.ambiguousName)
        case .notToken: flags.insert(.badName)
        }
    }

    /// Whether a value may stand in a field: no control characters but HTAB, no white space at its ends (RFC 9113 section
    /// 8.2.1).
    @inline(__always)
    static func isValid(value: Span<UInt8>) -> Bool {
        if value.count == 0 { return true }
        if value[0] <= 0x20 || value[value.count &- 1] <= 0x20 { return false }
        return ByteScan.fieldValueEnd(value) == value.count
    }
}
