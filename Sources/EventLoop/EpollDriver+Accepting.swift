public import Containers
import Linux
public import Net

/// New connections, from both sides.
extension EpollDriver {
    // MARK: Accepting and connecting

    @usableFromInline
    package mutating func listen(_ descriptor: Int32, listener: UInt32) {
        listeners.append(Listener(descriptor: descriptor, number: listener))
        register(listeners.count - 1)
    }

    @usableFromInline
    package mutating func stopListening(_ listener: UInt32) {
        for index in listeners.indices where listeners[index].number == listener && !listeners[index].isStopped {
            epoll.remove(listeners[index].descriptor)
            listeners[index].isStopped = true
            if listeners[index].pausedUntil != nil {
                listeners[index].pausedUntil = nil
                pausedListeners &-= 1
            }
        }
    }

    mutating func register(_ index: Int) {
        if epoll.addListener(listeners[index].descriptor, data: UInt64(truncatingIfNeeded: index)) != nil {
            pauseForShortage(index)
        }
    }

    mutating func accept(_ index: Int) -> IOEvent? {
        guard index < listeners.count, !listeners[index].isStopped, listeners[index].pausedUntil == nil else {
            return nil
        }
        while acceptsLeft > 0 {
            acceptsLeft &-= 1
            var peer = SocketAddress.unix(path: "")
            do throws(Errno) {
                let descriptor = try Socket.accept(listeners[index].descriptor, peer: &peer)
                listeners[index].pause = Self.firstAcceptPause
                guard let id = add(descriptor, peer: peer) else {
                    pauseForShortage(index)
                    return nil
                }
                return .accepted(id, listener: listeners[index].number, peer: peer)
            } catch .again {
                return nil
            } catch .tooManyFiles, .tooManyFilesInSystem, .noMemory, .noBuffers {
                pauseForShortage(index)
                return nil
            } catch {
                // The peer is gone already (ECONNABORTED and network errors, accept(2)): the next one.
                continue
            }
        }
        return nil
    }

    mutating func pauseListener(_ index: Int) {
        epoll.remove(listeners[index].descriptor)
        if listeners[index].pausedUntil == nil { pausedListeners &+= 1 }
        listeners[index].pausedUntil = now.advanced(by: listeners[index].pause)
        listeners[index].pause = min(listeners[index].pause &* 2, Self.lastAcceptPause)
    }

    /// Descriptors or memory have run out.
    private mutating func pauseForShortage(_ index: Int) {
        acceptPauses &+= 1
        pauseListener(index)
    }

    @usableFromInline
    package mutating func slowAccepting() {
        for index in listeners.indices where !listeners[index].isStopped && listeners[index].pausedUntil == nil {
            listeners[index].pause = Self.firstAcceptPause
            pauseListener(index)
        }
    }

    /// When the first paused listener is due.
    var firstResumption: Instant {
        var first = Instant.never
        for listener in listeners {
            if let until = listener.pausedUntil, until < first { first = until }
        }
        return first
    }

    mutating func resumeListeners() {
        for index in listeners.indices {
            guard let until = listeners[index].pausedUntil, until <= now else { continue }
            listeners[index].pausedUntil = nil
            pausedListeners &-= 1
            register(index)
        }
    }

    @usableFromInline
    package mutating func adopt(_ descriptor: Int32) -> SocketID? {
        let owned = FileDescriptor(owning: descriptor)
        guard let peer = try? Socket.peerAddress(descriptor) else { return nil }
        return add(owned, peer: peer)
    }

    @usableFromInline
    package mutating func release(_ socket: SocketID) -> Int32? {
        settle(socket)
        guard let slot = slots.remove(socket) else { return nil }
        epoll.remove(slot.descriptor.number)
        return slot.releaseDescriptor()
    }

    mutating func add(_ descriptor: consuming FileDescriptor, peer: SocketAddress) -> SocketID? {
        let number = descriptor.number
        guard let id = slots.insert(SocketSlot(descriptor: descriptor, peer: peer)) else { return nil }
        if epoll.addConnection(number, data: id.rawValue) != nil {
            slots.remove(id)
            return nil
        }
        return id
    }

    @usableFromInline
    package mutating func connect(to address: SocketAddress) throws(IOFailure) -> SocketID {
        var isPending = false
        let descriptor: FileDescriptor
        do throws(Errno) {
            descriptor = try Socket.connect(to: address, isPending: &isPending)
        } catch {
            throw IOFailure(error)
        }
        guard let id = add(descriptor, peer: address) else { throw .exhausted }
        if isPending { slots[id].flags.insert(.connecting) } else { connectedAtOnce.append(id.rawValue) }
        return id
    }
}
