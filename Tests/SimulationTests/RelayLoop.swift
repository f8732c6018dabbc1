import Containers
import EventLoop
import Net
import Simulation

/// The smallest system that uses every call of the driver: joins each accepted connection with one to an origin and
/// carries bytes both ways with back-pressure, half-closes included. It exists to test the simulation itself.
struct RelayLoop<Driver: IODriver & ~Copyable>: ~Copyable {
    /// What the loop can be made to do wrong, to show that somebody would notice.
    enum Mistake: CaseIterable { case losesByte, forgetsBuffer, forgetsSocket, ignoresBackPressure, swapsPeers, spins }

    private static var queueLimit: Int { 65_536 }

    struct Side: ~Copyable {
        var other = SocketID.none
        var isConnected = false
        var sawEnd = false
        /// Paused because the other side's queue is full.
        var isPaused = false
        var forwarded = 0
    }

    private var driver: Driver
    private var sides = Slab<Side>(limit: 4_096)
    private let origin: SocketAddress
    private let mistake: Mistake?
    private var count = 0

    init(driver: consuming Driver, descriptor: Int32, origin: SocketAddress, mistake: Mistake? = nil) {
        self.driver = driver
        self.origin = origin
        self.mistake = mistake
        self.driver.listen(descriptor, listener: 7)
    }

    mutating func turn() {
        driver.wait(until: mistake == .spins ? driver.now : .never)
        while let event = driver.next() { handle(event) }
    }

    func leftovers() -> [String] { sides.count == 0 ? [] : ["\(sides.count) sides"] }

    private mutating func handle(_ event: consuming IOEvent) {
        switch consume event {
        case .accepted(let socket, let listener, _): accept(socket, listener)
        case .connected(let socket): connected(socket)
        case .data(let socket, let buffer): relay(socket, buffer)
        case .relayed(let socket, let count, _): relayed(socket, count)
        case .endOfStream(let socket): end(socket)
        case .failed(let socket, _): fail(socket)
        case .drained(let socket): drained(socket)
        case .secured: break
        case .woken: break
        }
    }
}

extension RelayLoop where Driver: ~Copyable {
    private func key(_ socket: SocketID) -> SlabKey { SlabKey(rawValue: driver.owner(socket)) }

    private mutating func accept(_ socket: SocketID, _ listener: UInt32) {
        let upstream: SocketID
        do throws(IOFailure) {
            upstream = try driver.connect(to: origin)
        } catch {
            driver.abort(socket)
            return
        }
        guard let first = sides.insert(Side(other: upstream)), let second = sides.insert(Side(other: socket)) else {
            return
        }
        sides[first].isConnected = true
        driver.setOwner(socket, first.rawValue)
        driver.setOwner(upstream, second.rawValue)
        driver.pause(socket)
    }

    private mutating func connected(_ socket: SocketID) {
        sides[key(socket)].isConnected = true
        driver.resume(sides[key(socket)].other)
    }

    private mutating func relay(_ socket: SocketID, _ buffer: consuming Buffer) {
        let other = sides[key(socket)].other
        count += 1
        if mistake == .losesByte, count % 7 == 0 { buffer.dropFirst(1) }
        if mistake == .forgetsBuffer, count % 7 == 0 { return }
        // Bytes go on in whole tiles, if they are not many: so that `unread` has work.
        if buffer.count < 5_000, (sides[key(socket)].forwarded + buffer.count) % 32 != 0 {
            driver.unread(socket, buffer)
            return
        }
        sides[key(socket)].forwarded += buffer.count
        driver.send(mistake == .swapsPeers && count % 7 == 0 ? socket : other, buffer, more: false)
        // Now and then the driver moves what comes next.
        if count % 3 == 0 { _ = driver.relay(from: socket, to: other, count: 1 + count * 7_919 % 50_000) }
        keepPressureLow(socket, other)
    }

    private mutating func relayed(_ socket: SocketID, _ count: Int) {
        sides[key(socket)].forwarded += count
        keepPressureLow(socket, sides[key(socket)].other)
    }

    private mutating func keepPressureLow(_ socket: SocketID, _ other: SocketID) {
        if mistake != .ignoresBackPressure, driver.queuedBytes(other) > Self.queueLimit {
            sides[key(socket)].isPaused = true
            driver.pause(socket)
        }
    }

    private mutating func drained(_ socket: SocketID) {
        let other = sides[key(socket)].other
        let otherKey = key(other)
        closeIfDone(socket, other)
        guard sides.contains(otherKey), sides[otherKey].isPaused else { return }
        sides[otherKey].isPaused = false
        driver.resume(other)
    }

    private mutating func end(_ socket: SocketID) {
        let other = sides[key(socket)].other
        sides[key(socket)].sawEnd = true
        driver.shutdownWrite(other)
        closeIfDone(socket, other)
    }

    private mutating func closeIfDone(_ socket: SocketID, _ other: SocketID) {
        guard sides[key(socket)].sawEnd, sides[key(other)].sawEnd, mistake != .forgetsSocket,
            driver.queuedBytes(socket) == 0, driver.queuedBytes(other) == 0
        else { return }
        sides.remove(key(socket))
        sides.remove(key(other))
        driver.close(socket)
        driver.close(other)
    }

    private mutating func fail(_ socket: SocketID) {
        let other = sides[key(socket)].other
        sides.remove(key(socket))
        sides.remove(key(other))
        driver.close(socket)
        driver.abort(other)
    }
}
