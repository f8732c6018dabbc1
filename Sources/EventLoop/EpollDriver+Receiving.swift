public import Containers
package import Linux
public import Net

/// Receiving, and what the worker asks about a connection.
extension EpollDriver {
    @inline(__always)
    mutating func receive(_ id: SocketID) -> IOEvent? {
        // SAFETY: the entry is not removed before the pointer's last use.
        guard let slot = unsafe slots.pointer(id) else { return nil }
        switch unsafe slot.pointee.takeTurn() {
        case .nothing: return nil
        case .other: return receiveMore(id)
        case .plain: break
        }
        var buffer = buffers.take(.message)
        let number = unsafe slot.pointee.descriptor.number
        let result = Socket.receive(number, into: &buffer, limit: BufferPool.messageBytes)
        if case .bytes(let count) = result, count < BufferPool.messageBytes {
            unsafe slot.pointee.noteDrained(turn: turn)
            return .data(id, buffer)
        }
        return finishReceive(id, buffer, had: 0, room: BufferPool.messageBytes, result)
    }

    /// A receive that appends to what was given back, or into a large buffer, or from a peer that has ended, or for another
    /// socket.
    @inline(never)
    mutating func receiveMore(_ id: SocketID) -> IOEvent? {
        if slots[id].flags.contains(.relaying) { return receiveRelayed(id) }
        if slots[id].flags.contains(.secure) { return receiveSealed(id) }
        var buffer: Buffer
        if let partial = slots[id].partial.take() {
            slots[id].flags.remove(.holdsPartial)
            buffer = partial
            if buffer.tailroom <= BufferPool.tailroom { buffer = enlarge(buffer) }
        } else {
            buffer = buffers.takeForReceiving(isBulk: slots[id].flags.contains(.receivesBulk))
        }
        let had = buffer.count
        let room = buffer.tailroom &- BufferPool.tailroom
        let result = Socket.receive(slots[id].descriptor.number, into: &buffer, limit: room)
        return finishReceive(id, buffer, had: had, room: room, result)
    }

    @inline(never)
    private mutating func finishReceive(
        _ id: SocketID, _ buffer: consuming Buffer, had: Int, room: Int, _ result: Socket.ReceiveResult
    ) -> IOEvent? {
        switch result {
        case .bytes(let count):
            slots[id].noteDrained(turn: turn)
            let isFull = count == room
            if isFull { slots[id].flags.insert(.receivesBulk) } else { slots[id].flags.remove(.receivesBulk) }
            if isFull || slots[id].flags.contains(.ending) {
                slots[id].flags.formUnion([.readable, .queued])
                ready.append(id.rawValue)
            }
            return .data(id, buffer)
        case .end:
            giveBack(buffer, had: had, id)
            slots[id].flags.remove(.readable)
            slots[id].flags.insert(.sawEnd)
            return .endOfStream(id)
        case .wouldBlock:
            giveBack(buffer, had: had, id)
            slots[id].flags.remove(.readable)
            return nil
        case .failed(let error):
            giveBack(buffer, had: had, id)
            slots[id].flags.remove(.readable)
            slots[id].flags.insert(.broken)
            return .failed(id, IOFailure(error))
        }
    }

    mutating func giveBack(_ buffer: consuming Buffer, had: Int, _ id: SocketID) {
        if had > 0 {
            keep(buffer, id)
        } else {
            buffers.give(buffer)
        }
    }

    private mutating func keep(_ buffer: consuming Buffer, _ id: SocketID) {
        slots[id].partial = consume buffer
        slots[id].flags.insert(.holdsPartial)
    }

    /// The same bytes in a buffer with room for at least as many again.
    mutating func enlarge(_ buffer: consuming Buffer) -> Buffer {
        var larger = buffers.take(atLeast: buffer.count &* 2 &+ BufferPool.tailroom)
        larger.append(buffer.span)
        buffers.give(buffer)
        return larger
    }

    @usableFromInline
    package mutating func unread(_ socket: SocketID, _ buffer: consuming Buffer) {
        guard slots.contains(socket), !buffer.isEmpty else {
            buffers.give(buffer)
            return
        }
        keep(buffer, socket)
    }

    @inlinable
    package mutating func pause(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        slots[socket].flags.formUnion(.paused)
    }

    @usableFromInline
    package mutating func resume(_ socket: SocketID) {
        guard slots.contains(socket), slots[socket].flags.contains(.paused) else { return }
        slots[socket].flags.subtract(.paused)
        guard slots[socket].flags.contains(.readable), slots[socket].markQueued() else { return }
        ready.append(socket.rawValue)
    }

    @inlinable
    package mutating func isQuiet(_ socket: SocketID, peek: Bool) -> Bool {
        guard slots.contains(socket), !slots[socket].flags.hasAny([.broken, .sawEnd, .readable]) else { return false }
        guard peek || slots[socket].lastTurn == turn else { return true }
        return isQuietInKernel(socket)
    }

    @usableFromInline
    @inline(never)
    mutating func isQuietInKernel(_ id: SocketID) -> Bool {
        Socket.isQuiet(slots[id].descriptor.number)
    }

    // MARK: Facts

    @inlinable package var wallClockSeconds: Int64 { wallClock.seconds(at: now) }
    @inlinable package var wallClockNanoseconds: Int64 { wallClock.nanoseconds(at: now) }

    @usableFromInline
    package mutating func setOwner(_ socket: SocketID, _ owner: UInt64) {
        if slots.contains(socket) { slots[socket].owner = owner }
    }

    @inlinable
    package func owner(_ socket: SocketID) -> UInt64 {
        slots.read(socket, or: 0) { $0.owner }
    }

    @usableFromInline
    package func peer(_ socket: SocketID) -> SocketAddress {
        slots.contains(socket) ? slots[socket].peer : .unix(path: "")
    }

    /// Connections that are open, of all kinds.
    package var openCount: Int { slots.count }

    /// Those with TLS.
    package var secureCount: Int { tls.count }
}

extension IOFailure {
    package init(_ error: Errno) {
        switch error {
        case .connectionRefused, .noEntry: self = .refused
        case .connectionReset, .brokenPipe, .connectionAborted: self = .reset
        case .timedOut: self = .timedOut
        case .hostUnreachable, .networkUnreachable: self = .unreachable
        case .noPermission: self = .noPermission
        // `addressNotAvailable`: no port is free to connect from (Socket.connect).
        case .tooManyFiles, .tooManyFilesInSystem, .noMemory, .noBuffers, .addressNotAvailable: self = .exhausted
        default: self = .other(error.number)
        }
    }
}
