import Synchronization

/// The workers' inboxes for those who make calls: known before the workers are.
package final class CallPort: Sendable {
    private let inboxes = Mutex<[Inbox]>([])
    private let turn = Atomic<Int>(0)

    package init() {}

    package func open(_ inboxes: [Inbox]) { self.inboxes.withLock { $0 = inboxes } }

    /// The inbox for the next call: the worker's own when asked from a task that runs on one, else each in its turn. Nil: there
    /// are no workers yet.
    package func next() -> Inbox? {
        let own = WorkerTask.worker
        return inboxes.withLock { inboxes in
            if inboxes.isEmpty { return nil }
            if let own, own < inboxes.count { return inboxes[own] }
            let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
            return inboxes[Int(UInt(bitPattern: number) % UInt(inboxes.count))]
        }
    }
}

/// What a task of asynchronous middleware knows of where it runs.
enum WorkerTask {
    @TaskLocal static var worker: Int?
}
