package import Containers
import HTTP

/// Frames content with the chunked transfer coding (RFC 9112 section 7.1): lower-case sizes, no extensions.
package enum ChunkEncoder {
    /// Headroom that a frame may need: 16 digits and CRLF.
    package static let headroom = 18
    /// Tailroom that a frame needs.
    package static let tailroom = 2

    /// Ends a body that has no trailers.
    package static var last: StaticString { "0\r\n\r\n" }

    /// Puts the readable bytes into one chunk, in place: the size goes into the headroom, the CRLF into the tailroom.
    ///
    /// False, and nothing changed, when there is no content (an empty chunk would end the body) or too little room.
    package static func frame(_ buffer: inout Buffer) -> Bool {
        let count = buffer.count
        guard count > 0, buffer.tailroom >= tailroom else { return false }
        var line = InlineArray<18, UInt8>(repeating: 0)
        line[17] = 0x0A
        line[16] = 0x0D
        var start = 16
        var rest = count
        while rest > 0 && start > 0 {
            start &-= 1
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            line[start] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
            rest >>= 4
        }
        guard buffer.headroom >= 18 &- start else { return false }
        buffer.prepend(line.span.extracting(droppingFirst: start))
        buffer.append(0x0D)
        buffer.append(0x0A)
        return true
    }

    /// Appends the last chunk with the trailers that may be forwarded. False, and nothing appended, when the
    /// tailroom does not suffice.
    package static func appendLast(to buffer: inout Buffer, trailers: borrowing TrailerSection) -> Bool {
        guard trailers.bytes.count &+ 5 <= buffer.tailroom else { return false }
        buffer.append("0\r\n")
        for index in 0..<trailers.count {
            let line = trailers[index]
            if line.isRemoved { continue }
            buffer.append(trailers.bytes.extracting(line.name.lower..<line.value.upper &+ 2))
        }
        buffer.append("\r\n")
        return true
    }
}
