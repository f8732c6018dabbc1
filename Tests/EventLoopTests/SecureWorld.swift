import Containers
import EventLoop
import Linux
import Net
import TLS

/// A driver with TLS connections whose both ends are its own, and the wires between them in the hands of the test:
///
///     client ══ wires ══ server                                              one connection
///     client ══ wires ══ server ─ content ─ client ══ wires ══ server        two, the ends in the middle pass on what comes
///
/// Everything but the kernel's timing follows from a seed.
final class SecureWorld {
    private var driver: EpollDriver
    private let listener: FileDescriptor
    private let address: SocketAddress
    private let path: String?
    private var random: RandomSource
    private let plan: SecurePlan

    private var plugs: [Plug] = []
    private(set) var ends: [SecureEnd] = []
    /// Towards the server and towards the client, for each connection.
    private(set) var wires: [CuttingWire] = []
    private(set) var problems: [String] = []
    private var turn = 0
    private var quietTurns = 0
    private var hurriedTurns = 0
    private var hasEvents = false

    init(seed: UInt64) throws {
        Process.ignoreFailedWrites()
        random = RandomSource(seed: seed ^ 0x71_5EED)
        plan = SecurePlan(&random)
        path = plan.isUnix ? "/tmp/martlet-tls-\(Process.id)-\(Clock.randomSeed()).sock" : nil
        listener = try Socket.listen(
            on: path.map { .unix(path: $0) } ?? .ip(.v4(0x7F00_0001), port: 0), backlog: 128)
        address = try Socket.localAddress(listener.number)
        driver = try EpollDriver.make(connections: 8, wake: try Wakeup(), pipes: 0)
        for index in 0..<plan.connections { try connect(index) }
        if plan.connections == 2 { (ends[1].partner, ends[2].partner) = (ends[2], ends[1]) }
        for end in ends {
            if !end.isServer || !end.beginsLate { try secure(end) }
        }
    }

    deinit {
        if let path { try? SocketFile.remove(path) }
    }

    private func connect(_ index: Int) throws {
        for isServer in [false, true] {
            let isOuter = isServer ? index == plan.connections - 1 : index == 0
            let end = SecureEnd(
                try open(), isServer: isServer,
                outgoing: isOuter ? SecurePlan.content(plan.sizes[isServer ? 1 : 0], isServer) : [])
            end.beginsLate = isServer && plan.beginsLate
            end.endsLast = isServer == plan.serverEndsLast
            ends.append(end)
        }
        let (client, server) = (plugs[2 * index], plugs[2 * index + 1])
        for (direction, from, to) in [(0, client, server), (1, server, client)] {
            wires.append(
                CuttingWire(
                    from: from, to: to, cuts: plan.cuts, fault: plan.place == 2 * index + direction ? plan.fault : nil,
                    limit: plan.held))
        }
    }

    private func open() throws -> SocketID {
        var isPending = false
        plugs.append(Plug(try Socket.connect(to: address, isPending: &isPending)))
        _ = Poll.wait([listener.number], milliseconds: 5_000)
        var peer = address
        let accepted = try Socket.accept(listener.number, peer: &peer)
        guard let socket = driver.adopt(accepted.release()) else { throw Errno.tooManyFiles }
        return socket
    }

    private func secure(_ end: SecureEnd) throws {
        let stream =
            end.isServer
            ? TLSStream(server: try plan.server())
            : TLSStream(client: try plan.client(), name: TLSPeerName(text: plan.name, isAddress: false))
        guard let stream else { throw Errno.noMemory }
        driver.secure(end.socket, stream)
    }

    // MARK: Turns

    /// Runs until all is over, and looks at what came of it.
    func run() {
        while !ends.allSatisfy(\.isOver), problems.isEmpty, turn < 60_000 {
            takeTurn()
            if quietTurns > 500 { break }
        }
        if !ends.allSatisfy(\.isOver) {
            // A length that was changed may announce bytes that never come.
            if !plan.isChanged || !wires.contains(where: \.hasFaultHappened) {
                problems.append("stands still after \(turn) turns: \(ends.map { describe($0) })")
            }
            for end in ends { abort(end) }
        }
        for wire in wires { wire.swallow() }
        SecureCheck(plan: plan, ends: ends, wires: wires).run(&problems)
        if driver.buffers.outstanding != 0 {
            problems.append("\(driver.buffers.outstanding) buffers are not given back")
        }
        if driver.openCount != 0 || driver.secureCount != 0 {
            problems.append("\(driver.openCount) connections and \(driver.secureCount) streams of TLS are left")
        }
    }

    private func describe(_ end: SecureEnd) -> String {
        let queued = driver.queuedBytes(end.socket)
        let ends =
            "\(end.isSecured ? "" : "no ")TLS, \(end.sawEnd ? "saw" : "no") end, \(end.saidEnd ? "said" : "no") end"
        return "\(end.isServer ? "server" : "client") sent \(end.sent), got \(end.all.count), queued \(queued), \(ends)"
    }

    private func takeTurn() {
        turn += 1
        var hasMoved = false
        for wire in wires where wire.turn(&random) { hasMoved = true }
        for end in ends where end.resumesAt.map({ $0 <= turn }) == true {
            end.resumesAt = nil
            driver.resume(end.socket)
            hasMoved = true
        }
        let begun = Clock.monotonic
        let most: Int64 = hasMoved ? 0 : 200_000
        driver.wait(until: begun.advanced(by: most))
        let waited = Clock.monotonic.since(begun)
        hasEvents = false
        while let event = driver.next() { note(event) }
        let isWaiting = ends.contains { $0.resumesAt != nil } || wires.contains { !$0.isIdle }
        quietTurns = hasMoved || hasEvents || isWaiting ? 0 : quietTurns + 1
        // Nothing has come and nothing has happened: a driver that returns at once all the same would do so for ever.
        hurriedTurns = !hasMoved && !hasEvents && waited < most / 2 ? hurriedTurns + 1 : 0
        if hurriedTurns > 8 { problems.append("spins") }
    }

    private func note(_ event: consuming IOEvent) {
        hasEvents = true
        switch consume event {
        case .secured(let socket): find(socket).map(secured)
        case .data(let socket, let buffer): received(socket, buffer)
        case .endOfStream(let socket): find(socket).map(ended)
        case .failed(let socket, let failure): find(socket).map { failed($0, failure) }
        case .drained(let socket): find(socket).map(drained)
        default: problems.append("an event that nobody asked for")
        }
    }

    private func find(_ socket: SocketID) -> SecureEnd? {
        guard let end = ends.first(where: { $0.socket == socket }), !end.isClosed else {
            problems.append("an event of a closed connection")
            return nil
        }
        if end.failure != nil { problems.append("an event behind the last") }
        return end
    }

    private func secured(_ end: SecureEnd) {
        guard !end.isSecured, let facts = driver.security(end.socket) else {
            problems.append("secured twice, or not at all")
            return
        }
        end.isSecured = true
        end.overhead = facts.version == 0x0304 ? 17 : facts.cipher.contains("GCM") ? 24 : 16
        if let partner = end.partner {
            // Until then nothing may be sent there.
            if !partner.isSecured { driver.pause(end.socket) } else { driver.resume(partner.socket) }
        }
        sendMore(end)
    }

    private func received(_ socket: SocketID, _ buffer: consuming Buffer) {
        guard let end = find(socket) else {
            driver.buffers.give(buffer)
            return
        }
        if end.beginsLate {
            end.beginsLate = false
            driver.unread(socket, buffer)
            do { try secure(end) } catch { problems.append("no TLS: \(error)") }
            return
        }
        if !end.isSecured, plan.isChanged, end.isServer {
            // Its first byte does not look like TLS any more.
            driver.buffers.give(buffer)
            failed(end, .reset)
            return
        }
        if !end.isSecured || end.sawEnd || buffer.isEmpty {
            problems.append("content before its time, or behind the end")
        }
        if let partner = end.partner {
            if partner.isClosed || partner.saidEnd {
                driver.buffers.give(buffer)
            } else {
                driver.send(partner.socket, buffer, more: false)
                if driver.queuedBytes(partner.socket) > 65_536 { driver.pause(socket) }
            }
            return
        }
        let bytes = DriverScene.bytes(buffer)
        if !bytes.starts(with: end.unread) { problems.append("what was given back does not come again") }
        let total = end.received.count + bytes.count
        // More has to come, or nothing brings it back.
        if end.unread.isEmpty, bytes.count < 10_000, total < plan.sizes[end.isServer ? 0 : 1], random.below(4) == 0 {
            end.unread = bytes
            driver.unread(socket, buffer)
        } else {
            end.unread = []
            end.received += bytes
            driver.buffers.give(buffer)
        }
        if end.resumesAt == nil, random.below(plan.pauses) == 0 {
            driver.pause(socket)
            end.resumesAt = turn + 1 + random.below(20)
        }
        if end.sent == end.outgoing.count { finish(end) }
    }

    private func ended(_ end: SecureEnd) {
        if end.beginsLate {
            // Nothing has come at all.
            failed(end, .truncated)
            return
        }
        if !end.isSecured || end.sawEnd { problems.append("an end before its time, or the second one") }
        end.sawEnd = true
        if let partner = end.partner, !partner.isClosed {
            driver.shutdownWrite(partner.socket)
            partner.saidEnd = true
            closeIfOver(partner)
        }
        finish(end)
        closeIfOver(end)
    }

    private func failed(_ end: SecureEnd, _ failure: IOFailure) {
        end.failure = failure
        abort(end)
        if let partner = end.partner { abort(partner) }
    }

    private func drained(_ end: SecureEnd) {
        if let source = end.partner, !source.isClosed, source.isSecured, end.isSecured { driver.resume(source.socket) }
        sendMore(end)
        closeIfOver(end)
    }

    // MARK: Sending

    private func sendMore(_ end: SecureEnd) {
        guard end.partner == nil, end.isSecured else { return }
        while end.sent < end.outgoing.count {
            if driver.queuedBytes(end.socket) >= 100_000 {
                driver.flush(end.socket)
                // What was only held back is gone: nobody says so.
                if driver.queuedBytes(end.socket) > 0 { break }
            }
            let count = min(end.outgoing.count - end.sent, plan.piece(&random))
            var buffer = driver.buffers.take(atLeast: count)
            buffer.append(Array(end.outgoing[end.sent..<(end.sent + count)]))
            end.sent += count
            switch random.below(4) {
            case 0:
                driver.send(end.socket, copyOf: buffer)
                driver.buffers.give(buffer)
            case 1:
                driver.send(end.socket, buffer, more: true)
                if random.below(2) == 0 || end.sent == end.outgoing.count { driver.flush(end.socket) }
            case 2: driver.sendInTurn(end.socket, buffer)
            default: driver.send(end.socket, buffer, more: false)
            }
        }
        driver.flush(end.socket)
        if end.sent == end.outgoing.count { finish(end) }
    }

    private func finish(_ end: SecureEnd) {
        guard end.partner == nil, !end.saidEnd, end.isSecured, end.sent == end.outgoing.count else { return }
        guard end.sawEnd || !end.endsLast else { return }
        end.saidEnd = true
        driver.shutdownWrite(end.socket)
        closeIfOver(end)
    }

    private func closeIfOver(_ end: SecureEnd) {
        guard !end.isClosed, end.sawEnd, end.saidEnd, driver.queuedBytes(end.socket) == 0 else { return }
        if !end.isServer { _ = driver.takeSession(end.socket) }
        end.isClosed = true
        driver.close(end.socket)
    }

    private func abort(_ end: SecureEnd) {
        guard !end.isClosed else { return }
        end.isClosed = true
        if random.below(2) == 0 { driver.abort(end.socket) } else { driver.close(end.socket) }
    }
}
