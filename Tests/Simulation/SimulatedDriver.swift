package import Containers
package import EventLoop

/// The driver of the simulated world: virtual sockets, virtual time, seeded faults. What the gateway cannot tell from a
/// kernel, a kernel may do; what a contract of `IODriver` forbids is reported as a violation.
package struct SimulatedDriver: IODriver, ~Copyable {
    /// Something that `next` looks at; what comes of it depends on what happened meanwhile.
    private enum Job {
        case wake
        case accept(Int)
        /// Connects, failures, room to write.
        case progress(SocketID)
        case read(SocketID)
    }

    struct Listening {
        let descriptor: Int32
        let number: UInt32
        var pausedUntil: Instant?
        var isStopped = false
    }

    package let network: SimulatedNetwork
    package private(set) var now: Instant
    package var wallClockSeconds: Int64 { network.wallClockOffset + now.nanoseconds / 1_000_000_000 }
    package var wallClockNanoseconds: Int64 { now.nanoseconds % 1_000_000_000 }
    package var buffers = BufferPool()

    var slots: Slab<SimulatedConnection>
    var listening: [Listening] = []
    /// What waits for the end of the turn.
    var batch: [(socket: SocketID, bytes: [UInt8])] = []
    private var jobs: [Job] = []
    private var jobIndex = 0
    var turn = 0
    /// A socket whose event this wait did not see.
    private var heldBack = SocketID.none

    /// Number among the drivers of the world.
    private let index: Int
    /// Somebody else lets time pass, because there are more drivers: a wait returns at once.
    private let isPolled: Bool
    private let wake: SimulatedWake
    /// A wake-up that was not reported yet.
    private var isWakePending = false
    /// Of the last wait.
    private var deadline = Instant.never
    /// The last turn may have changed what is to be waited for.
    private var isUnsettled = true
    /// The worker's thread does not run until then.
    private var stalledUntil = Instant(nanoseconds: .min)
    /// Waits in a row that had nothing to do and were not allowed to wait.
    private var idleTurns = 0
    /// When the first of them came.
    private var idleSince = Instant(nanoseconds: 0)

    let mutation: Mutation?
    var sends = 0

    package init(
        network: SimulatedNetwork, connections: Int, isPolled: Bool = false, wake: SimulatedWake = SimulatedWake(),
        mutation: Mutation? = nil
    ) {
        self.network = network
        self.wake = wake
        self.isPolled = isPolled
        index = network.addDriver()
        self.mutation = mutation
        now = network.now
        slots = Slab(limit: connections)
    }

    // MARK: Waiting

    package mutating func wait(until deadline: Instant) {
        sendBatch()
        let deadline = mutation == .sleepsThroughTimers ? Instant.never : deadline
        if jobIndex < jobs.count { network.violate("a wait before all events were taken") }
        self.deadline = deadline
        turn += 1
        checkLastTurn()
        // The worker's own work takes time.
        network.advance(to: network.now.advanced(by: 500 + Int64(network.random.below(20_000))))
        var isDue = false
        while !collectJobs(), !isPolled {
            let next = min(deadline, network.nextEvent, earliestAccept)
            if next == .never {
                network.isQuiescent = true
                break
            }
            isDue = deadline <= network.now
            if isDue { break }
            network.advance(to: next)
        }
        if isPolled { isDue = deadline <= network.now }
        isUnsettled = isDue || !jobs.isEmpty || isWakePending
        if !isPolled, deadline != .never || !jobs.isEmpty { network.isQuiescent = false }
        noteIdle(isDue && jobs.isEmpty)
        if !isPolled || isUnsettled { passTime() }
        now = network.now
        for index in slots.indices {
            guard let id = slots.key(at: index) else { continue }
            slots[id].isReadable = id != heldBack && (hasInput(slots[id]) || slots[id].failure != nil)
        }
    }

    /// Looking around once a second for an hour is no spinning.
    private mutating func noteIdle(_ isIdle: Bool) {
        if !isIdle || idleTurns == 0 { idleSince = network.now }
        idleTurns = isIdle ? idleTurns + 1 : 0
        guard idleTurns > 2_000 else { return }
        if network.now < idleSince.advanced(by: 1_000 * 1_000_000_000) {
            network.violate("the worker spins: 2000 turns without anything to do")
        }
        idleTurns = 0
    }

    /// Whether a turn has something to do now, or has to say until when it would wait.
    package mutating func isReady() -> Bool {
        if network.now < stalledUntil { return false }
        guard isUnsettled || deadline <= network.now || hasWork() else { return false }
        if network.random.below(100) == 0, network.happens(.stallOne) {
            stalledUntil = network.now.advanced(by: Int64(network.random.below(4_000)) * 1_000_000)
            network.excuse(until: stalledUntil)
            return false
        }
        return true
    }

    /// When it has to be looked at again if nothing happens before.
    package var nextTime: Instant {
        network.now < stalledUntil ? stalledUntil : min(deadline, earliestAccept)
    }

    /// More time may pass than the gateway asked for.
    private mutating func passTime() {
        if !jobs.isEmpty, network.happens(.batch) {
            network.advance(to: network.now.advanced(by: Int64(network.random.below(3_000_000))))
            _ = collectJobs()
        }
        if network.random.below(40) == 0, network.happens(.stall) {
            network.advance(to: network.now.advanced(by: Int64(network.random.below(4_000)) * 1_000_000))
            network.extendExcuse()
            _ = collectJobs()
        }
        if network.random.below(4) == 0, network.happens(.spuriousWake) { isWakePending = true }
        if network.random.below(40) == 0, network.happens(.wallClockStep) {
            network.wallClockOffset += Int64(network.random.below(7_200)) - 3_600
        }
        if isWakePending { jobs.insert(.wake, at: 0) }
    }

    /// The worker has ended.
    package mutating func end() {
        if !batch.isEmpty { network.violate("sends wait for the end of a turn that never comes") }
        checkLastTurn()
    }

    /// What the gateway left undone in the turn before; and figures for the shadow model.
    private mutating func checkLastTurn() {
        var open = 0
        for index in slots.indices {
            guard let id = slots.key(at: index) else { continue }
            open += 1
            let connection = slots[id]
            network.queuedBytesMax = max(network.queuedBytesMax, connection.output.count)
            if connection.awaitsMore, connection.failure == nil {
                network.violate("a send promised more and none came in the same turn")
                connection.awaitsMore = false
            }
        }
        network.report(driver: index, openSockets: open, buffers: buffers.outstanding)
        network.buffersOutstandingMax = max(network.buffersOutstandingMax, buffers.outstanding)
    }

    private var earliestAccept: Instant {
        var earliest = Instant.never
        for listening in listening where !listening.isStopped {
            if let until = listening.pausedUntil, until > network.now { earliest = min(earliest, until) }
        }
        return earliest
    }

    /// Lists what is ready now. False when there is nothing.
    private mutating func collectJobs() -> Bool {
        jobs.removeAll(keepingCapacity: true)
        jobIndex = 0
        if wake.take() { isWakePending = true }
        if isWakePending { jobs.append(.wake) }
        for index in listening.indices where !listening[index].isStopped {
            if let until = listening[index].pausedUntil, until > network.now { continue }
            listening[index].pausedUntil = nil
            let waiting = network.listeners[listening[index].descriptor]?.backlog.count ?? 0
            if waiting > 0 { jobs.append(.accept(index)) }
        }
        let firstSocket = jobs.count
        for index in slots.indices {
            guard let id = slots.key(at: index) else { continue }
            let connection = slots[id]
            if hasProgress(connection) { jobs.append(.progress(id)) }
            if hasInput(connection), !connection.isPaused { jobs.append(.read(id)) }
        }
        if jobs.count - firstSocket > 1, network.happens(.reorder) {
            jobs[firstSocket...].shuffle(using: &network.random)
        }
        heldBack = .none
        if jobs.count - firstSocket > 1, case .read(let id)? = jobs.last, network.happens(.heldBackEvent) {
            heldBack = id
            jobs.removeLast()
        }
        if isWakePending, case .wake? = jobs.first { jobs.removeFirst() }
        return !jobs.isEmpty || isWakePending
    }

    /// Whether `collectJobs` would find anything.
    private mutating func hasWork() -> Bool {
        if wake.take() { isWakePending = true }
        if isWakePending { return true }
        for listening in listening where !listening.isStopped && (listening.pausedUntil ?? now) <= network.now {
            if network.listeners[listening.descriptor]?.backlog.isEmpty == false { return true }
        }
        for index in slots.indices {
            guard let id = slots.key(at: index) else { continue }
            let connection = slots[id]
            if hasProgress(connection) || hasInput(connection) && !connection.isPaused { return true }
        }
        return false
    }

    private func hasProgress(_ connection: SimulatedConnection) -> Bool {
        switch connection.connectState {
        case .pending: return false
        case .succeeded, .failed: return true
        case .reported: break
        }
        if connection.isSecurityBroken { return false }
        if connection.failure != nil {
            // What arrived before the reset is read first, unless the gateway does not want to read.
            let isRead =
                connection.towardsGateway.arrived.isEmpty && !connection.hasUnsealed || connection.isEndReported
            return !connection.isFailureReported && (isRead || connection.isPaused)
        }
        return connection.isBlocked && connection.isWritable
    }

    func hasInput(_ connection: SimulatedConnection) -> Bool {
        guard !connection.isFailureReported, case .reported = connection.connectState else { return false }
        if let security = connection.security {
            if connection.isEndReported || connection.isSecurityBroken { return false }
            if connection.hasUnsealed || !security.input.isEmpty { return true }
        }
        if !connection.towardsGateway.arrived.isEmpty { return true }
        return connection.towardsGateway.hasEndArrived && !connection.isEndReported && connection.failure == nil
    }

    // MARK: Events

    package mutating func next() -> IOEvent? {
        while jobIndex < jobs.count {
            let job = jobs[jobIndex]
            switch job {
            case .wake:
                jobIndex += 1
                guard isWakePending else { continue }
                isWakePending = false
                network.eventCount += 1
                return .woken
            case .accept(let index):
                if let event = accept(index) {
                    network.eventCount += 1
                    return event
                }
                jobIndex += 1
            case .progress(let id):
                jobIndex += 1
                if let event = progress(id) {
                    network.eventCount += 1
                    return event
                }
            case .read(let id):
                jobIndex += 1
                if let event = read(id) {
                    network.eventCount += 1
                    return event
                }
            }
        }
        return nil
    }

    private mutating func accept(_ index: Int) -> IOEvent? {
        let descriptor = listening[index].descriptor
        guard !listening[index].isStopped, listening[index].pausedUntil == nil,
            let connection = network.listeners[descriptor]?.backlog.first
        else { return nil }
        if network.happens(.acceptPause) {
            listening[index].pausedUntil = now.advanced(by: 100_000_000)
            return nil
        }
        guard let id = slots.insert(connection) else {
            network.violate("more sockets than the driver's limit")
            return nil
        }
        network.listeners[descriptor]?.backlog.removeFirst()
        connection.acceptedAt = network.now
        network.note { "accepted connection \(connection.number)" }
        return .accepted(id, listener: listening[index].number, peer: connection.address)
    }

    private mutating func progress(_ id: SocketID) -> IOEvent? {
        guard slots.contains(id) else { return nil }
        let connection = slots[id]
        switch connection.connectState {
        case .pending:
            return nil
        case .succeeded:
            connection.connectState = .reported
            network.note { "connected \(connection.number)" }
            return .connected(id)
        case .failed(let failure):
            connection.connectState = .reported
            connection.failure = failure
            connection.isFailureReported = true
            network.note { "connect \(connection.number) failed: \(failure)" }
            return .failed(id, failure)
        case .reported:
            break
        }
        if let failure = connection.failure {
            guard !connection.isFailureReported else { return nil }
            connection.isFailureReported = true
            network.note { "failed \(connection.number): \(failure)" }
            return mutation == .takesResetForEnd ? .endOfStream(id) : .failed(id, failure)
        }
        guard connection.isBlocked, connection.isWritable else { return nil }
        connection.flush()
        guard connection.output.isEmpty else { return nil }
        connection.isBlocked = false
        if mutation == .missesDrained { return nil }
        network.note { "drained \(connection.number)" }
        return .drained(id)
    }

    private mutating func read(_ id: SocketID) -> IOEvent? {
        guard slots.contains(id) else { return nil }
        let connection = slots[id]
        guard !connection.isPaused, hasInput(connection) else { return nil }
        if let security = connection.security { return readSealed(id, connection, security) }
        if connection.towardsGateway.arrived.isEmpty {
            connection.isEndReported = true
            network.note { "end of stream \(connection.number)" }
            return .endOfStream(id)
        }
        if connection.relayRest > 0, let event = relayed(id, connection) { return event }
        var buffer: Buffer
        let partial = connection.partial
        if partial.isEmpty {
            buffer = buffers.take(connection.readsBulk ? .bulk : .message)
        } else {
            connection.partial = []
            let needed = partial.count >= BufferPool.messageBytes ? partial.count * 2 : BufferPool.messageBytes
            buffer = buffers.take(atLeast: needed)
            buffer.append(partial)
        }
        let room = buffer.tailroom - BufferPool.tailroom
        let bytes = connection.takeArrived(room)
        connection.readsBulk = bytes.count == room
        connection.lastReadTurn = turn
        connection.isReadable = false
        buffer.append(bytes)
        network.note { "data \(connection.number): \(partial.count) + \(bytes.count)" }
        comeAgain(id, connection)
        return .data(id, buffer)
    }

    /// Like a kernel's socket that had more than fits: it comes again in this turn, behind the others.
    mutating func comeAgain(_ id: SocketID, _ connection: SimulatedConnection) {
        if hasInput(connection) { jobs.append(.read(id)) }
    }
}
