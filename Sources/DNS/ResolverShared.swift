internal import Containers
internal import Linux
internal import Net
internal import Synchronization

/// What the resolver's thread and its owner share.
final class ResolverShared: Sendable {
    struct Order: Sendable {
        var names: Set<String> = []
        /// Names that were left out since the thread last looked, also those that are wanted again by now.
        var forgotten: Set<String> = []
        /// Counts the orders.
        var number: UInt64 = 0
        var isStopping = false
    }

    /// What the thread has found out.
    private struct Findings: Sendable {
        var addresses: [String: [IPAddress]] = [:]
        /// Names that have had a verdict: addresses, or a failure.
        var judged: Set<String> = []
        /// The last order that counts in the above.
        var order: UInt64 = 0
    }

    private let order = Mutex(Order())
    private let findings = Mutex(Findings())
    private let wakeUp: EventFD
    /// For who waits for verdicts.
    private let progress: EventFD
    private let finished: EventFD

    init() throws(Errno) {
        wakeUp = try EventFD()
        progress = try EventFD()
        finished = try EventFD()
    }
}

// MARK: The owner's side

extension ResolverShared {
    func setNames(_ names: Set<String>) {
        order.withLock { order in
            order.forgotten.formUnion(order.names.subtracting(names))
            order.names = names
            order.number &+= 1
        }
        wakeUp.signal()
    }

    func addresses(of name: String) -> [IPAddress]? {
        findings.withLock { $0.addresses[name] }
    }

    func waitForVerdicts(of names: Set<String>, nanoseconds: Int64) -> Set<String> {
        let number = order.withLock { $0.number }
        let deadline = Clock.monotonic.advanced(by: nanoseconds)
        while true {
            progress.clear()
            // Verdicts on names that were forgotten and are wanted again count no more, but stand until the thread has
            // seen the order.
            let missing = findings.withLock { $0.order == number ? names.subtracting($0.judged) : names }
            let left = deadline.since(Clock.monotonic)
            if missing.isEmpty || left <= 0 { return missing }
            _ = Poll.wait([progress.number], milliseconds: Int32(clamping: left / 1_000_000 + 1))
        }
    }

    func stop() {
        order.withLock { $0.isStopping = true }
        wakeUp.signal()
    }

    func waitUntilFinished() {
        while Poll.wait([finished.number], milliseconds: nil).isEmpty {}
    }
}

// MARK: The thread's side

extension ResolverShared {
    var wakeUpNumber: Int32 { wakeUp.number }

    func takeOrder() -> Order {
        wakeUp.clear()
        return order.withLock { order in
            defer { order.forgotten = [] }
            return order
        }
    }

    /// Notes that the order counts, and what it forgets is forgotten.
    func noteTaken(_ order: Order) {
        findings.withLock { findings in
            for name in order.forgotten { findings.addresses[name] = nil }
            findings.judged.subtract(order.forgotten)
            findings.order = order.number
        }
        progress.signal()
    }

    func note(_ name: String, _ addresses: [IPAddress]) {
        findings.withLock { $0.addresses[name] = addresses }
    }

    /// Notes the first verdict on a name; its addresses, if any, have been told.
    func noteVerdict(_ name: String) {
        _ = findings.withLock { $0.judged.insert(name) }
        progress.signal()
    }

    func noteFinished() { finished.signal() }
}
