import Config
package import Containers
import EventLoop
package import Net
import TLS

/// The world outside a worker: time, wires, listening sockets, services. One object that the driver and the harness
/// share; everything runs on one thread and follows from the seed.
package final class SimulatedNetwork {
    package struct Listener {
        package let address: SocketAddress
        package var backlog: [SimulatedConnection] = []
        package var isOpen = true
        /// Drivers that accept on it.
        var holders = 0
    }

    package private(set) var now: Instant
    package var random: RandomSource
    package var faults: FaultPlan
    private var schedule = Schedule()
    /// By descriptor.
    package var listeners: [Int32: Listener] = [:]
    private var services: [SocketAddress: any SimulatedService] = [:]
    private var connectionCount = 0
    /// All that there ever were.
    private var connections: [SimulatedConnection] = []
    /// Moved by `wallClockStep` only.
    package var wallClockOffset: Int64 = 1_800_000_000
    /// What each driver told at its last wait.
    private var figures: [(openSockets: Int, buffers: Int)] = []
    /// Connections on their way from one worker to another.
    private var handedOver: [Int32: SimulatedConnection] = [:]
    private var handOvers: Int32 = 0
    package var handOversCount: Int { Int(handOvers) }
    /// Most bytes that one socket of the driver ever had queued.
    package var queuedBytesMax = 0
    package var buffersOutstandingMax = 0
    /// Most bytes that one stream of HTTP/2 ever held, of either direction.
    package var streamBytesMax = 0
    /// Pieces that the driver moved from socket to socket by itself.
    package var relays = 0
    /// Nothing will ever happen again: no event is on its way and the gateway waits without a deadline.
    package var isQuiescent = false
    /// Events that the driver handed out.
    package var eventCount = 0
    /// When a fault that may hit others last happened.
    package private(set) var lastExcuse = Instant(nanoseconds: .min)
    package private(set) var violations: [String] = []
    /// What happened, when a seed is replayed.
    package var trace: ((String) -> Void)?
    /// When the gateway is told to end, and when it may cut what is not over by then.
    package var endsAt = Instant.never
    package var endedAt = Instant.never
    /// Handshakes of TLS that came to an end in order.
    package var handshakes = 0
    /// What is spoken behind the handshake where clients come in with TLS, and whether a PROXY header stands before.
    private(set) var securedProtocols: [TLSApplicationProtocol] = []
    private(set) var securedIsProxied = false
    /// Connections that the gateway opened and did not close.
    package var upstreamOpen = 0
    package var upstreamOpenMax = 0

    /// Connections of all drivers, and those between two of them.
    package var openSockets: Int { figures.reduce(handedOver.count) { $0 + $1.openSockets } }
    package var buffersOutstanding: Int { figures.reduce(0) { $0 + $1.buffers } }

    package init(seed: UInt64, faults: FaultPlan) {
        random = RandomSource(seed: seed)
        self.faults = faults
        now = Instant(nanoseconds: 1_000_000_000 + Int64(random.below(1 << 40)))
    }

    /// Throws the dice for a fault that happens now.
    package func happens(_ kind: FaultKind) -> Bool {
        guard decides(kind) else { return false }
        inflicts(kind)
        return true
    }

    /// Throws the dice for a fault that is planned now and happens later, if ever.
    package func decides(_ kind: FaultKind) -> Bool { faults.decides(kind, &random) }

    /// A planned fault happens now.
    package func inflicts(_ kind: FaultKind) {
        faults.count(kind)
        if kind.excusesOthers { extendExcuse() }
        note { "fault \(kind)" }
    }

    /// The gateway broke a rule of the driver's contract or of the simulated world.
    package func violate(_ text: String) {
        note { "VIOLATION \(text)" }
        if violations.count < 20 { violations.append(text) }
    }

    /// Says again that a fault is at work: its effect shows only now.
    package func extendExcuse() { excuse(until: now) }

    /// A fault is at work until then.
    func excuse(until time: Instant) { lastExcuse = max(lastExcuse, time) }

    package func note(_ text: () -> String) {
        guard let trace else { return }
        trace("\(now.nanoseconds / 1_000) \(text())")
    }

    // MARK: Drivers

    func addDriver() -> Int {
        figures.append((0, 0))
        return figures.count - 1
    }

    func report(driver: Int, openSockets: Int, buffers: Int) {
        figures[driver] = (openSockets, buffers)
    }

    /// A connection leaves its driver. The number stands for its descriptor, and is one that no process has.
    func handOver(_ connection: SimulatedConnection) -> Int32 {
        handOvers += 1
        handedOver[Self.descriptorBase + handOvers] = connection
        return Self.descriptorBase + handOvers
    }

    func takeOver(_ descriptor: Int32) -> SimulatedConnection? { handedOver.removeValue(forKey: descriptor) }

    /// Nobody takes it over.
    func discard(_ descriptor: Int32) { takeOver(descriptor)?.closeByGateway(isAbort: false) }

    private static let descriptorBase: Int32 = 1 << 29

    // MARK: Time

    package func after(_ nanoseconds: Int64, _ action: @escaping () -> Void) {
        schedule.add(at: now.advanced(by: nanoseconds), action)
    }

    package func at(_ time: Instant, _ action: @escaping () -> Void) {
        schedule.add(at: max(time, now), action)
    }

    package var nextEvent: Instant { schedule.earliest }

    /// Moves the clock and lets everything happen that is due on the way.
    package func advance(to time: Instant) {
        while schedule.earliest <= time {
            now = max(now, schedule.earliest)
            while let action = schedule.popDue(now) { action() }
        }
        now = max(now, time)
    }

    /// What a segment needs from one end to the other.
    func latency() -> Int64 {
        let base = 20_000 + Int64(random.below(300_000))
        return happens(.delay) ? base + Int64(random.below(80_000_000)) : base
    }

    /// Forgets everything that was to come, and with it the ties between the parts of the world.
    package func end() {
        schedule.removeAll()
        for descriptor in listeners.keys { listeners[descriptor]?.backlog.removeAll() }
        handedOver.removeAll()
        services.removeAll()
        // Peers know their connections, and whose requests those carried: without this no world's memory comes back.
        for connection in connections { connection.peer = nil }
        connections.removeAll()
    }

    // MARK: Connections

    package func add(_ service: any SimulatedService) { services[service.address] = service }

    package func openListener(_ descriptor: Int32, address: SocketAddress) {
        listeners[descriptor] = Listener(address: address)
    }

    func noteSecured(_ listener: ListenerConfig) {
        securedProtocols = listener.protocols.map { $0 == .http2 ? .http2 : .http1 }
        securedIsProxied = listener.proxyProtocol != nil
    }

    func listens(_ descriptor: Int32) { listeners[descriptor]?.holders += 1 }

    /// The last one that stops closes it.
    func stopsListening(_ descriptor: Int32) {
        listeners[descriptor]?.holders -= 1
        if listeners[descriptor]?.holders == 0 { closeListener(descriptor) }
    }

    package func closeListener(_ descriptor: Int32) {
        listeners[descriptor]?.isOpen = false
        let waiting = listeners[descriptor]?.backlog ?? []
        listeners[descriptor]?.backlog = []
        for connection in waiting { connection.resetPeer(after: latency()) }
    }

    func makeConnection(isDownstream: Bool, address: SocketAddress) -> SimulatedConnection {
        connectionCount += 1
        let connection = SimulatedConnection(
            number: connectionCount, isDownstream: isDownstream, address: address, network: self)
        connections.append(connection)
        return connection
    }

    /// A client connects. Its kernel is satisfied as soon as the connection stands in the backlog.
    package func connectClient(_ peer: any SimulatedPeer, address: SocketAddress, to descriptor: Int32) {
        let connection = makeConnection(isDownstream: true, address: address)
        connection.peer = peer
        after(latency()) { [self] in
            guard listeners[descriptor]?.isOpen == true else {
                peer.refused(connection)
                return
            }
            note { "client connection \(connection.number) waits to be accepted" }
            listeners[descriptor]?.backlog.append(connection)
            peer.connected(connection)
        }
    }

    /// The gateway connects. Thrown is what a kernel knows at once.
    func connectUpstream(to address: SocketAddress) throws(IOFailureCause) -> SimulatedConnection {
        if happens(.connectThrown) { throw [.exhausted, .noBuffers, .unreachable][random.below(3)] }
        let connection = makeConnection(isDownstream: false, address: address)
        connection.connectState = .pending
        note { "upstream connection \(connection.number) to \(address)" }
        if happens(.connectHangs) {
            // The kernel gives up after two minutes; a gateway should have done so long before.
            after(120_000_000_000) { connection.failConnect(.timedOut) }
            return connection
        }
        let isRefused = happens(.connectRefused)
        after(latency()) { [self] in
            if connection.isClosedByGateway { return }
            guard !isRefused, let service = services[address] else {
                if isRefused { extendExcuse() }
                connection.failConnect(.refused)
                return
            }
            connection.connectState = .succeeded
            let peer = service.accept(connection)
            connection.peer = peer
            peer.connected(connection)
        }
        return connection
    }
}

/// What the network knows of a failed connect at once.
enum IOFailureCause: Error { case exhausted, noBuffers, unreachable }
