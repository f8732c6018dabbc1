import Containers

/// What the two ends of a WebSocket connection send each other, and how it ends.
package struct TunnelPlan: Sendable {
    package enum Ending: Sendable, Equatable {
        case clientCloses(UInt16), originCloses(UInt16)
        /// Gone without a close frame.
        case clientLeaves(resets: Bool), originLeaves(resets: Bool)
        /// Neither says or answers anything more.
        case silence
        /// Number of a frame that no client, or no server, may send.
        case clientBreach(Int), originBreach(Int)
        /// A message of more than the route's limit.
        case clientSendsTooMuch
    }

    package enum Handshake: Sendable { case accepted, refused, wrongKey }

    /// Some frames of one message, or a control frame.
    struct Action: Sendable {
        let frames: [TunnelFrame]
        /// Nanoseconds before it.
        let pause: Int64
    }

    static let messageLimit = 100_000
    static let breachCount = 4

    let handshake: Handshake
    let ending: Ending
    let client: [Action]
    let origin: [Action]

    init(nonce: String, network: SimulatedNetwork) {
        var handshake = Handshake.accepted
        if network.decides(.tunnelRefused) { handshake = .refused }
        if network.decides(.tunnelWrongKey) { handshake = .wrongKey }
        self.handshake = handshake
        ending = Self.drawEnding(network)
        client = Self.actions(nonce, .request, network)
        origin = Self.actions(nonce, .response, network)
    }

    private static func drawEnding(_ network: SimulatedNetwork) -> Ending {
        let isReset = network.random.below(2) == 0
        if network.decides(.tunnelClientBreach) { return .clientBreach(network.random.below(breachCount)) }
        if network.decides(.tunnelOriginBreach) { return .originBreach(network.random.below(breachCount)) }
        if network.decides(.tunnelTooMuch) { return .clientSendsTooMuch }
        if network.decides(.tunnelClientLeaves) { return .clientLeaves(resets: isReset) }
        if network.decides(.tunnelOriginLeaves) { return .originLeaves(resets: isReset) }
        if network.decides(.tunnelSilence) { return .silence }
        let code = UInt16([1_000, 1_001, 3_000, 4_999][network.random.below(4)])
        return isReset ? .clientCloses(code) : .originCloses(code)
    }

    private static func actions(_ nonce: String, _ side: Payload.Side, _ network: SimulatedNetwork) -> [Action] {
        (0..<network.random.below(10)).map { number in
            let pause = network.random.below(3) == 0 ? Int64(network.random.below(300)) * 1_000_000 : 0
            if network.random.below(4) == 0 {
                let payload = Array("\(nonce) ping \(number)".utf8)
                return Action(frames: [TunnelFrame(opcode: 9, payload: payload)], pause: pause)
            }
            let sizes = [0, 1, 125, 126, 127, 1_000, 65_535, 65_536, network.random.below(30_000)]
            let payload = Payload.bytes(nonce, side, count: sizes[network.random.below(9)])
            return Action(frames: fragments(payload, network), pause: pause)
        }
    }

    /// One message in one to three frames, sometimes with a pong between two of them.
    private static func fragments(_ payload: [UInt8], _ network: SimulatedNetwork) -> [TunnelFrame] {
        let count = 1 + network.random.below(3)
        var frames: [TunnelFrame] = []
        var rest = payload[...]
        for index in 0..<count {
            let isLast = index == count - 1
            let part = isLast ? rest : rest.prefix(network.random.below(rest.count + 1))
            rest = rest.dropFirst(part.count)
            var frame = TunnelFrame(opcode: index == 0 ? 2 : 0, payload: Array(part))
            frame.isFinal = isLast
            frame.isCompressed = index == 0 && network.random.below(4) == 0
            frames.append(frame)
            if !isLast, network.random.below(4) == 0 { frames.append(TunnelFrame(opcode: 10, payload: [1, 2, 3])) }
        }
        return frames
    }
}

/// A frame as its sender means it (RFC 6455 section 5.2): written for the tests, shares nothing with the gateway's scanner.
struct TunnelFrame: Sendable, Equatable {
    var opcode: UInt8
    var payload: [UInt8]
    var isFinal = true
    var isCompressed = false

    static func close(_ code: UInt16) -> TunnelFrame {
        TunnelFrame(opcode: 8, payload: [UInt8(code >> 8), UInt8(code & 0xFF)])
    }

    init(opcode: UInt8, payload: [UInt8]) {
        self.opcode = opcode
        self.payload = payload
    }

    var closeCode: UInt16? { payload.count < 2 ? nil : UInt16(payload[0]) << 8 | UInt16(payload[1]) }

    func bytes(mask: UInt32?) -> [UInt8] {
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode]
        let flag: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case 0..<126: bytes.append(flag | UInt8(payload.count))
        case 126..<65_536: bytes += [flag | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            bytes.append(flag | 127)
            for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(payload.count >> shift & 0xFF)) }
        }
        guard let mask else { return bytes + payload }
        let key = [24, 16, 8, 0].map { UInt8(mask >> $0 & 0xFF) }
        bytes += key
        for index in payload.indices { bytes.append(payload[index] ^ key[index & 3]) }
        return bytes
    }
}

/// Takes frames out of a stream by the letter of RFC 6455 section 5.2.
struct TunnelReader {
    struct Malformed: Error { let reason: String }

    let isMasked: Bool
    private var input: [UInt8] = []
    private var at = 0

    init(isMasked: Bool) { self.isMasked = isMasked }

    var isAtBorder: Bool { at == input.count }

    mutating func feed(_ bytes: [UInt8]) {
        input.removeFirst(at)
        at = 0
        input += bytes
    }

    /// The next frame; nil when more bytes are needed.
    mutating func next() throws(Malformed) -> TunnelFrame? {
        let bytes = input[at...]
        guard bytes.count >= 2 else { return nil }
        let (first, second) = (bytes[at], bytes[at + 1])
        if first & 0x30 != 0 { throw Malformed(reason: "reserved bits") }
        if (second & 0x80 != 0) != isMasked { throw Malformed(reason: "a wrong mask bit") }
        var start = at + 2
        var count = Int(second & 0x7F)
        if count >= 126 {
            let width = count == 126 ? 2 : 8
            guard bytes.count >= 2 + width else { return nil }
            count = bytes[start..<(start + width)].reduce(0) { $0 << 8 | Int($1) }
            start += width
        }
        let key = isMasked ? Array(bytes[min(start, bytes.endIndex)..<min(start + 4, bytes.endIndex)]) : []
        if isMasked { start += 4 }
        guard input.count >= start + count else { return nil }
        var frame = TunnelFrame(opcode: first & 15, payload: Array(input[start..<(start + count)]))
        if isMasked { for index in frame.payload.indices { frame.payload[index] ^= key[index & 3] } }
        frame.isFinal = first & 0x80 != 0
        frame.isCompressed = first & 0x40 != 0
        at = start + count
        return frame
    }
}
