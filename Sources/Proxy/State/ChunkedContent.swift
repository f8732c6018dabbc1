import Containers
import HTTP
import HTTP1

/// Content in the chunked coding that one side of an exchange sends. In a slab of its own and not in the exchange: most messages
/// have none, and what an exchange has is set up and taken down with every request.
struct ChunkedContent: ~Copyable {
    private var decoder: ChunkedDecoder
    private(set) var trailers: TrailerSection

    init(limits: ChunkLimits) {
        decoder = ChunkedDecoder(limits: limits)
        trailers = TrailerSection(limits: limits)
    }

    /// Takes a trailer that came outside of any chunked coding.
    mutating func appendTrailer(_ line: FieldLine, of bytes: Span<UInt8>) { trailers.append(line, of: bytes) }

    /// As `ChunkedDecoder.decode`.
    mutating func decode(_ buffer: inout Buffer) throws(ChunkedFailure) -> ChunkedProgress {
        try decoder.decode(&buffer, trailers: &trailers)
    }
}
