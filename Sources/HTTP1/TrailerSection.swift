package import Containers
package import HTTP

/// The trailer section of one chunked body (RFC 9112 section 7.1.2): validated lines, kept apart from the head.
///
/// Bodies without trailers, nearly all, cost no memory here.
package struct TrailerSection: ~Copyable {
    private let byteLimit: Int
    private let fieldLimit: Int
    /// Collected lines as `Name: value CRLF`.
    private var lines: [UInt8] = []
    private var fields: [FieldLine] = []
    /// Beginning of a line whose end has not arrived.
    private var partial: [UInt8] = []
    /// Bytes of whole lines so far, as received.
    private var receivedBytes = 0

    package init(limits: ChunkLimits = ChunkLimits()) {
        byteLimit = Int(limits.trailerBytes)
        fieldLimit = Int(limits.trailerFields)
    }

    /// Lines collected; those that must not be forwarded too.
    package var count: Int { fields.count }

    package var isEmpty: Bool { fields.isEmpty }

    /// A line; its ranges are relative to `bytes`. `isRemoved` says that it must not be forwarded: names of framing,
    /// routing, authentication, cookies and content coding (RFC 9110 section 6.5.1), and names with `_` or `.`.
    package subscript(index: Int) -> FieldLine { fields[index] }

    /// The collected lines, one after the other as `Name: value CRLF`.
    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { lines.span }
    }

    /// Forgets all lines and keeps no memory.
    package mutating func removeAll() {
        lines = []
        fields = []
        partial = []
        receivedBytes = 0
    }

    /// Collects a line that was checked elsewhere; one beyond the limits is left out.
    package mutating func append(_ line: FieldLine, of bytes: Span<UInt8>) {
        let count = Int(line.name.count) &+ Int(line.value.count) &+ 4
        guard fields.count < fieldLimit, receivedBytes &+ count <= byteLimit else { return }
        receivedBytes &+= count
        keep(line, bytes)
    }

    /// Appends the lines that may be forwarded, `Name: value CRLF` each, as far as there is room.
    package func appendForwarded(to buffer: inout Buffer) {
        for line in fields where !line.isRemoved {
            let end = line.value.upper &+ 2
            guard end &- line.name.lower <= buffer.tailroom else { return }
            buffer.append(lines.span.extracting(line.name.lower..<end))
        }
    }

    /// Collects lines from `bytes` at `read`. True when the empty line was reached; `read` then stands behind it.
    mutating func collect(_ bytes: Span<UInt8>, _ read: inout Int) throws(ChunkedFailure) -> Bool {
        while read < bytes.count {
            if partial.isEmpty {
                let start = read
                let outcome = try scan(bytes, &read)
                if outcome == .end { return true }
                if outcome == .incomplete {
                    for index in start..<bytes.count { partial.append(bytes[index]) }
                    read = bytes.count
                }
            } else {
                let byte = bytes[read]
                partial.append(byte)
                read &+= 1
                // Until a line feed comes nothing new can be seen but a breach, which may wait for the bytes' end.
                if byte != 0x0A && read < bytes.count && partial.count <= byteLimit { continue }
                let line = partial
                var cursor = 0
                let outcome = try scan(line.span, &cursor)
                if outcome != .incomplete { partial = [] }
                if outcome == .end { return true }
            }
        }
        return false
    }

    /// Scans one line and keeps it when it is whole.
    private mutating func scan(
        _ bytes: Span<UInt8>, _ cursor: inout Int
    ) throws(ChunkedFailure) -> FieldLineScanner.Outcome {
        let start = cursor
        var line = FieldLine(name: .empty, value: .empty, known: .other)
        let limit = max(0, byteLimit &- receivedBytes &- 2)
        let outcome = FieldLineScanner.scan(bytes, &cursor, limit: limit, into: &line)
        switch outcome {
        case .line:
            if fields.count >= fieldLimit { throw .trailersTooLarge }
            receivedBytes &+= cursor &- start
            keep(line, bytes)
        case .end, .incomplete: break
        case .invalid: throw .invalid
        case .tooLong: throw .trailersTooLarge
        }
        return outcome
    }

    private mutating func keep(_ line: FieldLine, _ bytes: Span<UInt8>) {
        var kept = line
        kept.name.start = UInt32(truncatingIfNeeded: lines.count)
        kept.value.start = kept.name.start &+ kept.name.count &+ 2
        for index in line.name.range { lines.append(bytes[index]) }
        lines.append(0x3A)
        lines.append(0x20)
        for index in line.value.range { lines.append(bytes[index]) }
        lines.append(0x0D)
        lines.append(0x0A)
        if !TrailerFields.mayBeForwarded(line.known, bytes.extracting(line.name.range)) { kept.isRemoved = true }
        fields.append(kept)
    }
}
