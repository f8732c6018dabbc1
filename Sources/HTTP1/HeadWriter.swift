import Containers
import HTTP

/// What request and response heads have in common when they are written.
enum HeadWriter {
    /// Room for what is written besides the lines of the parsed head and the given bytes.
    static let fixedBytes = 256

    /// Appends the lines that are not removed, in their order, as `Name: value CRLF`.
    ///
    /// Lines that already stand like that, one directly behind the other, are copied in one go: the bytes are those
    /// that writing each anew would give. There must be tailroom for `bytesNeeded`.
    static func appendFields(
        _ fields: borrowing FixedArray<FieldLine>, of bytes: Span<UInt8>, to buffer: inout Buffer
    ) {
        var runStart = 0
        var runEnd = 0
        for index in 0..<fields.count {
            let line = fields[index]
            if line.isRemoved { continue }
            let start = line.name.lower
            let end = line.value.upper
            if line.value.lower == line.name.upper &+ 2 && bytes[line.name.upper &+ 1] == 0x20 && bytes[end] == 0x0D {
                if start != runEnd {
                    buffer.append(bytes.extracting(runStart..<runEnd))
                    runStart = start
                }
                runEnd = end &+ 2
            } else {
                buffer.append(bytes.extracting(runStart..<runEnd))
                runStart = 0
                runEnd = 0
                buffer.append(bytes.extracting(line.name.range))
                buffer.append(": ")
                buffer.append(bytes.extracting(line.value.range))
                buffer.append("\r\n")
            }
        }
        buffer.append(bytes.extracting(runStart..<runEnd))
    }

    /// Whether added lines have no NUL and no CR or LF but in pairs: a last check, the names and values were
    /// checked when they were added.
    static func areSafe(_ additions: Span<UInt8>) -> Bool {
        var index = 0
        let count = additions.count
        while index < count {
            index &+= ByteScan.fieldValueEnd(additions.extracting(droppingFirst: index))
            if index >= count { return false }
            guard index &+ 1 < count, additions[index] == 0x0D, additions[index &+ 1] == 0x0A else { return false }
            index &+= 2
        }
        return true
    }

    /// Appends the framing field, if any.
    static func appendFraming(_ framing: BodyFraming, to buffer: inout Buffer) {
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            buffer.append("Content-Length: ")
            buffer.append(decimal: length)
            buffer.append("\r\n")
        case .chunked:
            buffer.append("Transfer-Encoding: chunked\r\n")
        }
    }
}
