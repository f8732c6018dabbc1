import Config
import Containers
import EventLoop
import HTTP
import HTTP1
import Upstream

/// A call's request on its way: head, content, end.
extension Worker where Driver: ~Copyable {
    /// Content that is copied behind the head to go out in one piece.
    private static var copyLimit: Int { 4_096 }

    mutating func attachCall(_ key: SlabKey, _ session: SlabKey, isReused: Bool) {
        leaveQueue(call: key)
        // Of its time without a request.
        timers.remove(Owner.upstreamTimer(session))
        sessions[session].call = key
        sessions[session].phase = .busy
        sessions[session].requests &+= 1
        calls[key].session = session
        calls[key].isReused = isReused
        calls[key].endpoint = sessions[session].endpointIndex
        if isReused { calls[key].inFlight.begin(at: sessions[session].endpoint) }
        calls[key].phase = .sending
        sendCallHead(key, session)
    }

    private mutating func sendCallHead(_ key: SlabKey, _ session: SlabKey) {
        let request = calls[key].request
        let host = request.host ?? hostOfCall(session)
        let size = request.requestLine.count + host.count + request.fields.count + 16
        var out = driver.buffers.take(atLeast: size + Self.copyLimit)
        out.append(request.requestLine)
        out.append("Host: ")
        out.append(host)
        out.append("\r\n")
        out.append(request.fields)
        let socket = sessions[session].socket
        if sessions[session].isStream {
            sendCallHead(key, session, onStream: out)
            return
        }
        switch request.body {
        case .none:
            calls[key].isRequestComplete = true
            driver.send(socket, out, more: false)
        case .bytes(let bytes):
            calls[key].isRequestComplete = true
            if bytes.count <= Self.copyLimit {
                out.append(bytes)
                driver.send(socket, out, more: false)
            } else {
                driver.send(socket, out, more: true)
                sendCopy(of: bytes[...], to: socket, more: false)
            }
        case .stream(let length):
            calls[key].requestRest = length ?? 0
            driver.send(socket, out, more: false)
            if calls[key].isContentOver { endCallContent(request.handle) } else { request.handle.demandContent() }
        }
        armCallWriting(key)
    }

    private mutating func sendCallHead(_ key: SlabKey, _ session: SlabKey, onStream text: consuming Buffer) {
        let request = calls[key].request
        let socket = sessions[session].socket
        var isEnd = false
        if case .none = request.body { isEnd = true }
        let isBegun = driver.beginRequest(socket, text, isSecure: sessions[session].isSecure, isEnd: isEnd)
        driver.buffers.give(text)
        guard isBegun else {
            failCall(key, .connectionTerminated)
            return
        }
        switch request.body {
        case .none:
            calls[key].isRequestComplete = true
        case .bytes(let bytes):
            calls[key].isRequestComplete = true
            sendCopy(of: bytes[...], to: socket, more: true)
            driver.shutdownWrite(socket)
        case .stream(let length):
            calls[key].requestRest = length ?? 0
            if calls[key].isContentOver { endCallContent(request.handle) } else { request.handle.demandContent() }
        }
        armCallWriting(key)
    }

    /// For upstreams of the configuration: there is no client whose Host could be passed on.
    private func hostOfCall(_ session: SlabKey) -> [UInt8] {
        if case .name(let name) = sessions[session].upstream.config.host { return Array(name.utf8) }
        return Array(sessions[session].endpoint.authority.utf8)
    }

    private mutating func sendCopy(of bytes: ArraySlice<UInt8>, to socket: SocketID, more: Bool) {
        var rest = bytes
        while !rest.isEmpty {
            let piece = rest.prefix(BufferPool.bulkBytes)
            rest = rest.dropFirst(piece.count)
            var buffer = driver.buffers.take(atLeast: piece.count)
            buffer.append(piece.span)
            driver.send(socket, buffer, more: more || !rest.isEmpty)
        }
    }

    /// What the call waits for while it sends: the kernel, the answer, or its own content (only the whole call's time runs then).
    mutating func armCallWriting(_ key: SlabKey) {
        guard calls[key].phase == .sending else { return }
        let queued = driver.queuedBytes(sessions[calls[key].session].socket)
        calls[key].queuedBytes = queued
        if queued > 0 {
            setCallDeadline(key, after: calls[key].timeouts.bodyIdle)
        } else {
            setCallDeadline(key, after: calls[key].isRequestComplete ? calls[key].timeouts.response : .max)
        }
    }

    /// A piece of a streamed body.
    mutating func receiveCallContent(_ handle: ClientCallHandle, _ piece: [UInt8]) {
        guard let key = call(of: handle), !calls[key].isRequestComplete, sessions.contains(calls[key].session) else {
            return
        }
        let socket = sessions[calls[key].session].socket
        if case .stream(let length?) = calls[key].request.body {
            guard length > 0, piece.count <= calls[key].requestRest else {
                failCall(key, .internalError)
                return
            }
            calls[key].requestRest &-= piece.count
            sendCopy(of: piece[...], to: socket, more: false)
        } else if !piece.isEmpty {
            var buffer = driver.buffers.take(atLeast: piece.count + BufferPool.headroom + BufferPool.tailroom)
            buffer.clear(headroom: BufferPool.headroom)
            buffer.append(piece)
            if !sessions[calls[key].session].isStream { frameChunk(&buffer) }
            driver.send(socket, buffer, more: false)
        }
        if driver.queuedBytes(socket) == 0 { handle.demandContent() }
        armCallWriting(key)
    }

    /// All pieces were handed over. Of a stream without any this is told before there is a connection.
    mutating func endCallContent(_ handle: ClientCallHandle) {
        guard let key = call(of: handle), !calls[key].isRequestComplete else { return }
        guard calls[key].phase == .sending || calls[key].phase == .receiving, sessions.contains(calls[key].session)
        else {
            calls[key].isContentOver = true
            return
        }
        if case .stream(.some) = calls[key].request.body {
            guard calls[key].requestRest == 0 else {
                failCall(key, .internalError)
                return
            }
        } else if !sessions[calls[key].session].isStream {
            var last = driver.buffers.take(.head)
            last.append(ChunkEncoder.last)
            driver.send(sessions[calls[key].session].socket, last, more: false)
        }
        if sessions[calls[key].session].isStream { driver.shutdownWrite(sessions[calls[key].session].socket) }
        calls[key].isRequestComplete = true
        armCallWriting(key)
    }

    /// Everything sent is with the kernel.
    mutating func onCallDrained(_ key: SlabKey) {
        if !calls[key].isRequestComplete { calls[key].request.handle.demandContent() }
        armCallWriting(key)
    }
}
