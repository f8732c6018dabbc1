/// What the gateway process says to its supervisor. Descriptors travel beside the bytes.
enum GatewayRequest: Equatable {
    /// Asks for listening sockets; answered under the same number.
    case bind(number: UInt32, ListenSpec)
    /// A reload failed: these were bound for it and are not needed.
    case release([ListenSpec])
    /// What the configuration that comes next wants of the supervisor.
    case settings(SupervisorSettings)
    /// A configuration is in force; comes with the snapshot's sealed memory file. The listed sockets are in use, others may go.
    case published(generation: UInt64, [ListenSpec])
    /// The gateway serves: a restart from now on begins with the last snapshot.
    case ready
    /// The gateway ends by itself; no socket is needed any more.
    case draining

    var bytes: [UInt8] {
        var writer = MessageWriter()
        switch self {
        case .bind(let number, let spec):
            writer.write(UInt8(1))
            writer.write(number)
            writer.write(spec)
        case .release(let specs):
            writer.write(UInt8(2))
            writer.write(specs)
        case .published(let generation, let specs):
            writer.write(UInt8(3))
            writer.write(generation)
            writer.write(specs)
        case .ready:
            writer.write(UInt8(4))
        case .draining:
            writer.write(UInt8(5))
        case .settings(let settings):
            writer.write(UInt8(6))
            writer.write(settings)
        }
        return writer.bytes
    }

    init(bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        switch try reader.byte() {
        case 1: self = .bind(number: try reader.number32(), try reader.listenSpec())
        case 2: self = .release(try reader.listenSpecs())
        case 3: self = .published(generation: try reader.number64(), try reader.listenSpecs())
        case 4: self = .ready
        case 5: self = .draining
        case 6: self = .settings(try reader.supervisorSettings())
        default: throw MalformedMessage()
        }
        try reader.finish()
    }
}

/// What the supervisor answers.
enum SupervisorReply: Equatable {
    /// The sockets come with the message, one or more.
    case sockets(number: UInt32)
    case bindFailed(number: UInt32, reason: String)

    var bytes: [UInt8] {
        var writer = MessageWriter()
        switch self {
        case .sockets(let number):
            writer.write(UInt8(1))
            writer.write(number)
        case .bindFailed(let number, let reason):
            writer.write(UInt8(2))
            writer.write(number)
            writer.write(reason)
        }
        return writer.bytes
    }

    init(bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        switch try reader.byte() {
        case 1: self = .sockets(number: try reader.number32())
        case 2: self = .bindFailed(number: try reader.number32(), reason: try reader.text())
        default: throw MalformedMessage()
        }
        try reader.finish()
    }
}

extension MessageWriter {
    fileprivate mutating func write(_ specs: [ListenSpec]) {
        write(UInt32(clamping: specs.count))
        for spec in specs { write(spec) }
    }
}

extension MessageReader {
    fileprivate mutating func listenSpecs() throws(MalformedMessage) -> [ListenSpec] {
        var specs: [ListenSpec] = []
        for _ in 0..<(try number32()) { specs.append(try listenSpec()) }
        return specs
    }
}
