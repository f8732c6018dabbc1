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
    /// Keys of TLS sessions, for the gateway process after this one.
    case keepSessionKeys([UInt8])
    /// Asks for those that the process before left; answered under the same number.
    case askSessionKeys(number: UInt32)
    /// The file was read again and changed nothing, for this reason.
    case reloadFailed(String)
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
        case .keepSessionKeys(let keys):
            writer.write(UInt8(7))
            writer.write(keys)
        case .askSessionKeys(let number):
            writer.write(UInt8(8))
            writer.write(number)
        case .reloadFailed(let reason):
            writer.write(UInt8(9))
            writer.write(reason)
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
        case 7: self = .keepSessionKeys(try reader.blob())
        case 8: self = .askSessionKeys(number: try reader.number32())
        case 9: self = .reloadFailed(try reader.text())
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
    /// What the process before left; empty: nothing.
    case sessionKeys(number: UInt32, [UInt8])

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
        case .sessionKeys(let number, let keys):
            writer.write(UInt8(3))
            writer.write(number)
            writer.write(keys)
        }
        return writer.bytes
    }

    init(bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        switch try reader.byte() {
        case 1: self = .sockets(number: try reader.number32())
        case 2: self = .bindFailed(number: try reader.number32(), reason: try reader.text())
        case 3: self = .sessionKeys(number: try reader.number32(), try reader.blob())
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
