package import Middleware
import Synchronization
private import Containers

/// What other threads tell a worker.
package enum InboxMessage: Sendable {
    /// Run new requests under this snapshot.
    case adopt(Snapshot)
    /// An asynchronous middleware decided.
    case decision(ExchangeID, AsyncDecision)
    /// A connection permit of the upstream may be free.
    case permitFreed(upstream: String)
    /// Close an idle session of the upstream: another worker needs its permit.
    case giveUpIdle(upstream: String)
    /// A connection that another worker accepted and this one has more room for.
    case connection(descriptor: Int32, socket: ListeningSocket)
    /// Accept on this socket.
    case listen(ListeningSocket)
    case stopListening(ClosingDescriptors)
    /// Make a call for a client of our own.
    case call(ClientCallRequest)
    /// A piece of the content of the call's request.
    case callContent(ClientCallHandle, [UInt8])
    case callContentEnd(ClientCallHandle)
    /// What waited of the answer is taken: read on.
    case callDemand(ClientCallHandle)
    case cancelCall(ClientCallHandle)
    /// Say that all messages before this one are heeded.
    case told(Adoption)
    /// Add what this worker has counted.
    case report(ReportCollection)
    /// End what runs within so many nanoseconds, accept nothing new.
    case drain(timeout: Int64, closing: ClosingDescriptors)
    case stop
}

/// A descriptor that workers accept on, and whose listener it is.
package struct ListeningSocket: Sendable, Equatable {
    let descriptor: Int32
    /// Stable number of the listener.
    let listener: Int
    let port: UInt16

    package init(descriptor: Int32, listener: Int, port: UInt16) {
        self.descriptor = descriptor
        self.listener = listener
        self.port = port
    }
}

/// Identity of an exchange for those outside the worker: worker, place and generation. An answer to an exchange that is over
/// is dropped.
package struct ExchangeID: Sendable, Hashable {
    package let worker: Int
    package let key: UInt64
}

/// Messages for one worker, from any thread.
package final class Inbox: Sendable {
    private struct State {
        var messages: [InboxMessage] = []
        /// The worker has ended.
        var isClosed = false
    }

    private let state = Mutex(State())
    private let signal: @Sendable () -> Void

    /// `signal` makes the worker's driver return `woken`.
    package init(signal: @escaping @Sendable () -> Void) {
        self.signal = signal
    }

    /// Messages to a worker that has ended are dropped, which is told by false; calls fail.
    @discardableResult
    package func post(_ message: InboxMessage) -> Bool {
        let (wasEmpty, isClosed) = state.withLock { state in
            if state.isClosed { return (false, true) }
            state.messages.append(message)
            return (state.messages.count == 1, false)
        }
        if isClosed { Self.refuse(message) }
        if wasEmpty { signal() }
        return !isClosed
    }

    /// All messages, in order.
    func takeAll() -> [InboxMessage] {
        state.withLock { state in
            let all = state.messages
            state.messages.removeAll(keepingCapacity: true)
            return all
        }
    }

    /// Closes it for a worker that has nothing left to do. False: there is a message, so the worker has not ended.
    func closeIfEmpty() -> Bool {
        state.withLock { state in
            if state.messages.isEmpty { state.isClosed = true }
            return state.isClosed
        }
    }

    /// The worker has ended: nobody may wait for it. Returns the descriptors of connections that it did not take over.
    package func close() -> [Int32] {
        let rest = state.withLock { state in
            state.isClosed = true
            let rest = state.messages
            state.messages = []
            return rest
        }
        for message in rest { Self.refuse(message) }
        return rest.compactMap { message in
            if case .connection(let descriptor, _) = message { descriptor } else { nil }
        }
    }

    private static func refuse(_ message: InboxMessage) {
        switch message {
        case .call(let request): request.handle.fail(ClientCallFailure.shutDown)
        case .report(let collection): collection.add(nil)
        case .told(let adoption): adoption.note()
        default: break
        }
    }
}
