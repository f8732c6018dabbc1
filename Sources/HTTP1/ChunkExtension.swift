import HTTP

/// Grammar of chunk extensions (RFC 9112 section 7.1.1), byte by byte; nothing of them is kept.
///
///     start ─;─▶ name ─=─▶ value ─┬─ token ───────────────┬─▶ ; or CR
///       ▲                          └─ " quoted (\ escaped) "┘
///
/// White space may only stand where a `;` or `=` or a name or a value follows.
enum ChunkExtension: Sendable, Equatable {
    /// Behind the size, or white space behind it.
    case start
    case beforeName
    case name
    case afterName
    case beforeValue
    case value
    case quoted
    case escaped
    case afterQuoted
    /// White space behind a value: a `;` must follow.
    case afterValue

    enum Step { case more, carriageReturn, invalid }

    mutating func next(_ byte: UInt8) -> Step {
        let isSpace = byte == 0x20 || byte == 0x09
        switch self {
        case .start, .afterValue:
            if byte == 0x3B { return move(to: .beforeName) }
            return isSpace ? .more : .invalid
        case .beforeName:
            if isSpace { return .more }
            return ByteClass.isToken(byte) ? move(to: .name) : .invalid
        case .name:
            if ByteClass.isToken(byte) { return .more }
            return afterName(byte, isSpace)
        case .afterName:
            if isSpace { return .more }
            return byte == 0x0D ? .invalid : afterName(byte, isSpace)
        case .beforeValue:
            if isSpace { return .more }
            if byte == 0x22 { return move(to: .quoted) }
            return ByteClass.isToken(byte) ? move(to: .value) : .invalid
        case .value:
            if ByteClass.isToken(byte) { return .more }
            return afterValue(byte, isSpace)
        case .quoted:
            if byte == 0x22 { return move(to: .afterQuoted) }
            if byte == 0x5C { return move(to: .escaped) }
            return ByteClass.isFieldValue(byte) ? .more : .invalid
        case .escaped:
            return ByteClass.isFieldValue(byte) ? move(to: .quoted) : .invalid
        case .afterQuoted:
            return afterValue(byte, isSpace)
        }
    }

    private mutating func afterName(_ byte: UInt8, _ isSpace: Bool) -> Step {
        if byte == 0x3D { return move(to: .beforeValue) }
        if isSpace { return move(to: .afterName) }
        return byte == 0x3B ? move(to: .beforeName) : byte == 0x0D ? .carriageReturn : .invalid
    }

    private mutating func afterValue(_ byte: UInt8, _ isSpace: Bool) -> Step {
        if isSpace { return move(to: .afterValue) }
        return byte == 0x3B ? move(to: .beforeName) : byte == 0x0D ? .carriageReturn : .invalid
    }

    private mutating func move(to state: ChunkExtension) -> Step {
        self = state
        return .more
    }
}
