import Simulation

/// One direction of an HTTP/2 connection, read frame by frame with arrays: what each stream says, and the first thing in
/// which no reader can agree.
struct NaiveStreams {
    struct Stream {
        /// The fields of each field block, each line with its CRLF.
        var blocks: [[UInt8]] = []
        var content: [UInt8] = []
        /// Content and padding.
        var contentBytes = 0
        var isEnded = false
        var resetCode: Int?

        /// The first value of a field in a block.
        func value(_ name: String, in block: Int = 0) -> [UInt8]? {
            guard block < blocks.count else { return nil }
            let start = Array("\(name): ".utf8)
            var rest = blocks[block][...]
            while !rest.isEmpty {
                if rest.starts(with: start) { return Array(rest.dropFirst(start.count).prefix { $0 != 0x0D }) }
                rest = rest.drop { $0 != 0x0A }.dropFirst()
            }
            return nil
        }

        func text(_ name: String, in block: Int = 0) -> String? {
            value(name, in: block).map { String(decoding: $0, as: UTF8.self) }
        }

        /// The place of the block that is no interim answer.
        var finalBlock: Int? { blocks.indices.first { value(":status", in: $0)?.first != 0x31 } }
    }

    private(set) var streams: [Int: Stream] = [:]
    /// In the order in which they began.
    private(set) var order: [Int] = []
    /// Last stream and code of each GOAWAY.
    private(set) var goAways: [(last: Int, code: Int)] = []
    /// Increments by stream, and of the connection under 0.
    private(set) var increments: [Int: Int] = [:]
    /// Values of SETTINGS_INITIAL_WINDOW_SIZE.
    private(set) var initialWindows: [Int] = []
    /// Whether the first frame holds one of them.
    private(set) var beginsWithWindow = false
    private(set) var frameCount = 0
    /// Why reading ended before the bytes.
    private(set) var fault: String?
    /// A frame that has begun.
    private(set) var rest: [UInt8] = []
    private var hpack = NaiveHPACK()
    private var open: (stream: Int, isEnd: Bool, bytes: [UInt8])?

    mutating func feed(_ bytes: [UInt8]) {
        rest += bytes
        var at = 0
        while fault == nil, rest.count - at >= 9 {
            let length = Int(rest[at]) << 16 | Int(rest[at + 1]) << 8 | Int(rest[at + 2])
            if length > 16_384 {
                fault = "a frame of \(length) bytes"
                break
            }
            guard rest.count - at >= 9 + length else { break }
            let stream = rest[(at + 5)..<(at + 9)].reduce(0) { $0 << 8 | Int($1) } & 0x7FFF_FFFF
            take(rest[at + 3], rest[at + 4], stream, Array(rest[(at + 9)..<(at + 9 + length)]))
            frameCount += 1
            at += 9 + length
        }
        rest.removeFirst(at)
    }

    private mutating func take(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) {
        if open != nil, type != 9 {
            fault = "frame \(type) in a field block"
            return
        }
        switch type {
        case 0:
            // What comes behind the end breaks a rule and is nobody's.
            guard let content = unpadded(payload, flags), streams[stream]?.isEnded != true else { return }
            streams[stream, default: Stream()].content += content
            streams[stream]?.contentBytes += payload.count
            if flags & 1 != 0 { streams[stream]?.isEnded = true }
        case 1:
            guard var block = unpadded(payload, flags) else { return }
            if flags & 0x20 != 0 {
                if block.count < 5 { fault = "a priority that is cut" }
                block = Array(block.dropFirst(5))
            }
            open = (stream, flags & 1 != 0, block)
            if flags & 4 != 0 { closeBlock() }
        case 9:
            guard open?.stream == stream else {
                fault = "CONTINUATION of stream \(stream)"
                return
            }
            open?.bytes += payload
            if flags & 4 != 0 { closeBlock() }
        default: takeControl(type, flags, stream, payload)
        }
    }

    private mutating func takeControl(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) {
        func number(_ at: Int) -> Int { payload.dropFirst(at).prefix(4).reduce(0) { $0 << 8 | Int($1) } }
        switch type {
        case 3:
            if payload.count != 4 { fault = "RST_STREAM of \(payload.count) bytes" }
            streams[stream, default: Stream()].resetCode = number(0)
        case 4 where flags & 1 == 0:
            for at in stride(from: 0, to: payload.count - 5, by: 6) where payload[at] == 0 && payload[at + 1] == 4 {
                initialWindows.append(number(at + 2))
                if frameCount == 0 { beginsWithWindow = true }
            }
        case 7:
            if payload.count < 8 { fault = "GOAWAY of \(payload.count) bytes" }
            goAways.append((number(0) & 0x7FFF_FFFF, number(4)))
        case 8:
            if payload.count != 4 { fault = "WINDOW_UPDATE of \(payload.count) bytes" }
            increments[stream, default: 0] += number(0) & 0x7FFF_FFFF
        default: break
        }
    }

    private mutating func unpadded(_ payload: [UInt8], _ flags: UInt8) -> [UInt8]? {
        guard flags & 8 != 0 else { return payload }
        guard let padding = payload.first, Int(padding) < payload.count else {
            fault = "more padding than there is"
            return nil
        }
        return Array(payload.dropFirst().dropLast(Int(padding)))
    }

    private mutating func closeBlock() {
        guard let block = open else { return }
        open = nil
        guard let lines = hpack.decode(block.bytes) else {
            fault = "a broken field block"
            return
        }
        if streams[block.stream] == nil { order.append(block.stream) }
        streams[block.stream, default: Stream()].blocks.append(lines)
        if block.isEnd { streams[block.stream]?.isEnded = true }
    }

    /// Content of a stream in a frame that has not come to its end.
    func begunContent(_ stream: Int) -> [UInt8] {
        guard fault == nil, rest.count > 9, rest[3] == 0, streams[stream]?.isEnded != true,
            rest[5..<9].reduce(0, { $0 << 8 | Int($1) }) & 0x7FFF_FFFF == stream
        else { return [] }
        guard rest[4] & 8 != 0 else { return Array(rest.dropFirst(9)) }
        let length = Int(rest[0]) << 16 | Int(rest[1]) << 8 | Int(rest[2])
        return Array(rest.dropFirst(10).prefix(max(0, length - 1 - Int(rest[9]))))
    }

    /// The most content that the peer's windows ever allowed on a stream, 0 for the connection. Lower than it is only where the
    /// windows were said first of all.
    func allowance(_ stream: Int) -> Int {
        if stream == 0 { return 65_535 + (increments[0] ?? 0) }
        let said = initialWindows.max() ?? 65_535
        return (beginsWithWindow ? said : max(65_535, said)) + (increments[stream] ?? 0)
    }
}
