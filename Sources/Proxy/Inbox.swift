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
    private let messages = Mutex<[InboxMessage]>([])
    private let signal: @Sendable () -> Void

    /// `signal` makes the worker's driver return `woken`.
    package init(signal: @escaping @Sendable () -> Void) {
        self.signal = signal
    }

    package func post(_ message: InboxMessage) {
        let wasEmpty = messages.withLock { queue in
            queue.append(message)
            return queue.count == 1
        }
        if wasEmpty { signal() }
    }

    /// All messages, in order.
    func takeAll() -> [InboxMessage] {
        messages.withLock { queue in
            let all = queue
            queue.removeAll(keepingCapacity: true)
            return all
        }
    }
}
