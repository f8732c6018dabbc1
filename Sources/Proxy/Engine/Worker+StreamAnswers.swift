import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware
import WebSocket

/// Answers to requests that came on streams of HTTP/2: heads of their own form, content without framing.
extension Worker where Driver: ~Copyable {
    /// Sends the final head, of `response`, to the client. False: it did not fit, or the stream is gone.
    mutating func sendStreamHead(_ exchange: SlabKey, isEnd: Bool) -> Bool {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else { return false }
        date.update(seconds: driver.wallClockSeconds)
        let socket = downstreams[downstream].socket
        let framing = exchanges[exchange].downstreamFraming
        let sent = driver.beginResponse(
            socket, bytes: response.bytes, head: response.head, additions: response.additions, framing: framing,
            date: date, isEnd: isEnd)
        guard let count = sent else { return false }
        exchanges[exchange].sentBytes = count
        keepStreamHead(exchange)
        return true
    }

    /// Sends the switch to a WebSocket (RFC 8441 section 5).
    mutating func sendStreamSwitch(_ exchange: SlabKey) -> Bool {
        for index in 0..<response.head.fields.count where response.head.fields[index].known == .secWebSocketAccept {
            response.head.fields[index].isRemoved = true
        }
        exchanges[exchange].downstreamFraming = .none
        return sendStreamHead(exchange, isEnd: false)
    }

    /// An extended CONNECT has no key; an upstream of HTTP/1.1 has to prove that it read one.
    mutating func addWebSocketKey(_ exchange: SlabKey) {
        let key = WebSocketHandshake.key(random.next(), random.next())
        exchanges[exchange].webSocketKey = key
        request.additions.appendLines { lines in
            guard lines.tailroom >= 64 else { return }
            lines.append("Sec-WebSocket-Key: ")
            lines.append(key.span)
            lines.append("\r\n")
        }
    }

    /// The proof that a client of HTTP/1.1 wants, and its upstream on a stream did not give.
    mutating func addWebSocketAccept(_ exchange: SlabKey) {
        guard let key = exchanges[exchange].webSocketKey, !exchanges[exchange].isStreamed else { return }
        let accept = WebSocketHandshake.accept(for: key.span)
        response.additions.appendLines { lines in
            guard lines.tailroom >= 64 else { return }
            lines.append("Sec-WebSocket-Accept: ")
            lines.append(accept.span)
            lines.append("\r\n")
        }
    }

    /// Where the log's format reads the answer's fields: as HTTP/1.1 would have sent them.
    private mutating func keepStreamHead(_ exchange: SlabKey) {
        guard logsResponseFields(exchange) else { return }
        var text = driver.buffers.take(
            atLeast: ResponseEncoder.bytesNeeded(head: response.head, additions: response.additions.span) + 64)
        let isEncoded =
            (try? ResponseEncoder.append(
                to: &text, bytes: response.bytes.span, head: response.head, additions: response.additions.span,
                framing: .none, connection: .keepAlive, clientMinorVersion: 1, date: date.bytes.span,
                checksAdditions: false)) ?? false
        if isEncoded { keepResponseHead(exchange, text) }
        driver.buffers.give(text)
    }

    /// Content of an answer, and its end if this is it.
    mutating func sendStreamContent(_ exchange: SlabKey, _ socket: SocketID, _ buffer: consuming Buffer) {
        exchanges[exchange].responseContentBytes &+= buffer.count
        exchanges[exchange].sentBytes &+= buffer.count
        guard exchanges[exchange].isResponseComplete else {
            driver.send(socket, buffer, more: false)
            return
        }
        guard hasTrailers(exchange) else {
            driver.sendLast(socket, buffer)
            return
        }
        driver.send(socket, buffer, more: true)
        let chunked = exchanges[exchange].responseChunks
        let count = chunks[chunked].trailers.bytes.count
        var lines = driver.buffers.take(atLeast: count)
        chunks[chunked].trailers.appendForwarded(to: &lines)
        driver.sendTrailers(socket, lines)
    }
}
