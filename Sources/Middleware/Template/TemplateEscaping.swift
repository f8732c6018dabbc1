internal import Containers
internal import HTTP

/// How the value of a variable is made fit for where it is put.
enum TemplateEscaping: Sendable, Equatable {
    /// A field value: as it is; the writer of fields refuses what could end a line.
    case field
    /// Inside a path. Values from the path are canonical already; from elsewhere also `/` and `?` are escaped, so that
    /// a value stays inside its segment.
    case path
    /// Inside a query: `&`, `=`, `+` and `#` are escaped too.
    case query

    /// Escapes the bytes of `output` from `start` on in place.
    ///
    /// - Returns: false when there is no room for the longer text; the buffer then ends at `start`.
    func escape(_ kind: CompiledVariable.Kind, in output: inout Buffer, from start: Int) -> Bool {
        guard self != .field else { return true }
        let isFromPath = kind == .path || kind == .pathParameter
        if isFromPath && self == .path { return true }
        let keepsEscapes = isFromPath || kind == .query
        let end = output.count
        var extra = 0
        for index in start..<end where !isKept(output.span, index, end, keepsEscapes) { extra += 2 }
        guard extra > 0 else { return true }
        guard extra <= output.tailroom else {
            output.keepFirst(start)
            return false
        }
        expand(&output, by: extra, keepsEscapes)
        return true
    }

    /// Moves bytes to their new places from the end on. While anything has to move, the gap before `target` is at least
    /// two bytes, so that a `%` still finds the two bytes behind it.
    private func expand(_ output: inout Buffer, by extra: Int, _ keepsEscapes: Bool) {
        let end = output.count
        for _ in 0..<extra { output.append(0) }
        var source = end
        var target = output.count
        while target > source {
            source -= 1
            let byte = output[source]
            if isKept(output.span, source, end, keepsEscapes) {
                target -= 1
                output[target] = byte
            } else {
                target -= 3
                output[target] = 0x25
                output[target + 1] = Self.digit(byte >> 4)
                output[target + 2] = Self.digit(byte & 15)
            }
        }
    }

    /// Whether the byte at `index` of text that ends at `end` may stay.
    private func isKept(_ bytes: Span<UInt8>, _ index: Int, _ end: Int, _ keepsEscapes: Bool) -> Bool {
        let byte = bytes[index]
        if ByteClass.isUnreserved(byte) { return true }
        switch byte {
        case 0x25:
            return keepsEscapes && index + 2 < end && ByteClass.isHexDigit(bytes[index + 1])
                && ByteClass.isHexDigit(bytes[index + 2])
        case 0x21, 0x24, 0x27...0x2A, 0x2C, 0x3A, 0x3B, 0x40: return true
        case 0x26, 0x2B, 0x3D: return self == .path
        default: return false
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 &+ value : 0x37 &+ value
    }
}
