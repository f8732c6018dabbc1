import Containers
import HTTP

/// What request and response heads have in common when they are written.
enum HeadWriter {
    /// Room for what is written besides the lines of the parsed head and the given bytes.
    static let fixedBytes = 256

    /// Appends the lines that are not removed, in their order, as `Name: value CRLF`, behind the first `prefix` bytes of
    /// the head.
    ///
    /// Lines that already stand like that, one directly behind the other, are copied in one go: the bytes are those
    /// that writing each anew would give. There must be tailroom for `bytesNeeded`.
    @inline(__always)
    static func appendFields(
        _ fields: borrowing FixedArray<FieldLine>, of bytes: Span<UInt8>, to buffer: inout Buffer,
        behind prefix: Int = 0
    ) {
        var runStart = 0
        var runEnd = prefix
        var index = 0
        while index < fields.count {
            defer { index &+= 1 }
            if fields[index].isRemoved { continue }
            let start = fields[index].name.lower
            if start != runEnd || !fields[index].isNormal {
                if runEnd > runStart { buffer.append(bytes.extracting(runStart..<runEnd)) }
                runStart = start
                if !fields[index].isNormal {
                    appendLine(fields[index], of: bytes, to: &buffer)
                    runEnd = start
                    continue
                }
            }
            runEnd = fields[index].value.upper &+ 2
        }
        if runEnd > runStart { buffer.append(bytes.extracting(runStart..<runEnd)) }
    }

    @inline(never)
    private static func appendLine(_ line: FieldLine, of bytes: Span<UInt8>, to buffer: inout Buffer) {
        buffer.append(bytes.extracting(line.name.range))
        buffer.append(": ")
        buffer.append(bytes.extracting(line.value.range))
        appendLineEnd(to: &buffer)
    }

    @inline(__always)
    static func appendLineEnd(to buffer: inout Buffer) { buffer.append("\r\n") }

    /// Whether added lines have no control characters but HTAB, and CR and LF only in pairs, the last bytes being one:
    /// a last check, the names and values were checked when they were added.
    static func areSafe(_ additions: Span<UInt8>) -> Bool {
        var rest = additions
        while rest.count > 0 {
            rest = rest.extracting(droppingFirst: ByteScan.fieldValueEnd(rest))
            guard rest.count >= 2, rest[0] == 0x0D, rest[1] == 0x0A else { return false }
            rest = rest.extracting(droppingFirst: 2)
        }
        return true
    }

    /// Appends the framing field, if any.
    @inline(__always)
    static func appendFraming(_ framing: BodyFraming, to buffer: inout Buffer) {
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            buffer.append("Content-Length: ")
            buffer.append(decimal: length)
            appendLineEnd(to: &buffer)
        case .chunked:
            buffer.append("Transfer-Encoding: chunked\r\n")
        }
    }
}
