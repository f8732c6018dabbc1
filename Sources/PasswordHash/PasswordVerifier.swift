/// Verifies passwords on threads of its own, with a bounded queue before them.
///
/// The threads start with the first password and end with this object.
package final class PasswordVerifier: Sendable {
    package enum Outcome: Sendable, Equatable {
        case match, mismatch
        /// Too many passwords wait already, or no thread could be started.
        case busy
    }

    private let queue: PasswordQueue

    package init(threads: Int = 2, queueLimit: Int = 64) {
        queue = PasswordQueue(threads: threads, limit: queueLimit)
    }

    deinit {
        queue.close()
    }

    /// Whether `password` is the one of `hash`. The caller waits without a thread; it goes on on its own executor.
    package func verify(password: [UInt8], hash: String) async -> Outcome {
        await withCheckedContinuation { continuation in
            let job = PasswordQueue.Job(password: password, hash: hash, answer: continuation)
            if !queue.put(job) { continuation.resume(returning: .busy) }
        }
    }
}
