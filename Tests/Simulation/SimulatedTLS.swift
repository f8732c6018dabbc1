import Containers
import EventLoop
import TLS

/// What both ends of a connection know that speak TLS.
final class SecureLink {
    let key: UInt64
    /// What OpenSSL says in each flight of the handshake. It goes from end to end beside the wire, on which stand records of lengths that
    /// the seed gives: keys and signatures depend on chance that no seed replays, what ends agree on does not.
    var flights: [[UInt8]] = []
    var random: RandomSource

    init(_ random: inout RandomSource) {
        key = random.next()
        self.random = RandomSource(seed: random.next())
    }
}

/// One end of a connection's TLS: handshakes, certificates, protocols, sessions and alerts are OpenSSL's, records are the world's.
///
///     shaking hands ─▶ open ─▶ ended          every state ─▶ failed
final class SimulatedTLS {
    private var stream: TLSStream
    private let link: SecureLink
    private var reader: SecureReader
    private var sealer: RecordSealer
    let isServer: Bool
    private(set) var isOpen = false
    /// No record of the peer has come.
    private(set) var isUntouched = true
    private(set) var failure: TLSFailure?
    private(set) var sawEnd = false
    private(set) var saidEnd = false
    /// Unsealed, and not taken.
    var content = ByteQueue()
    /// Came, and was not looked at.
    var input: [UInt8] = []
    /// Flights that are to be sent.
    private var output: [UInt8] = []
    /// What came is no record of this connection.
    private(set) var sawNoRecord = false

    init(_ stream: consuming TLSStream, _ link: SecureLink) {
        isServer = stream.isServer
        self.stream = stream
        self.link = link
        let (up, down) = (link.key, link.key ^ 0x5A5A_5A5A_0F0F_0F0F)
        reader = SecureReader(key: isServer ? up : down)
        sealer = RecordSealer(key: isServer ? down : up)
    }

    var facts: SecurityFacts { SecurityFacts(stream) }
    func takeSession() -> TLSSession? { stream.takeSession() }

    func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    // MARK: Sending

    /// A client speaks first.
    func sayHello() { shake([]) }

    func seal(_ content: [UInt8], most: Int = RecordSealer.mostContent) -> [UInt8] { sealer.seal(content, most: most) }

    func closeNotify() -> [UInt8] {
        saidEnd = true
        return sealer.closeNotify()
    }

    private func say(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        link.flights.append(bytes)
        output += sealer.flight(link.flights.count - 1, &link.random)
    }

    // MARK: Receiving

    /// Takes what came off the wire.
    func take(_ bytes: [UInt8]) {
        isUntouched = isUntouched && bytes.isEmpty
        reader.feed(bytes)
        while failure == nil, !sawEnd, let record = reader.next() {
            switch record {
            case .flight(nil): continue
            case .flight(let index?) where index < link.flights.count:
                if isOpen { takeMessages(link.flights[index]) } else { shake(link.flights[index]) }
            case .content(let bytes) where isOpen: content.append(bytes)
            case .closeNotify where isOpen: sawEnd = true
            case .flight, .content, .closeNotify, .broken: breakOff()
            }
        }
    }

    private func shake(_ bytes: [UInt8]) {
        var input = Self.buffer(bytes)
        var said: [UInt8] = []
        shaking: while true {
            var output = Buffer(capacity: 8_192)
            let step = stream.shakeHands(&input, &output)
            said += Self.bytes(output)
            switch step {
            case .needsRoom: continue
            case .needsInput: break shaking
            case .done:
                isOpen = true
                break shaking
            case .failed(let found):
                failure = found
                break shaking
            }
        }
        say(said)
        if isOpen, !input.isEmpty { takeMessages(Self.bytes(input)) }
    }

    /// What comes in a handshake's records behind it: sessions to come back with, alerts.
    private func takeMessages(_ bytes: [UInt8]) {
        var input = Self.buffer(bytes)
        while failure == nil {
            var content = Buffer(capacity: 1_024)
            var output = Buffer(capacity: 8_192)
            let step = stream.read(&input, into: &content, limit: 1_024, &output)
            say(Self.bytes(output))
            switch step {
            case .needsRoom, .content: continue
            case .needsInput, .ended: return
            case .failed(let found): failure = found
            }
        }
    }

    /// OpenSSL says what it says to bytes that are none of TLS.
    private func breakOff() {
        sawNoRecord = true
        let garbage =
            isOpen ? [23, 3, 3, 0, 32] + [UInt8](repeating: 0xDB, count: 32) : Array(repeating: 0xDB, count: 32)
        if isOpen { takeMessages(garbage) } else { shake(garbage) }
    }

    private static func buffer(_ bytes: [UInt8]) -> Buffer {
        var buffer = Buffer(capacity: max(1, bytes.count))
        buffer.append(bytes)
        return buffer
    }

    private static func bytes(_ buffer: borrowing Buffer) -> [UInt8] {
        unsafe buffer.withReadable { unsafe Array(UnsafeRawBufferPointer(start: $0, count: $1)) }
    }
}
