package import Containers
import HTTP

/// Decodes the chunked transfer coding (RFC 9112 section 7.1) in place, in any pieces.
///
///     size ─┬─CR──────────▶ sizeLF ─LF─┬─▶ data(n) ─n bytes─▶ dataCR ─▶ dataLF ─▶ size
///           └─;─▶ extension ─CR─▶ ─┘   └─ n = 0 ─▶ trailers ─empty line─▶ complete
///
/// Strict: sizes are 1 to 16 hexadecimal digits, only CRLF ends a line, extensions follow their grammar and are
/// bounded by `ChunkLimits`.
package struct ChunkedDecoder: Sendable {
    private static let sizeDigits = 16

    private enum State: Sendable, Equatable {
        case size(value: Int, digits: Int)
        case ext(ChunkExtension, size: Int, lineBytes: Int32)
        case sizeLF(Int)
        case data(remaining: Int)
        case dataCR
        case dataLF
        case trailers
        case complete
    }

    private var state = State.size(value: 0, digits: 0)
    private var extensionBytes: Int32 = 0
    private let lineLimit: Int32
    private let extensionLimit: Int32

    package init(limits: ChunkLimits = ChunkLimits()) {
        lineLimit = limits.lineBytes
        extensionLimit = limits.extensionBytes
    }

    /// The last chunk and the trailer section have ended.
    package var isComplete: Bool { state == .complete }

    /// Decodes the readable bytes of `buffer`: content is moved together at their front, framing vanishes, validated
    /// trailer lines go to `trailers`. Bytes behind the end of the body stay as they are at offset `consumed`.
    ///
    /// After an error the content of this call must not be used.
    package mutating func decode(
        _ buffer: inout Buffer, trailers: inout TrailerSection
    ) throws(ChunkedFailure) -> ChunkedProgress {
        var read = 0
        var written = 0
        while read < buffer.count {
            switch state {
            case .data(let remaining):
                let count = min(remaining, buffer.count &- read)
                if written == 0 {
                    // Nothing precedes this content: what stood before it is dropped and no byte has to move.
                    buffer.dropFirst(read)
                    read = 0
                } else {
                    buffer.moveBytes(from: read, to: written, count: count)
                }
                read &+= count
                written &+= count
                state = count == remaining ? .dataCR : .data(remaining: remaining &- count)
            case .trailers:
                if try trailers.collect(buffer.span, &read) { state = .complete }
            case .complete:
                return ChunkedProgress(contentCount: written, consumed: read, isComplete: true)
            case .size, .ext, .sizeLF, .dataCR, .dataLF:
                try skipFraming(buffer.span, &read)
            }
        }
        return ChunkedProgress(contentCount: written, consumed: read, isComplete: state == .complete)
    }

    /// Reads framing bytes until content, the trailer section or the end of the bytes is reached.
    private mutating func skipFraming(_ bytes: Span<UInt8>, _ read: inout Int) throws(ChunkedFailure) {
        while read < bytes.count {
            let byte = bytes[read]
            switch state {
            case .size(let value, let digits): try readSize(byte, value, digits)
            case .ext(var grammar, let size, let lineBytes):
                try readExtension(byte, &grammar, size, lineBytes)
            case .sizeLF(let size):
                guard byte == 0x0A else { throw .invalid }
                state = size == 0 ? .trailers : .data(remaining: size)
            case .dataCR:
                guard byte == 0x0D else { throw .invalid }
                state = .dataLF
            case .dataLF:
                guard byte == 0x0A else { throw .invalid }
                state = .size(value: 0, digits: 0)
            case .data, .trailers, .complete:
                return
            }
            read &+= 1
        }
    }

    private mutating func readSize(_ byte: UInt8, _ value: Int, _ digits: Int) throws(ChunkedFailure) {
        if let digit = ByteClass.hexValue(byte) {
            guard digits < Self.sizeDigits, value <= Int.max >> 4 else { throw .invalid }
            state = .size(value: value << 4 | Int(digit), digits: digits &+ 1)
            return
        }
        guard digits > 0 else { throw .invalid }
        if byte == 0x0D {
            state = .sizeLF(value)
        } else {
            var grammar = ChunkExtension.start
            try readExtension(byte, &grammar, value, 0)
        }
    }

    private mutating func readExtension(
        _ byte: UInt8, _ grammar: inout ChunkExtension, _ size: Int, _ lineBytes: Int32
    ) throws(ChunkedFailure) {
        switch grammar.next(byte) {
        case .invalid: throw .invalid
        case .carriageReturn: state = .sizeLF(size)
        case .more:
            extensionBytes &+= 1
            guard lineBytes < lineLimit, extensionBytes <= extensionLimit else { throw .invalid }
            state = .ext(grammar, size: size, lineBytes: lineBytes &+ 1)
        }
    }
}
