private import Glibc
internal import Synchronization

/// Jobs and the threads that do them. A pipe carries one byte per job, so that threads sleep in `read` and the end of
/// the pipe ends them.
final class PasswordQueue: Sendable {
    struct Job: Sendable {
        let password: [UInt8]
        let hash: String
        let answer: CheckedContinuation<PasswordVerifier.Outcome, Never>
    }

    private struct State: Sendable {
        var jobs: [Job] = []
        var isStarted = false
        var threads = 0
        /// The pipe's ends; -1 before the start and after the end.
        var readEnd: Int32 = -1
        var writeEnd: Int32 = -1
    }

    private let state = Mutex(State())
    private let threadCount: Int
    private let limit: Int

    init(threads: Int, limit: Int) {
        threadCount = max(1, threads)
        self.limit = max(1, limit)
    }

    deinit {
        state.withLock { if $0.readEnd >= 0 { _ = Glibc.close($0.readEnd) } }
    }

    /// Takes a job; false when the queue is full or there is no thread.
    func put(_ job: Job) -> Bool {
        state.withLock { state in
            if !state.isStarted { start(&state) }
            guard state.threads > 0, state.jobs.count < limit else { return false }
            state.jobs.append(job)
            var byte: UInt8 = 1
            // SAFETY: one byte of a local; a pipe of 64 KiB always has room for `limit` bytes.
            guard unsafe write(state.writeEnd, &byte, 1) == 1 else {
                state.jobs.removeLast()
                return false
            }
            return true
        }
    }

    /// Ends the threads when they have done what was taken.
    func close() {
        state.withLock { state in
            if state.writeEnd >= 0 { _ = Glibc.close(state.writeEnd) }
            state.writeEnd = -1
        }
    }

    private func start(_ state: inout State) {
        var ends = InlineArray<2, Int32>(repeating: -1)
        var span = ends.mutableSpan
        // SAFETY: pipe writes exactly two descriptors.
        let result = unsafe span.withUnsafeMutableBufferPointer { unsafe pipe($0.baseAddress) }
        guard result == 0 else { return }
        for index in 0..<2 { _ = fcntl(ends[index], F_SETFD, FD_CLOEXEC) }
        state.isStarted = true
        (state.readEnd, state.writeEnd) = (ends[0], ends[1])
        for _ in 0..<threadCount where spawn() { state.threads += 1 }
    }

    private func spawn() -> Bool {
        var thread = pthread_t()
        // SAFETY: the thread takes over the retain that is made here, or it is given back when there is no thread.
        let object = unsafe Unmanaged.passRetained(self)
        let result = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let queue = unsafe Unmanaged<PasswordQueue>.fromOpaque(context).takeRetainedValue()
                PasswordQueue.blockSignals()
                queue.work()
                return nil
            }, object.toOpaque())
        guard result == 0 else {
            unsafe object.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// Signals are for the threads that wait for them.
    private static func blockSignals() {
        var all = sigset_t()
        // SAFETY: the set is a local that both calls only use meanwhile.
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
    }

    private func work() {
        var hasher = PasswordHasher()
        while let job = next() {
            let isMatch = hasher.verify(password: job.password.span, hash: job.hash)
            job.answer.resume(returning: isMatch ? .match : .mismatch)
        }
    }

    /// Waits for a job; nil at the end of the pipe.
    private func next() -> Job? {
        let readEnd = state.withLock { $0.readEnd }
        while true {
            var byte: UInt8 = 0
            // SAFETY: one byte into a local.
            let count = unsafe read(readEnd, &byte, 1)
            if count == 1 {
                let job = state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
                if let job { return job }
                continue
            }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}
