import Synchronization

/// Runs asynchronous middleware on the worker's own thread: jobs are taken between two events.
package final class WorkerExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let signal: @Sendable () -> Void

    /// `signal` wakes the worker's driver.
    package init(signal: @escaping @Sendable () -> Void) {
        self.signal = signal
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        let wasEmpty = jobs.withLock { queue in
            queue.append(unowned)
            return queue.count == 1
        }
        if wasEmpty { signal() }
    }

    /// Runs what is ready, and what that makes ready, up to a bound: the loop has other work too.
    package func runJobs() {
        for _ in 0..<64 {
            let ready = jobs.withLock { queue in
                let all = queue
                queue.removeAll(keepingCapacity: true)
                return all
            }
            if ready.isEmpty { return }
            // SAFETY: the runtime handed each job over once and it is run once.
            for job in ready { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
        signal()
    }
}
