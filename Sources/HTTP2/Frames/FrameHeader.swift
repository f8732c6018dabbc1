/// The first nine bytes of a frame (RFC 9113 section 4.1).
struct FrameHeader: Sendable {
    static let count = 9

    let length: Int
    let type: UInt8
    let flags: UInt8
    /// Without the reserved bit.
    let stream: UInt32

    /// There must be nine bytes from `at` on.
    @inline(__always)
    init(_ bytes: Span<UInt8>, at: Int) {
        length = Int(bytes[at]) << 16 | Int(bytes[at &+ 1]) << 8 | Int(bytes[at &+ 2])
        type = bytes[at &+ 3]
        flags = bytes[at &+ 4]
        stream = Self.word(bytes, at: at &+ 5) & 0x7FFF_FFFF
    }

    /// Four bytes, the highest first.
    @inline(__always)
    static func word(_ bytes: Span<UInt8>, at: Int) -> UInt32 {
        UInt32(bytes[at]) << 24 | UInt32(bytes[at &+ 1]) << 16 | UInt32(bytes[at &+ 2]) << 8 | UInt32(bytes[at &+ 3])
    }
}

enum FrameType {
    static var data: UInt8 { 0 }
    static var headers: UInt8 { 1 }
    static var priority: UInt8 { 2 }
    static var reset: UInt8 { 3 }
    static var settings: UInt8 { 4 }
    static var pushPromise: UInt8 { 5 }
    static var ping: UInt8 { 6 }
    static var goAway: UInt8 { 7 }
    static var windowUpdate: UInt8 { 8 }
    static var continuation: UInt8 { 9 }
}

enum FrameFlags {
    static var endStream: UInt8 { 1 }
    static var acknowledged: UInt8 { 1 }
    static var endHeaders: UInt8 { 4 }
    static var padded: UInt8 { 8 }
    static var priority: UInt8 { 0x20 }
}
