public import Containers
import Linux

/// Bytes that go from one socket to the other without anybody looking at them.
///
///     source ─▶ fill ─▶ pipe ─▶ drain ─▶ destination         pages change hands, nothing is copied
///                         └─ what it does not take stays, counts as queued and is sent first
extension EpollDriver {
    /// A visit of a source ends after so many bytes: then it is the others' turn.
    private static let relayedPerVisit = Pipe.capacity

    @usableFromInline
    package mutating func relay(from source: SocketID, to destination: SocketID, count: Int) -> Bool {
        guard count > 0, source != destination, slots.contains(source), slots.contains(destination),
            !slots[source].flags.hasAny([.holdsPartial, .secure]), !slots[destination].flags.contains(.secure)
        else { return false }
        settle(destination)
        slots[source].flags.insert(.relaying)
        // What comes behind the relay begins with a head again. (Forgotten, each answer but a connection's first copied 128 KiB.)
        slots[source].flags.remove(.receivesBulk)
        slots[source].relayDestination = destination
        slots[source].relayRest = count
        return true
    }

    /// Descriptors that the pipes of a driver take, at most.
    package static var pipeDescriptors: Int { 2 * (RelayPipes.most + RelayPipes.freeLimit) }

    /// Pipes that hold bytes now. For tests and gauges.
    package var loadedPipes: Int { pipes.loaded.count }

    /// The visit of a source that may be read.
    @inline(never)
    mutating func receiveRelayed(_ id: SocketID) -> IOEvent? {
        let destination = slots[id].relayDestination
        guard slots.contains(destination) else {
            // Whoever closed it decides what becomes of the bytes.
            slots[id].flags.subtract([.relaying, .relayCopies])
            return receiveMore(id)
        }
        slots[id].lastTurn = turn
        var moved = 0
        while slots[id].relayRest > 0, slots[id].flags.contains(.readable), moved < Self.relayedPerVisit {
            switch moveSome(id, destination) {
            case .bytes(let count):
                moved &+= count
                slots[id].relayRest &-= count
            case .wouldBlock:
                slots[id].flags.remove(.readable)
            case .end where moved == 0:
                slots[id].flags.remove(.readable)
                slots[id].flags.insert(.sawEnd)
                return .endOfStream(id)
            case .failed(let error) where moved == 0:
                slots[id].flags.remove(.readable)
                slots[id].flags.insert(.broken)
                return .failed(id, IOFailure(error))
            case .end:
                // The next visit finds it again.
                visitAgain(id)
                return .relayed(id, moved, isFollowed: false)
            case .failed:
                // The kernel says so once only.
                markBroken(id)
                return .relayed(id, moved, isFollowed: false)
            }
            if slots[destination].queuedBytes > 0 || slots[destination].flags.contains(.broken) { break }
        }
        let isFollowed = slots[id].relayRest == 0 && !endRelay(id)
        visitAgain(id)
        return moved > 0 ? .relayed(id, moved, isFollowed: isFollowed) : nil
    }

    private mutating func visitAgain(_ id: SocketID) {
        if slots[id].flags.contains(.readable), slots[id].markQueued() { ready.append(id.rawValue) }
    }

    /// One step: a pipe full, or a buffer full where there is no pipe or something else is queued before.
    private mutating func moveSome(_ id: SocketID, _ destination: SocketID) -> Socket.ReceiveResult {
        guard !slots[id].flags.contains(.relayCopies), slots[destination].queuedBytes == 0,
            !slots[destination].flags.contains(.connecting), let pipe = pipes.take(now: now)
        else { return copySome(id, destination) }
        let result = pipe.fill(from: slots[id].descriptor.number, limit: slots[id].relayRest)
        switch result {
        case .bytes(let count):
            guard let key = pipes.loaded.insert(RelayPipes.Loaded(pipe: pipe, bytes: count)) else {
                markBroken(destination)
                return result
            }
            slots[destination].pipe = key
            slots[destination].queuedBytes = count
            sendQueued(destination)
        case .failed(let error) where error.isNoSplice:
            pipes.give(pipe)
            slots[id].flags.insert(.relayCopies)
            return copySome(id, destination)
        case .end, .wouldBlock, .failed:
            pipes.give(pipe)
        }
        return result
    }

    private mutating func copySome(_ id: SocketID, _ destination: SocketID) -> Socket.ReceiveResult {
        var buffer = buffers.takeForReceiving(isBulk: true)
        let room = min(buffer.tailroom &- BufferPool.tailroom, slots[id].relayRest)
        let result = Socket.receive(slots[id].descriptor.number, into: &buffer, limit: room)
        if case .bytes(let count) = result {
            if count < room, !slots[id].flags.contains(.ending) { slots[id].flags.remove(.readable) }
            send(destination, buffer, more: false)
        } else {
            buffers.give(buffer)
        }
        return result
    }

    /// The last byte of a relay is through: whether nothing stands behind it, as mostly. A receive would have seen that. The
    /// connection is then as quiet as one that was read to its end; without this look it would be in doubt until its next visit.
    private mutating func endRelay(_ id: SocketID) -> Bool {
        slots[id].flags.subtract([.relaying, .relayCopies])
        guard !slots[id].flags.contains(.ending), isQuietInKernel(id) else { return false }
        slots[id].flags.remove(.readable)
        return true
    }

    /// Sends the bytes in a socket's pipe. False: it does not take them all, or is broken.
    mutating func sendPiped(_ id: SocketID) -> Bool {
        let key = slots[id].pipe
        while pipes.loaded[key].bytes > 0 {
            switch pipes.loaded[key].pipe.drain(into: slots[id].descriptor.number, count: pipes.loaded[key].bytes) {
            case .bytes(let count):
                pipes.loaded[key].bytes &-= count
                slots[id].queuedBytes &-= count
            case .wouldBlock:
                slots[id].flags.insert(.blocked)
                return false
            case .failed:
                dropOutputs(id)
                markBroken(id)
                return false
            }
        }
        slots[id].pipe = .none
        if let empty = pipes.loaded.remove(key) { pipes.give(empty.pipe) }
        return true
    }

    /// Closes a socket's pipe with what is in it.
    mutating func dropPiped(_ id: SocketID) {
        pipes.loaded.discard(slots[id].pipe)
        slots[id].pipe = .none
    }
}
