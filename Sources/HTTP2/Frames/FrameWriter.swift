import Containers

/// Writes frames; there must be tailroom.
enum FrameWriter {
    static let resetCount = 13
    static let goAwayCount = 17
    static let windowUpdateCount = 13

    @inline(__always)
    static func header(_ length: Int, _ type: UInt8, _ flags: UInt8, _ stream: UInt32, to output: inout Buffer) {
        let id = UInt64(stream.byteSwapped)
        let lengths = UInt64(length >> 16 & 0xFF) | UInt64(length >> 8 & 0xFF) << 8 | UInt64(length & 0xFF) << 16
        output.append(littleEndian: lengths | UInt64(type) << 24 | UInt64(flags) << 32 | (id & 0xFF_FFFF) << 40)
        output.append(UInt8(truncatingIfNeeded: id >> 24))
    }

    /// A frame's header alone.
    @inline(__always)
    static func header(_ length: Int, _ type: UInt8, _ flags: UInt8, _ stream: UInt32) -> InlineArray<9, UInt8> {
        [
            UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
            UInt8(truncatingIfNeeded: length), type, flags, UInt8(truncatingIfNeeded: stream >> 24),
            UInt8(truncatingIfNeeded: stream >> 16), UInt8(truncatingIfNeeded: stream >> 8),
            UInt8(truncatingIfNeeded: stream),
        ]
    }

    static func word(_ value: UInt32, to output: inout Buffer) {
        output.append(UInt8(truncatingIfNeeded: value >> 24))
        output.append(UInt8(truncatingIfNeeded: value >> 16))
        output.append(UInt8(truncatingIfNeeded: value >> 8))
        output.append(UInt8(truncatingIfNeeded: value))
    }

    static func reset(_ stream: UInt32, _ code: UInt32, to output: inout Buffer) {
        header(4, FrameType.reset, 0, stream, to: &output)
        word(code, to: &output)
    }

    static func goAway(last: UInt32, _ code: UInt32, to output: inout Buffer) {
        header(8, FrameType.goAway, 0, 0, to: &output)
        word(last, to: &output)
        word(code, to: &output)
    }

    static func windowUpdate(_ stream: UInt32, _ increment: Int, to output: inout Buffer) {
        header(4, FrameType.windowUpdate, 0, stream, to: &output)
        word(UInt32(truncatingIfNeeded: increment), to: &output)
    }
}
