package import Middleware
import HTTP
import Synchronization

/// The head of an answer.
package struct ClientCallHead: Sendable {
    /// 200 to 999.
    package let status: Int
    /// In order, without those of the connection and of framing.
    package let fields: [MessageField]
    /// Content-Length, if the answer has one.
    package let contentLength: Int?
}

/// What the two sides of a call share: the task that made it, and the worker that runs it.
///
/// The worker delivers, and never waits. The task waits, for the head, for content, for leave to hand over more of its own
/// content. Waiting content is bounded: beyond `waitingLimit` the worker stops reading until half of it is taken.
package final class ClientCallHandle: Sendable {
    /// Bytes of an answer that wait before the connection is no longer read.
    package static let waitingLimit = 256 * 1_024
    /// What a waiting piece counts besides its bytes.
    private static let pieceCost = 64

    private struct State {
        /// The worker's key of the call; 0 before it begins.
        var key: UInt64 = 0
        var head: ClientCallHead?
        var headWaiter: CheckedContinuation<ClientCallHead, any Error>?
        var pieces: [[UInt8]] = []
        var waitingCost = 0
        var isPaused = false
        var pieceWaiter: CheckedContinuation<[UInt8]?, any Error>?
        var isComplete = false
        var failure: (any Error)?
        var wantsContent = false
        var contentWaiter: CheckedContinuation<Bool, Never>?
        var uploader: Task<Void, Never>?

        var isOver: Bool { isComplete || failure != nil }
    }

    private let state = Mutex(State())
    private let inbox: Inbox

    package init(inbox: Inbox) {
        self.inbox = inbox
    }

    /// The answer is complete, or there will be none.
    package var isOver: Bool { state.withLock { $0.isOver } }

    // MARK: The worker's side

    var key: UInt64 { state.withLock { $0.key } }

    func begin(key: UInt64) { state.withLock { $0.key = key } }

    func deliver(_ head: ClientCallHead) {
        let waiter = state.withLock { state in
            state.head = head
            return state.headWaiter.take()
        }
        waiter?.resume(returning: head)
    }

    /// True: enough waits, read no more until `.callDemand` comes.
    func deliver(_ piece: [UInt8]) -> Bool {
        if piece.isEmpty { return false }
        let (waiter, isFull) = state.withLock { state in
            if state.failure != nil { return (nil as CheckedContinuation<[UInt8]?, any Error>?, false) }
            if let waiter = state.pieceWaiter.take() { return (waiter, false) }
            state.pieces.append(piece)
            state.waitingCost += piece.count + Self.pieceCost
            state.isPaused = state.waitingCost > Self.waitingLimit
            return (nil, state.isPaused)
        }
        waiter?.resume(returning: piece)
        return isFull
    }

    /// The answer's last byte was delivered.
    func complete() { end(nil) }

    /// There will be no (more of an) answer. The first reason counts.
    package func fail(_ error: any Error) { end(error) }

    private func end(_ error: (any Error)?) {
        let ended: State? = state.withLock { state in
            if state.isOver { return nil }
            if let error { state.failure = error } else { state.isComplete = true }
            let copy = state
            state.headWaiter = nil
            state.pieceWaiter = nil
            state.contentWaiter = nil
            state.uploader = nil
            return copy
        }
        guard let ended else { return }
        ended.uploader?.cancel()
        ended.contentWaiter?.resume(returning: false)
        ended.headWaiter?.resume(throwing: error ?? ClientCallFailure.code(.internalError))
        if let error {
            ended.pieceWaiter?.resume(throwing: error)
        } else {
            ended.pieceWaiter?.resume(returning: nil)
        }
    }

    /// The worker can send the next piece of the request's content.
    func demandContent() {
        let waiter = state.withLock { state in
            let waiter = state.contentWaiter.take()
            if waiter == nil { state.wantsContent = true }
            return waiter
        }
        waiter?.resume(returning: true)
    }

    // MARK: The task's side

    /// Gives up: whoever waits gets `error`, and the worker closes the connection. Nothing happens when the call is over.
    package func abort(_ error: any Error) {
        if isOver { return }
        fail(error)
        inbox.post(.cancelCall(self))
    }

    package func cancel() { abort(CancellationError()) }

    /// Hands the call to its worker.
    package func start(_ request: ClientCallRequest) { inbox.post(.call(request)) }

    /// Waits for the answer's head.
    package func head() async throws -> ClientCallHead {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<ClientCallHead, any Error>? = state.withLock { state in
                    if let head = state.head { return .success(head) }
                    if let failure = state.failure { return .failure(failure) }
                    state.headWaiter = continuation
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Waits for the next piece of the answer's content; nil: it is complete.
    package func nextPiece() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                var wasPaused = false
                let result: Result<[UInt8]?, any Error>? = state.withLock { state in
                    if let piece = Self.takePiece(&state, &wasPaused) { return .success(piece) }
                    if let failure = state.failure { return .failure(failure) }
                    if state.isComplete { return .success(nil) }
                    if state.pieceWaiter != nil { return .failure(ClientCallFailure.bodyInUse) }
                    state.pieceWaiter = continuation
                    return nil
                }
                if wasPaused { inbox.post(.callDemand(self)) }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            cancel()
        }
    }

    private static func takePiece(_ state: inout State, _ wasPaused: inout Bool) -> [UInt8]? {
        guard !state.pieces.isEmpty else { return nil }
        let piece = state.pieces.removeFirst()
        state.waitingCost -= piece.count + pieceCost
        if state.isPaused, state.waitingCost <= waitingLimit / 2 {
            state.isPaused = false
            wasPaused = true
        }
        return piece
    }

    /// Waits until the worker can take the next piece of content. False: the call is over, more is not wanted.
    package func waitForContentDemand() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.isOver { return false }
                if state.wantsContent {
                    state.wantsContent = false
                    return true
                }
                state.contentWaiter = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Hands over a piece of content, after `waitForContentDemand` said true.
    package func send(_ piece: [UInt8]) { inbox.post(.callContent(self, piece)) }

    /// All content was handed over.
    package func endContent() { inbox.post(.callContentEnd(self)) }

    /// The task that feeds the content; it is cancelled when the call is over.
    package func setUploader(_ task: Task<Void, Never>) {
        let isOver = state.withLock { state in
            if !state.isOver { state.uploader = task }
            return state.isOver
        }
        if isOver { task.cancel() }
    }
}
