/// Content types of responses that may flow for ever with long pauses: no idle limit of ordinary bodies fits them.
@usableFromInline
package enum EndlessContent {
    // Lower-case names; a literal of bytes is data, where a string would be work.
    private static let eventStream: InlineArray<17, UInt8> = [
        0x74, 0x65, 0x78, 0x74, 0x2F, 0x65, 0x76, 0x65, 0x6E, 0x74, 0x2D, 0x73, 0x74, 0x72, 0x65, 0x61, 0x6D,
    ]
    private static let mixedReplace: InlineArray<25, UInt8> = [
        0x6D, 0x75, 0x6C, 0x74, 0x69, 0x70, 0x61, 0x72, 0x74, 0x2F, 0x78, 0x2D, 0x6D, 0x69, 0x78, 0x65, 0x64, 0x2D,
        0x72, 0x65, 0x70, 0x6C, 0x61, 0x63, 0x65,
    ]
    private static let ndjson: InlineArray<20, UInt8> = [
        0x61, 0x70, 0x70, 0x6C, 0x69, 0x63, 0x61, 0x74, 0x69, 0x6F, 0x6E, 0x2F, 0x78, 0x2D, 0x6E, 0x64, 0x6A, 0x73,
        0x6F, 0x6E,
    ]

    /// Whether the Content-Type at a place is text/event-stream, application/grpc (with any suffix),
    /// multipart/x-mixed-replace or application/x-ndjson.
    @inlinable
    package static func isEndless(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        // The second eight bytes tell nearly all others from these.
        switch ByteScan.word(bytes, at: range.lower &+ 8) | 0x2020_2020_2020_2020 {
        case 0x6165_7274_732D_746E, 0x6370_7267_2F6E_6F69, 0x6578_696D_2D78_2F74, 0x646E_2D78_2F6E_6F69:
            return isEndless(bytes.extracting(range.range))
        default: return false
        }
    }

    /// Whether a Content-Type is application/grpc, with any suffix; not application/grpc-web.
    package static func isGRPC(_ value: Span<UInt8>) -> Bool {
        guard value.count >= 16, PackedToken(value.extracting(first: 16)) == .grpc else { return false }
        return value.count == 16 || value[16] == 0x2B || value[16] == 0x3B
    }

    @usableFromInline
    @inline(never)
    static func isEndless(_ value: Span<UInt8>) -> Bool {
        var end = 0
        while end < value.count && value[end] != 0x3B && value[end] != 0x20 && value[end] != 0x09 { end &+= 1 }
        let type = value.extracting(first: end)
        switch end {
        case ..<16: return false
        case 17 where ByteClass.equalsIgnoringCase(type, eventStream.span): return true
        case 20 where ByteClass.equalsIgnoringCase(type, ndjson.span): return true
        case 25 where ByteClass.equalsIgnoringCase(type, mixedReplace.span): return true
        default:
            // application/grpc, application/grpc+proto, application/grpc-web.
            guard end == 16 || type[16] == 0x2B || type[16] == 0x2D else { return false }
            return PackedToken(type.extracting(first: 16)) == .grpc
        }
    }
}
