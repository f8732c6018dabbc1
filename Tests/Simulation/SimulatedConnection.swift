package import Containers
import EventLoop
package import Net

/// A connection between the gateway and a peer of the simulated world: two directions of bytes, what each end did to it,
/// and what the driver noted about it.
///
///     peer: write ─▶ outbox ─▶ [towardsGateway: wire ─▶ arrived] ─▶ data … of the driver
///     driver: send ─▶ output ─▶ [towardsPeer: wire ─▶ arrived] ─▶ received … of the peer
package final class SimulatedConnection {
    enum ConnectState {
        case pending, succeeded
        case failed(IOFailure)
        /// The gateway was told; or it never had to be (it accepted the connection).
        case reported
    }

    /// How the peer reads.
    package enum Pace {
        case atOnce
        case slowly(bytes: Int, every: Int64)
        /// Leaves everything unread, the end too.
        case never
    }

    package let number: Int
    package let isDownstream: Bool
    package let address: SocketAddress
    unowned let network: SimulatedNetwork
    var peer: (any SimulatedPeer)?

    var towardsGateway: ByteChannel
    var towardsPeer: ByteChannel

    private var isWireBroken = false

    // TLS, where it is spoken.
    lazy var link = SecureLink(&network.random)
    /// The gateway's end.
    var security: SimulatedTLS?
    var isSecuredReported = false
    /// Nothing but `close` makes sense at the gateway's end.
    var isSecurityBroken = false
    var peerSecurity: PeerSecurity?
    /// Why exchanges on it may fail.
    var trouble: String?
    /// No request of it may reach an origin.
    var isForbidden = false

    // The peer's end.
    private var outbox = ByteQueue()
    private var endWanted = false
    /// The peer's socket is closed: what still comes is answered with a reset.
    private(set) var isPeerGone = false
    private var isPeerResetComing = false
    private var isEndDelivered = false
    private var isReadScheduled = false
    package var pace = Pace.atOnce
    /// Bytes that the peer wrote and the network has not taken.
    var outboxCount: Int { outbox.count + (peerSecurity?.unsent.count ?? 0) }
    /// The network has taken some of them.
    var whenTaken: (() -> Void)?

    /// Bytes that still fit into the window towards the peer.
    package var roomTowardsPeer: Int { towardsPeer.room }

    // The gateway's end, kept for the driver.
    /// When a worker took it out of the backlog.
    package internal(set) var acceptedAt = Instant.never
    var connectState = ConnectState.reported
    var owner: UInt64 = 0
    /// Bytes that the gateway gave back unread.
    var partial: [UInt8] = []
    /// Bytes that the gateway sent and the kernel did not take.
    var output = ByteQueue()
    var isWritable = true
    /// Output was left over once; `drained` is owed.
    var isBlocked = false
    /// A `send` promised more in this turn.
    var awaitsMore = false
    /// A `sendInTurn` waits for the end of the turn.
    var isBatched = false
    var isEndWanted = false
    var isPaused = false
    var failure: IOFailure?
    var isFailureReported = false
    var isEndReported = false
    /// The last wait saw something to read.
    var isReadable = false
    var lastReadTurn = -1
    var readsBulk = false
    /// Where the next `relayRest` bytes from the peer go.
    var relayDestination = SocketID.none
    var relayRest = 0
    private(set) var isClosedByGateway = false

    init(number: Int, isDownstream: Bool, address: SocketAddress, network: SimulatedNetwork) {
        self.number = number
        self.isDownstream = isDownstream
        self.address = address
        self.network = network
        let windows = [1_000, 4_096, 65_536, 262_144]
        towardsGateway = ByteChannel(window: windows[network.random.below(4)])
        towardsPeer = ByteChannel(window: windows[network.random.below(4)])
        if network.decides(.networkReset) {
            let at = network.random.below([10, 400, 5_000, 60_000][network.random.below(4)])
            if network.random.below(2) == 0 { towardsGateway.breaksAt = at } else { towardsPeer.breaksAt = at }
        }
    }

    // MARK: The peer's calls

    package func write(_ bytes: [UInt8]) {
        guard !isPeerGone, !endWanted, peerSecurity?.wantsEnd != true else { return }
        putForPeer(peerSecurity.map { sealForPeer(bytes, $0) } ?? bytes)
    }

    /// Puts bytes on the wire as they are.
    func putForPeer(_ bytes: [UInt8]) {
        outbox.append(bytes)
        pump()
    }

    /// Writes bytes that arrive in the same instant as the last ones written. False, and nothing written, when those are
    /// there already or the network would cut between.
    package func writeBehindLast(_ bytes: [UInt8]) -> Bool {
        guard outbox.isEmpty, !isPeerGone, !endWanted, failure == nil, towardsGateway.breaksAt == nil,
            towardsGateway.room >= bytes.count + 64, towardsGateway.lastArrival >= network.now
        else { return false }
        let bytes = peerSecurity.map { sealForPeer(bytes, $0) } ?? bytes
        put(bytes, on: \.towardsGateway, at: towardsGateway.lastArrival) { $0.arriveAtGateway($1) }
        return true
    }

    /// Ends the peer's direction behind what it wrote.
    package func end() {
        if let peerSecurity, !mayEnd(peerSecurity) { return }
        endForPeer()
    }

    /// Ends it without a word.
    func endForPeer() {
        endWanted = true
        pump()
    }

    package func close() { close { $0.end() } }

    /// As `close`, without the word that TLS has for it.
    func closeForPeer() { close { $0.endForPeer() } }

    private func close(_ end: (SimulatedConnection) -> Void) {
        guard !isPeerGone else { return }
        if !towardsPeer.arrived.isEmpty {
            reset()
            return
        }
        isPeerGone = true
        end(self)
    }

    package func reset() {
        guard !isPeerGone else { return }
        isPeerGone = true
        outbox.removeAll()
        resetGateway(after: network.latency())
    }

    /// The peer's close is there at once, as if it had been on its way.
    func closeJustNow() {
        guard !isPeerGone else { return }
        isPeerGone = true
        if outbox.isEmpty, towardsGateway.inFlight == 0 { sayGoodbyeJustNow() }
        towardsGateway.isEndSent = true
        towardsGateway.hasEndArrived = true
        if let peer { network.after(0) { peer.wasReset(self) } }
    }

    // MARK: The wire

    private func pump() {
        while !outbox.isEmpty, towardsGateway.room > 0, failure == nil {
            var count = min(outbox.count, towardsGateway.room, 65_536)
            if count > 1, network.happens(.partialRead) {
                count = network.random.below(4) == 0 ? 1 : 1 + network.random.below(count)
            }
            put(outbox.take(count), on: \.towardsGateway) { connection, bytes in connection.arriveAtGateway(bytes) }
        }
        if endWanted, outbox.isEmpty, !towardsGateway.isEndSent, !isWireBroken {
            towardsGateway.isEndSent = true
            at(orderedIn: \.towardsGateway) { $0.towardsGateway.hasEndArrived = true }
        }
        whenTaken?()
    }

    private func put(
        _ bytes: [UInt8], on channel: ReferenceWritableKeyPath<SimulatedConnection, ByteChannel>,
        at time: Instant? = nil, _ arrive: @escaping (SimulatedConnection, [UInt8]) -> Void
    ) {
        var bytes = bytes
        var breaks = false
        if let limit = self[keyPath: channel].breaksAt, self[keyPath: channel].total + bytes.count >= limit {
            bytes = Array(bytes.prefix(max(0, limit - self[keyPath: channel].total)))
            breaks = true
            self[keyPath: channel].breaksAt = nil
        }
        self[keyPath: channel].total += bytes.count
        self[keyPath: channel].inFlight += bytes.count
        if !bytes.isEmpty { at(orderedIn: channel, after: time?.since(network.now)) { arrive($0, bytes) } }
        if breaks { breakWire() }
    }

    /// Schedules what happens at the receiving end, behind all that was put on the wire before.
    private func at(
        orderedIn channel: ReferenceWritableKeyPath<SimulatedConnection, ByteChannel>, after delay: Int64? = nil,
        _ action: @escaping (SimulatedConnection) -> Void
    ) {
        let time = max(self[keyPath: channel].lastArrival, network.now.advanced(by: delay ?? network.latency()))
        self[keyPath: channel].lastArrival = time
        network.at(time) { action(self) }
    }

    private func breakWire() {
        network.inflicts(.networkReset)
        isWireBroken = true
        outbox.removeAll()
        resetGateway(after: network.latency())
        resetPeer(after: network.latency())
    }

    private func arriveAtGateway(_ bytes: [UInt8]) {
        towardsGateway.inFlight -= bytes.count
        if isClosedByGateway {
            resetPeer(after: network.latency())
        } else if failure == nil {
            towardsGateway.arrived.append(bytes)
        }
    }

    private func resetGateway(after delay: Int64) {
        at(orderedIn: \.towardsGateway, after: delay) { connection in
            guard !connection.isClosedByGateway, connection.failure == nil else { return }
            connection.failure = .reset
            connection.output.removeAll()
            connection.network.note { "connection \(connection.number) is reset at the gateway" }
            if !connection.towardsGateway.arrived.isEmpty, connection.network.happens(.lostOnReset) {
                connection.towardsGateway.arrived.removeAll()
            }
        }
    }

    func resetPeer(after delay: Int64) {
        guard !isPeerResetComing else { return }
        isPeerResetComing = true
        at(orderedIn: \.towardsPeer, after: delay) { connection in
            guard !connection.isPeerGone else { return }
            if !connection.towardsPeer.arrived.isEmpty, connection.network.happens(.lostOnReset) {
                connection.towardsPeer.arrived.removeAll()
            }
            connection.pace = .atOnce
            connection.readByPeer()
            guard !connection.isPeerGone else { return }
            connection.isPeerGone = true
            connection.outbox.removeAll()
            connection.peer?.wasReset(connection)
        }
    }

    private func arriveAtPeer(_ bytes: [UInt8]) {
        towardsPeer.inFlight -= bytes.count
        if isPeerGone {
            resetGateway(after: network.latency())
            return
        }
        towardsPeer.arrived.append(bytes)
        readByPeer()
    }

    private func readByPeer() {
        switch pace {
        case .atOnce:
            while !towardsPeer.arrived.isEmpty, !isPeerGone { deliver(towardsPeer.arrived.take(.max)) }
            noteRoom()
        case .slowly(_, let interval):
            if !towardsPeer.arrived.isEmpty, !isReadScheduled {
                isReadScheduled = true
                network.after(interval) { self.readSlowly() }
            }
        case .never:
            break
        }
        guard towardsPeer.hasEndArrived, towardsPeer.arrived.isEmpty, !isEndDelivered, !isPeerGone else { return }
        isEndDelivered = true
        deliverEnd()
    }

    private func readSlowly() {
        isReadScheduled = false
        if case .slowly(let count, _) = pace, !isPeerGone {
            deliver(towardsPeer.arrived.take(count))
            noteRoom()
        }
        if !isPeerGone { readByPeer() }
    }

    private func noteRoom() {
        if isBlocked, !isWritable, !isClosedByGateway {
            network.after(network.latency()) { self.isWritable = true }
        }
    }

    // MARK: The gateway's kernel

    func failConnect(_ failure: IOFailure) {
        if case .pending = connectState, !isClosedByGateway { connectState = .failed(failure) }
    }

    /// Gives the kernel what is in `output`; what it does not take stays.
    func flush() {
        while !output.isEmpty, isWritable, failure == nil {
            var count = min(output.count, towardsPeer.room)
            if count > 0, network.happens(.partialWrite) {
                count = network.random.below(count)
                isWritable = false
                network.after(network.latency()) { self.isWritable = true }
            }
            if count > 0 {
                put(output.take(count), on: \.towardsPeer) { connection, bytes in connection.arriveAtPeer(bytes) }
            } else {
                isWritable = false
            }
        }
        if output.isEmpty {
            if isEndWanted { sendEnd() }
        } else if failure == nil {
            isBlocked = true
        }
    }

    func takeArrived(_ limit: Int) -> [UInt8] {
        let bytes = towardsGateway.arrived.take(limit)
        if !outbox.isEmpty { network.after(network.latency()) { self.pump() } }
        return bytes
    }

    private func sendEnd() {
        guard !towardsPeer.isEndSent, !isWireBroken else { return }
        towardsPeer.isEndSent = true
        at(orderedIn: \.towardsPeer) { connection in
            connection.towardsPeer.hasEndArrived = true
            connection.readByPeer()
        }
    }

    func shutdownByGateway() {
        isEndWanted = true
        if output.isEmpty { sendEnd() }
    }

    /// Closes as Linux does: unread bytes make it a reset.
    func closeByGateway(isAbort: Bool) {
        isClosedByGateway = true
        output.removeAll()
        partial.removeAll()
        if failure != nil { return }
        if isAbort || !towardsGateway.arrived.isEmpty {
            resetPeer(after: network.latency())
        } else {
            sendEnd()
        }
    }
}
