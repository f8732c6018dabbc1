internal import Linux
internal import Synchronization

/// What stands between those who have lines and the thread that writes them: full chunks one way, empty ones the other.
///
/// It outlives its `LogSink` until the writer has written what is left.
final class LogQueue: Sendable {
    /// Memory of one output that may be full of lines: 8 MiB.
    static let chunksLimit = 8 * 1024 * 1024 / LogChunk.capacity
    /// Empty chunks that are kept for the next taker.
    fileprivate static let freeLimit = 16

    private struct State: ~Copyable {
        var waiting: [LogChunk] = []
        var free: [LogChunk] = []
        /// Chunks in the hands of lanes, writer and queue.
        var used = 0
        /// The writer sleeps until it is woken.
        var isWriterAsleep = false
        var isStopping = false
        /// No configuration names the output any more: the file is closed whenever nothing waits.
        var isRetired = false
        /// A file that was opened for the writer, to go on with instead of its own.
        var replacement: LogFileBox?

        init() {
            waiting.reserveCapacity(LogQueue.chunksLimit)
            free.reserveCapacity(LogQueue.freeLimit)
        }
    }

    let framing: LogFraming
    private let state: Mutex<State>
    private let wakeUp: EventFD
    private let wakeUpNumbers: [Int32]
    private let finished: EventFD
    /// Lines that never reached the output.
    let droppedLines = Atomic<Int>(0)
    let writtenLines = Atomic<Int>(0)

    init(framing: LogFraming, file: consuming LogFile) throws(Errno) {
        self.framing = framing
        wakeUp = try EventFD()
        wakeUpNumbers = [wakeUp.number]
        finished = try EventFD()
        var state = State()
        state.replacement = LogFileBox(file)
        self.state = Mutex(state)
    }

    // MARK: For lanes

    /// An empty chunk; nil while as many as may be are in use.
    func takeChunk() -> LogChunk? {
        state.withLock { state in
            guard state.used < Self.chunksLimit else { return nil }
            state.used += 1
            return state.free.popLast() ?? LogChunk()
        }
    }

    /// Hands a chunk over to the writer. After `stop` its lines are dropped.
    func submit(_ chunk: LogChunk) {
        let (isAccepted, wakes) = state.withLock { state in
            guard !state.isStopping else { return (false, false) }
            state.waiting.append(chunk)
            defer { state.isWriterAsleep = false }
            return (true, state.isWriterAsleep)
        }
        if wakes { wakeUp.signal() }
        if isAccepted { return }
        drop(chunk.content.withLock { $0.lines })
        giveBack(chunk)
    }

    /// Whether handing over a chunk that is not full would only make the queue longer.
    var isBusy: Bool { state.withLock { !$0.waiting.isEmpty } }

    func drop(_ lines: Int) {
        droppedLines.wrappingAdd(lines, ordering: .relaxed)
    }

    // MARK: For the writer

    /// Waits for chunks to write, which it puts in the place of `chunks`; false when all is written and the queue has
    /// stopped.
    /// `file` is exchanged when another one was opened, and closed when it is not needed now.
    func next(_ file: inout LogFile?, _ chunks: inout [LogChunk]) -> Bool {
        chunks.removeAll(keepingCapacity: true)
        while true {
            let mayGoOn: Bool? = state.withLock { state in
                if let replacement = state.replacement {
                    file = replacement.take()
                    state.replacement = nil
                }
                if !state.waiting.isEmpty {
                    swap(&state.waiting, &chunks)
                    return true
                }
                if state.isStopping { return false }
                if state.isRetired { file = nil }
                state.isWriterAsleep = true
                return nil
            }
            if let mayGoOn { return mayGoOn }
            _ = Poll.wait(wakeUpNumbers, milliseconds: nil)
            wakeUp.clear()
        }
    }

    func giveBack(_ chunk: LogChunk) {
        chunk.content.withLock { $0.clear() }
        state.withLock { state in
            state.used -= 1
            if state.free.count < Self.freeLimit { state.free.append(chunk) }
        }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }
    func noteFinished() { finished.signal() }

    // MARK: For the owner

    func replaceFile(_ file: consuming LogFile) {
        let box = LogFileBox(file)
        state.withLock { $0.replacement = box }
        wakeUp.signal()
    }

    func setRetired(_ isRetired: Bool) {
        state.withLock { $0.isRetired = isRetired }
        wakeUp.signal()
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.signal()
    }

    /// Waits until the writer has come to its end; false when that takes longer.
    func waitUntilFinished(milliseconds: Int32) -> Bool {
        !Poll.wait([finished.number], milliseconds: milliseconds).isEmpty
    }
}

/// A file on its way from one thread to another.
private final class LogFileBox: Sendable {
    private let file: Mutex<LogFile?>

    init(_ file: consuming LogFile) {
        self.file = Mutex(consume file)
    }

    func take() -> LogFile? { file.withLock { $0.take() } }
}
