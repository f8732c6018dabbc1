/// A frame of HTTP/2 (RFC 9113 section 4.1), as the simulated world writes and reads it: shares nothing with the gateway's.
struct HTTP2Frame {
    enum Kind: UInt8 {
        case data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let endStream: UInt8 = 1
    static let acknowledges: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8

    /// Nil: of no kind that there is.
    let kind: Kind?
    let flags: UInt8
    let stream: UInt32
    let payload: [UInt8]

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    /// 32 bits of the payload.
    func word(at place: Int) -> UInt32 {
        payload[place..<(place + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func bytes(_ kind: Kind, stream: UInt32 = 0, _ payload: [UInt8]) -> [UInt8] {
        raw(kind.rawValue, 0, stream: stream, payload)
    }

    static func bytes(_ kind: Kind, _ flags: UInt8, stream: UInt32 = 0, _ payload: [UInt8]) -> [UInt8] {
        raw(kind.rawValue, flags, stream: stream, payload)
    }

    static func raw(_ type: UInt8, _ flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let length = word(UInt32(payload.count)).dropFirst()
        return Array(length) + [type, flags] + word(stream) + payload
    }

    static func word(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    static func settings(_ values: [(UInt16, Int)]) -> [UInt8] {
        bytes(.settings, values.flatMap { name, value in [UInt8(name >> 8), UInt8(name & 255)] + word(UInt32(value)) })
    }

    static func windowUpdate(_ stream: UInt32, _ increment: Int) -> [UInt8] {
        bytes(.windowUpdate, stream: stream, word(UInt32(increment)))
    }

    static func reset(_ stream: UInt32, _ code: HTTP2Code) -> [UInt8] {
        bytes(.reset, stream: stream, word(code.rawValue))
    }

    static func goAway(last: UInt32, _ code: HTTP2Code) -> [UInt8] {
        bytes(.goAway, word(last) + word(code.rawValue))
    }
}

/// Why a stream or a connection ends (RFC 9113 section 7).
enum HTTP2Code: UInt32 {
    case noError, protocolError, internalError, flowControlError, settingsTimeout, streamClosed, frameSizeError
    case refusedStream, cancel, compressionError, connectError, enhanceYourCalm, inadequateSecurity, http11Required
}

/// Frames out of bytes that come in pieces.
struct HTTP2FrameReader {
    private var queue = ByteQueue()
    private var header: [UInt8] = []

    mutating func feed(_ bytes: [UInt8]) { queue.append(bytes) }

    /// The next whole frame.
    mutating func next() -> HTTP2Frame? {
        if header.isEmpty {
            guard queue.count >= 9 else { return nil }
            header = queue.take(9)
        }
        let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
        guard queue.count >= length else { return nil }
        let stream = header[5...].reduce(0) { $0 << 8 | UInt32($1) }
        let frame = HTTP2Frame(
            kind: .init(rawValue: header[3]), flags: header[4], stream: stream, payload: queue.take(length))
        header = []
        return frame
    }
}
