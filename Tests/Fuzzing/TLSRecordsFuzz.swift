import Containers
import TLS
import YAML

/// Two ends of a TLS connection and what the network between them does: `[settings][how the handshake is cut][steps]`, two bytes
/// for each step.
///
/// However records are cut, each end reads what the other one wrote and then its end. A byte that is changed, and an end in
/// the middle, never show as content or as an end in order.
enum TLSRecordsFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        var pair: FuzzedPair
        do {
            pair = try FuzzedPair(settings)
        } catch {
            throw FuzzViolation("no pair: \(error)")
        }
        // With settings of its own the handshake itself is hurt.
        try pair.shakeHands(cutBy: parts.byte(), changing: settings & 8 != 0 ? Int(parts.byte()) * 16 : nil)
        while !parts.isEmpty {
            let step = parts.byte()
            try pair.take(step, Int(parts.byte()))
        }
        try pair.finish()
    }
}

/// A client and a server, and the bytes on their way.
struct FuzzedPair: ~Copyable {
    /// One direction.
    private struct Way {
        var wire: [UInt8] = []
        var written: [UInt8] = []
        var read: [UInt8] = []
        var isClosed = false
        var sawEnd = false
        var failed = false
    }

    private var client: TLSStream
    private var server: TLSStream
    private var toServer = Way()
    private var toClient = Way()
    private var clientDone = false
    private var serverDone = false
    /// Something happened to the bytes that TLS has to notice.
    private var isHurt = false

    init(_ settings: UInt8) throws {
        var clientSettings = Self.clientSettings
        clientSettings.maxVersion = settings & 1 == 0 ? nil : .tls12
        let server = settings & 2 == 0 ? try Self.ecdsa.get() : try Self.rsa.get()
        let context = try TLSClientContext(clientSettings)
        let name = TLSPeerName(text: "api.example.com", isAddress: false)
        guard let client = TLSStream(client: context, name: name), let stream = TLSStream(server: server) else {
            throw FuzzViolation("no memory")
        }
        self.client = client
        self.server = stream
    }

    private static let ecdsa = Result { try Self.server("ecdsa") }
    private static let rsa = Result { try Self.server("rsa") }
    private static let clientSettings: TLSClientContext.Settings = {
        var settings = TLSClientContext.Settings()
        settings.authorities = try? bytes("ca.pem")
        return settings
    }()

    private static func server(_ name: String) throws -> TLSServer {
        let settings = TLSServerContext.Settings(policy: [UInt8](repeating: 0, count: 32))
        let identity = TLSServerContext.Identity(chain: try bytes("\(name).pem"), key: try bytes("\(name).key"))
        return TLSServer(standard: try TLSServerContext(settings, identities: [identity]))
    }

    /// A file of the fixtures of TLS.
    private static func bytes(_ name: String) throws(DiskFile.Failure) -> [UInt8] {
        let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return try DiskFile.read("\(tests)/TLSTests/Fixtures/\(name)", limit: 1 << 20)
    }

    // MARK: The handshake

    mutating func shakeHands(cutBy pattern: UInt8, changing place: Int?) throws(FuzzViolation) {
        var place = place
        var isFirst = true
        while isFirst || !toServer.wire.isEmpty || !toClient.wire.isEmpty {
            if let at = place, at < toServer.wire.count {
                toServer.wire[at] ^= 0x20
                isHurt = true
                place = nil
            }
            let before = (toServer.wire.count, toClient.wire.count)
            if !clientDone, !toClient.failed { stepClient(isFirst ? [] : Self.take(&toClient.wire, pattern)) }
            if !serverDone, !toServer.failed, !toServer.wire.isEmpty { stepServer(Self.take(&toServer.wire, pattern)) }
            isFirst = false
            // What is left is content, or for one that has failed.
            if before == (toServer.wire.count, toClient.wire.count) { break }
        }
        try require(isHurt || clientDone && serverDone, "the handshake did not end: \(clientDone), \(serverDone)")
    }

    private static func take(_ wire: inout [UInt8], _ pattern: UInt8) -> [UInt8] {
        let count = min(wire.count, pattern == 255 ? wire.count : 1 + Int(pattern) * 3)
        defer { wire.removeFirst(count) }
        return Array(wire.prefix(count))
    }

    private mutating func stepClient(_ bytes: [UInt8]) {
        var input = Self.buffer(bytes)
        while true {
            var output = Buffer(capacity: 700)
            let step = client.shakeHands(&input, &output)
            toServer.wire += output.copiedBytes()
            switch step {
            case .needsRoom: continue
            case .needsInput: break
            case .done: clientDone = true
            case .failed: toClient.failed = true
            }
            break
        }
        toClient.wire = input.copiedBytes() + toClient.wire
    }

    private mutating func stepServer(_ bytes: [UInt8]) {
        var input = Self.buffer(bytes)
        while true {
            var output = Buffer(capacity: 700)
            let step = server.shakeHands(&input, &output)
            toClient.wire += output.copiedBytes()
            switch step {
            case .needsRoom: continue
            case .needsInput: break
            case .done: serverDone = true
            case .failed: toServer.failed = true
            }
            break
        }
        toServer.wire = input.copiedBytes() + toServer.wire
    }

    private static func buffer(_ bytes: [UInt8]) -> Buffer {
        var buffer = Buffer(capacity: max(1, bytes.count))
        buffer.append(bytes)
        return buffer
    }

    // MARK: Content

    /// What a step is, and how much of it.
    mutating func take(_ step: UInt8, _ count: Int) throws(FuzzViolation) {
        let isTowardsServer = step & 1 == 0
        switch step >> 1 & 7 {
        case 0: write(count * 61 + 1, isTowardsServer)
        case 1, 2: try deliver(count + 1, isTowardsServer, room: 20_000)
        case 3: try deliver(count * 73 + 1, isTowardsServer, room: 1 + count * 16)
        case 4: close(isTowardsServer)
        case 5: change(count, isTowardsServer)
        case 6: drop(count, isTowardsServer)
        default: write(count + 1, isTowardsServer)
        }
    }

    private mutating func write(_ count: Int, _ isTowardsServer: Bool) {
        var way = isTowardsServer ? toServer : toClient
        guard isTowardsServer ? clientDone : serverDone, !way.isClosed else { return }
        let start = way.written.count
        let content = (0..<count).map { UInt8(truncatingIfNeeded: (start + $0) &* 31 &+ (start + $0) >> 8) }
        let buffer = Self.buffer(content)
        var output = Buffer(capacity: TLSStream.sealedCount(of: count))
        let failure =
            isTowardsServer
            ? client.write(buffer, 0..<count, into: &output) : server.write(buffer, 0..<count, into: &output)
        if failure == nil {
            way.written += content
            way.wire += output.copiedBytes()
        }
        set(way, isTowardsServer)
    }

    private mutating func close(_ isTowardsServer: Bool) {
        var way = isTowardsServer ? toServer : toClient
        guard isTowardsServer ? clientDone : serverDone, !way.isClosed else { return }
        var output = Buffer(capacity: 256)
        if isTowardsServer { client.close(&output) } else { server.close(&output) }
        way.isClosed = true
        way.wire += output.copiedBytes()
        set(way, isTowardsServer)
    }

    private mutating func change(_ place: Int, _ isTowardsServer: Bool) {
        var way = isTowardsServer ? toServer : toClient
        guard place < way.wire.count else { return }
        way.wire[place] ^= 1
        isHurt = true
        set(way, isTowardsServer)
    }

    /// Bytes are lost in the middle.
    private mutating func drop(_ count: Int, _ isTowardsServer: Bool) {
        var way = isTowardsServer ? toServer : toClient
        guard !way.wire.isEmpty else { return }
        way.wire.removeFirst(min(way.wire.count, count + 1))
        isHurt = true
        set(way, isTowardsServer)
    }

    private mutating func set(_ way: Way, _ isTowardsServer: Bool) {
        if isTowardsServer { toServer = way } else { toClient = way }
    }

    private mutating func deliver(_ count: Int, _ isTowardsServer: Bool, room: Int) throws(FuzzViolation) {
        var way = isTowardsServer ? toServer : toClient
        guard isTowardsServer ? serverDone : clientDone, !way.failed, !way.sawEnd else { return }
        let count = min(count, way.wire.count)
        var input = Self.buffer(Array(way.wire.prefix(count)))
        way.wire.removeFirst(count)
        var answers: [UInt8] = []
        reading: while true {
            var content = Buffer(capacity: room)
            var step =
                isTowardsServer
                ? server.read(&input, into: &content, limit: room) : client.read(&input, into: &content, limit: room)
            if case .needsRoom = step {
                var output = Buffer(capacity: 2_048)
                step =
                    isTowardsServer
                    ? server.read(&input, into: &content, limit: room, &output)
                    : client.read(&input, into: &content, limit: room, &output)
                answers += output.copiedBytes()
            }
            way.read += content.copiedBytes()
            switch step {
            case .content, .needsRoom: continue
            case .needsInput: break reading
            case .ended:
                way.sawEnd = true
                break reading
            case .failed:
                way.failed = true
                break reading
            }
        }
        set(way, isTowardsServer)
        if isTowardsServer { toClient.wire += answers } else { toServer.wire += answers }
        try check(way)
    }

    private borrowing func check(_ way: Way) throws(FuzzViolation) {
        try require(way.written.starts(with: way.read), "\(way.read.count) bytes that are not what was written")
        try require(isHurt || !way.failed, "an end fails without a reason")
        try require(!way.sawEnd || way.isClosed && way.read == way.written, "an end before the end")
    }

    /// All that is on its way arrives.
    mutating func finish() throws(FuzzViolation) {
        for isTowardsServer in [true, false] {
            try deliver(.max, isTowardsServer, room: 20_000)
            let way = isTowardsServer ? toServer : toClient
            guard !isHurt else { continue }
            try require(way.read == way.written, "\(way.read.count) of \(way.written.count) bytes came")
            try require(way.sawEnd == way.isClosed, "the end of a direction was \(way.sawEnd ? "" : "not ")seen")
        }
    }
}
