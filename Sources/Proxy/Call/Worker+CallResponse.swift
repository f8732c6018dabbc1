import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import Upstream

/// The answer to a call: its head, its content, its end.
extension Worker where Driver: ~Copyable {
    /// Interim responses that are skipped.
    private static var interimLimit: Int { 16 }

    mutating func onCallData(_ key: SlabKey, _ session: SlabKey, _ buffer: consuming Buffer) {
        switch calls[key].phase {
        case .sending:
            receiveCallHead(key, session, buffer)
        case .receiving:
            receiveCallContent(key, session, buffer)
        case .queued, .connecting:
            driver.buffers.give(buffer)
            failCall(key, .responseInvalid)
        }
    }

    private mutating func receiveCallHead(_ key: SlabKey, _ session: SlabKey, _ buffer: consuming Buffer) {
        calls[key].hasFirstByte = true
        while true {
            do throws(ResponseFailure) {
                let isComplete = try context.responseParser.parse(
                    buffer.span, requestMethod: calls[key].request.method, into: &response.head)
                guard isComplete else {
                    driver.unread(sessions[session].socket, buffer)
                    return
                }
            } catch {
                driver.buffers.give(buffer)
                failCall(key, error.code)
                return
            }
            if response.head.status >= 200 { break }
            calls[key].interims &+= 1
            // Nobody asked for another protocol.
            let code: ErrorCode? =
                response.head.status == 101
                ? .responseInvalid
                : calls[key].interims > Self.interimLimit ? .tooManyInterim : nil
            if let code {
                driver.buffers.give(buffer)
                failCall(key, code)
                return
            }
            buffer.dropFirst(response.head.byteCount)
            if buffer.isEmpty {
                driver.buffers.give(buffer)
                return
            }
        }
        endCallRetry(key)
        calls[key].phase = .receiving
        calls[key].keepsSession = response.head.keepAlive
        if let seconds = response.head.keepAliveTimeoutSeconds {
            // As for exchanges: one second before the upstream gives up.
            let limit = Int64(max(0, min(seconds, 3_600)) - 1) * 1_000_000_000
            sessions[session].idleLimit = min(sessions[session].idleLimit, max(limit, 0))
        }
        let head = CallHeads.head(response.head, buffer)
        buffer.dropFirst(response.head.byteCount)
        calls[key].framing = response.head.framing
        if case .length(let count) = response.head.framing { calls[key].rest = count }
        calls[key].request.handle.deliver(head)
        receiveCallContent(key, session, buffer)
    }

    /// The final head came on a stream; the content ends with it.
    mutating func receiveStreamedCallHead(_ key: SlabKey, _ session: SlabKey, isEnd: Bool) {
        guard calls[key].phase == .sending else {
            failCall(key, .responseInvalid)
            return
        }
        var buffer = driver.buffers.take(atLeast: driver.sectionCount)
        driver.takeResponse(&response.head, &buffer)
        calls[key].hasFirstByte = true
        endCallRetry(key)
        calls[key].phase = .receiving
        calls[key].keepsSession = false
        let head = CallHeads.head(response.head, buffer)
        driver.buffers.give(buffer)
        calls[key].framing = isEnd ? .none : .untilClose
        calls[key].request.handle.deliver(head)
        if isEnd { completeCall(key) } else { setCallDeadline(key, after: calls[key].timeouts.bodyIdle) }
    }

    private mutating func receiveCallContent(_ key: SlabKey, _ session: SlabKey, _ buffer: consuming Buffer) {
        var isEnd = false
        switch calls[key].framing {
        case .none:
            if !buffer.isEmpty { calls[key].keepsSession = false }
            buffer.keepFirst(0)
            isEnd = true
        case .length:
            if buffer.count > calls[key].rest {
                calls[key].keepsSession = false
                buffer.keepFirst(calls[key].rest)
            }
            calls[key].rest &-= buffer.count
            isEnd = calls[key].rest == 0
        case .chunked:
            var decoder = calls[key].decoder
            do throws(ChunkedFailure) {
                let progress = try decoder.decode(&buffer, trailers: &calls[key].trailers)
                calls[key].decoder = decoder
                if progress.isComplete, progress.consumed < buffer.count { calls[key].keepsSession = false }
                isEnd = progress.isComplete
                buffer.keepFirst(progress.contentCount)
            } catch {
                driver.buffers.give(buffer)
                failCall(key, .responseInvalid)
                return
            }
        case .untilClose:
            calls[key].keepsSession = false
        }
        let handle = calls[key].request.handle
        let isFull = handle.deliver(CallHeads.copy(buffer))
        driver.buffers.give(buffer)
        if isEnd {
            completeCall(key)
        } else if isFull {
            pauseSession(session)
            setCallDeadline(key, after: .max)
        } else if !sessions[session].isPaused {
            setCallDeadline(key, after: calls[key].timeouts.bodyIdle)
        }
    }

    /// The connection is free before the task hears of the end, so that its next call finds it.
    private mutating func completeCall(_ key: SlabKey) {
        let handle = calls[key].request.handle
        endCall(key, aborts: false)
        handle.complete()
    }

    /// The task took enough of what waited.
    mutating func continueCall(_ handle: ClientCallHandle) {
        guard let key = call(of: handle), sessions.contains(calls[key].session) else { return }
        resumeSession(calls[key].session)
        if calls[key].phase == .receiving { setCallDeadline(key, after: calls[key].timeouts.bodyIdle) }
    }

    mutating func onCallEnd(_ key: SlabKey, _ session: SlabKey) {
        switch calls[key].phase {
        case .receiving where calls[key].framing == .untilClose:
            completeCall(key)
        case .receiving:
            failCall(key, .responseIncomplete)
        case .sending:
            // A part of a head is no answer, and no reason to send the request again.
            retryOrFailCall(key, calls[key].hasFirstByte ? .responseIncomplete : .connectionTerminated)
        case .connecting:
            onConnectFailure(session, .connectionTerminated)
        case .queued:
            closeSession(session)
        }
    }

    mutating func onCallFailure(_ key: SlabKey, _ session: SlabKey, _ failure: IOFailure) {
        switch calls[key].phase {
        case .receiving:
            failCall(key, .responseIncomplete)
        case .sending:
            retryOrFailCall(key, calls[key].hasFirstByte ? .responseIncomplete : .connectionReset)
        case .connecting:
            onConnectFailure(session, failure.connectCode)
        case .queued:
            closeSession(session)
        }
    }
}

/// Copies of what stays in the worker's buffers. Free functions, because a span of a part would borrow all of the worker.
enum CallHeads {
    static func head(_ head: borrowing ResponseHead, _ bytes: borrowing Buffer) -> ClientCallHead {
        var fields: [MessageField] = []
        fields.reserveCapacity(head.fields.count)
        for index in 0..<head.fields.count where !head.fields[index].isRemoved {
            let line = head.fields[index]
            let name = String(decoding: copy(bytes, line.name.range), as: UTF8.self)
            fields.append(MessageField(name, copy(bytes, line.value.range)))
        }
        var length = head.declaredLength
        if case .length(let count) = head.framing { length = count }
        return ClientCallHead(status: head.status, fields: fields, contentLength: length)
    }

    static func copy(_ bytes: borrowing Buffer, _ range: Range<Int>? = nil) -> [UInt8] {
        let span = bytes.span
        var copy: [UInt8] = []
        let range = range ?? 0..<span.count
        copy.reserveCapacity(range.count)
        for index in range { copy.append(span[index]) }
        return copy
    }
}
