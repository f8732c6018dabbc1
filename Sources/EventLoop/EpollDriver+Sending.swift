public import Containers
import Linux

/// Sending and ending: what the kernel does not take at once waits in the connection's list of output nodes.
extension EpollDriver {
    // MARK: Sending

    @usableFromInline
    package mutating func send(_ socket: SocketID, _ buffer: consuming Buffer, more: Bool) {
        // SAFETY: the entry is not removed before the pointer's last use.
        guard let slot = unsafe slots.pointer(socket), !buffer.isEmpty, unsafe slot.pointee.maySend, !more else {
            sendLater(socket, buffer, more: more)
            return
        }
        transmit(socket, unsafe slot.pointee.descriptor.number, buffer)
    }

    /// Nothing stands before the buffer: the kernel gets it.
    @inline(__always)
    mutating func transmit(_ socket: SocketID, _ number: Int32, _ buffer: consuming Buffer) {
        switch Socket.send(number, buffer) {
        case .bytes(let count) where count == buffer.count:
            buffers.give(buffer)
        case .bytes(let count):
            buffer.dropFirst(count)
            append(socket, buffer, isBlocked: true)
        case .wouldBlock:
            append(socket, buffer, isBlocked: true)
        case .failed:
            buffers.give(buffer)
            markBroken(socket)
        }
    }

    @usableFromInline
    package mutating func send(_ socket: SocketID, copyOf buffer: borrowing Buffer) {
        // SAFETY: the entry is not removed before the pointer's last use.
        guard let slot = unsafe slots.pointer(socket), !buffer.isEmpty, unsafe slot.pointee.maySend else {
            sendLater(socket, copy(buffer, from: 0), more: false)
            return
        }
        switch Socket.send(unsafe slot.pointee.descriptor.number, buffer) {
        case .bytes(let count) where count == buffer.count:
            break
        case .bytes(let count):
            append(socket, copy(buffer, from: count), isBlocked: true)
        case .wouldBlock:
            append(socket, copy(buffer, from: 0), isBlocked: true)
        case .failed:
            markBroken(socket)
        }
    }

    /// Any send but one that may go to the kernel at once.
    @inline(never)
    private mutating func sendLater(_ id: SocketID, _ buffer: consuming Buffer, more: Bool) {
        settle(id)
        guard slots.contains(id), !slots[id].flags.contains(.broken), !buffer.isEmpty else {
            buffers.give(buffer)
            return
        }
        if slots[id].flags.contains(.secure) {
            seal(id, buffer, more: more)
        } else {
            enqueue(id, buffer, more: more)
        }
    }

    /// Behind what waits; sent at once unless something does, or `more` comes in this turn.
    mutating func enqueue(_ id: SocketID, _ buffer: consuming Buffer, more: Bool) {
        let wasWaiting = slots[id].flags.contains(.blocked)
        append(id, buffer, isBlocked: wasWaiting)
        if !more, !wasWaiting, !slots[id].flags.contains(.connecting) { sendQueued(id) }
    }

    private mutating func copy(_ buffer: borrowing Buffer, from offset: Int) -> Buffer {
        var rest = buffers.take(atLeast: buffer.count &- offset)
        rest.append(buffer, offset..<buffer.count)
        return rest
    }

    @usableFromInline
    package mutating func flush(_ socket: SocketID) {
        guard slots.contains(socket), slots[socket].queuedBytes > 0,
            !slots[socket].flags.hasAny([.broken, .blocked, .connecting])
        else { return }
        sendQueued(socket)
    }

    @inlinable
    package func queuedBytes(_ socket: SocketID) -> Int {
        slots.read(socket, or: 0) { $0.queuedBytes }
    }

    @inlinable
    package func queuedBuffers(_ socket: SocketID) -> Int {
        Int(slots.read(socket, or: 0) { $0.queuedBuffers })
    }

    @usableFromInline
    package func undeliveredBytes(_ socket: SocketID) -> Int {
        slots.read(socket, or: 0) { $0.queuedBytes &+ Socket.undelivered($0.descriptor.number) }
    }

    @inline(never)
    mutating func append(_ id: SocketID, _ buffer: consuming Buffer, isBlocked: Bool) {
        let count = buffer.count
        guard let node = outputs.insert(OutputNode(buffer: buffer)) else {
            markBroken(id)
            return
        }
        if isBlocked { slots[id].flags.insert(.blocked) } else { slots[id].flags.remove(.blocked) }
        slots[id].queuedBytes &+= count
        slots[id].queuedBuffers &+= 1
        let last = slots[id].lastOutput
        slots[id].lastOutput = Int32(truncatingIfNeeded: node.index)
        if last >= 0, let key = outputs.key(at: Int(last)) {
            outputs[key].next = Int32(truncatingIfNeeded: node.index)
        } else {
            slots[id].firstOutput = Int32(truncatingIfNeeded: node.index)
        }
    }

    /// Sends what the kernel takes of the queue, two buffers a call.
    mutating func sendQueued(_ id: SocketID) {
        if slots[id].pipe != .none, !sendPiped(id) { return }
        while let first = outputs.key(at: Int(slots[id].firstOutput)) {
            let result: Socket.SendResult
            if let second = outputs.key(at: Int(outputs[first].next)) {
                result = Socket.send(slots[id].descriptor.number, outputs[first].buffer, outputs[second].buffer)
            } else {
                result = Socket.send(slots[id].descriptor.number, outputs[first].buffer)
            }
            switch result {
            case .bytes(let count):
                dropSent(id, count)
            case .wouldBlock:
                slots[id].flags.insert(.blocked)
                return
            case .failed:
                dropOutputs(id)
                markBroken(id)
                return
            }
        }
        slots[id].flags.remove(.blocked)
        if slots[id].flags.contains(.endsAfterOutput) { Socket.shutdownWrite(slots[id].descriptor.number) }
    }

    /// Takes `count` sent bytes off the queue's front.
    mutating func dropSent(_ id: SocketID, _ count: Int) {
        slots[id].queuedBytes &-= count
        var rest = count
        while rest > 0, let node = outputs.key(at: Int(slots[id].firstOutput)) {
            let size = outputs[node].buffer.count
            if rest < size {
                outputs[node].buffer.dropFirst(rest)
                return
            }
            rest &-= size
            popOutput(id, node)
        }
    }

    mutating func popOutput(_ id: SocketID, _ key: SlabKey) {
        guard let node = outputs.remove(key) else { return }
        slots[id].queuedBuffers &-= 1
        slots[id].firstOutput = node.next
        if node.next < 0 { slots[id].lastOutput = -1 }
        buffers.give(node.buffer)
    }

    mutating func dropOutputs(_ id: SocketID) {
        while let node = outputs.key(at: Int(slots[id].firstOutput)) { popOutput(id, node) }
        if slots[id].pipe != .none { dropPiped(id) }
        slots[id].queuedBytes = 0
    }

    mutating func markBroken(_ id: SocketID) {
        guard slots[id].flags.insert(.broken).inserted else { return }
        broken.append(id.rawValue)
    }

    // MARK: Ending

    @usableFromInline
    package mutating func shutdownWrite(_ socket: SocketID) {
        settle(socket)
        guard slots.contains(socket), !slots[socket].flags.contains(.broken) else { return }
        if slots[socket].flags.contains(.secure) { sealEnd(socket) }
        if slots[socket].queuedBytes > 0 {
            slots[socket].flags.insert(.endsAfterOutput)
        } else {
            Socket.shutdownWrite(slots[socket].descriptor.number)
        }
    }

    @usableFromInline
    package mutating func close(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        if slots[socket].flags.contains(.secure) { sayGoodbye(socket) }
        dropAll(socket)
        slots.discard(socket)
    }

    @usableFromInline
    package mutating func abort(_ socket: SocketID) {
        guard slots.contains(socket) else { return }
        dropAll(socket)
        slots.remove(socket)?.abort()
    }

    private mutating func dropAll(_ id: SocketID) {
        settle(id)
        dropOutputs(id)
        if let partial = slots[id].partial.take() { buffers.give(partial) }
        if slots[id].flags.contains(.secure) { dropSecurity(id) }
    }

}
