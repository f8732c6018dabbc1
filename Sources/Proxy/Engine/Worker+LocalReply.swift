import Containers
import EventLoop
import HTTP
import HTTP1
import Middleware

/// Answers that we make ourselves.
extension Worker where Driver: ~Copyable {
    mutating func reply(_ exchange: SlabKey, _ code: ErrorCode) {
        sendReply(exchange, LocalReply(code))
    }

    /// Sends a local reply. What is left of the request's content is skipped when it is here already; else the connection ends.
    mutating func sendReply(_ exchange: SlabKey, _ answer: LocalReply) {
        let downstream = exchanges[exchange].downstream
        guard downstreams.contains(downstream) else {
            retire(exchange)
            return
        }
        exchanges[exchange].phase = .replying
        exchanges[exchange].status = answer.status
        exchanges[exchange].code = answer.code
        skipContent(exchange, downstream)
        var body = driver.buffers.take(.message)
        prepareReply(exchange, answer, &body)
        runResponsePhase(exchange)
        response.additions.appendLines { $0.append("Via: 1.1 martlet\r\n") }
        writeReply(exchange, downstream, answer, body)
        driver.buffers.give(body)
        exchanges[exchange].isResponseComplete = true
        exchanges[exchange].isResponseStarted = true
        if driver.queuedBytes(downstreams[downstream].socket) == 0 {
            finishExchange(exchange)
        } else {
            armExchangeTimer(exchange)
        }
    }

    private mutating func skipContent(_ exchange: SlabKey, _ downstream: SlabKey) {
        guard !exchanges[exchange].isRequestComplete else { return }
        if case .length = exchanges[exchange].requestFraming, var pending = downstreams[downstream].pending.take() {
            let rest = exchanges[exchange].requestRest
            if pending.count >= rest {
                pending.dropFirst(rest)
                exchanges[exchange].requestRest = 0
                exchanges[exchange].isRequestComplete = true
                if pending.isEmpty {
                    driver.buffers.give(pending)
                } else {
                    downstreams[downstream].pending = consume pending
                }
                return
            }
            driver.buffers.give(pending)
        }
        downstreams[downstream].closes = true
    }

    /// Fills the response context and the body; an error without a body of its own gets a problem document.
    private mutating func prepareReply(_ exchange: SlabKey, _ answer: LocalReply, _ body: inout Buffer) {
        response.reset()
        response.isLocal = true
        response.now = driver.now
        response.head.status = answer.status
        response.bytes.clear()
        response.bytes.append(ReasonPhrase.text(answer.status))
        response.head.reason = ByteRange(start: 0, count: response.bytes.count)
        for header in answer.headers { addField(header.name, header.value) }
        if answer.code == .none {
            if let type = answer.contentType { addField("Content-Type", type) }
            return
        }
        if let bytes = exchanges[exchange].requestBytes.take() {
            noteError(exchange, answer, bytes, &body)
            exchanges[exchange].requestBytes = consume bytes
        } else {
            var bytes = Buffer(capacity: 1)
            swap(&bytes, &request.bytes)
            noteError(exchange, answer, bytes, &body)
            swap(&bytes, &request.bytes)
        }
    }

    /// The fields and the body of an error. `head` are the request's bytes.
    private mutating func noteError(
        _ exchange: SlabKey, _ answer: LocalReply, _ bytes: borrowing Buffer, _ body: inout Buffer
    ) {
        let head = bytes.span
        let id = head.extracting(exchanges[exchange].requestID.range(within: head.count))
        response.additions.appendLines { lines in
            guard lines.tailroom >= 512 else { return }
            lines.append("Proxy-Status: ")
            ProblemDocument.appendProxyStatus(answer.code, to: &lines)
            lines.append("\r\nX-Request-Id: ")
            lines.append(id)
            lines.append("\r\n")
            if answer.status == 503, let seconds = answer.code.retryAfter {
                lines.append("Retry-After: ")
                lines.append(decimal: seconds)
                lines.append("\r\n")
            }
        }
        if exchanges[exchange].isStreamed, RequestScan.isGRPC(head) {
            noteGRPCError(answer)
            return
        }
        guard answer.body.isEmpty else {
            if let type = answer.contentType { addField("Content-Type", type) }
            return
        }
        let accept = RequestScan.value(of: Self.acceptName.span, in: head)
        let type: StaticString
        if let accept {
            type = ProblemDocument.append(
                status: answer.status, code: answer.code, detail: answer.detail, requestID: id,
                accept: head.extracting(accept), to: &body)
        } else {
            type = ProblemDocument.append(
                status: answer.status, code: answer.code, detail: answer.detail, requestID: id, accept: nil, to: &body)
        }
        response.additions.appendLines { lines in
            guard lines.tailroom >= 128 else { return }
            lines.append("Content-Type: ")
            lines.append(type)
            lines.append("\r\nCache-Control: no-store\r\n")
        }
    }

    /// An error for a client of gRPC: in its own terms, with the answer's head alone ("Trailers-Only").
    private mutating func noteGRPCError(_ answer: LocalReply) {
        response.isGRPC = true
        response.head.status = 200
        response.additions.appendLines { lines in
            guard lines.tailroom >= 1_024 else { return }
            lines.append("Content-Type: application/grpc\r\nGrpc-Status: ")
            lines.append(decimal: GRPCStatus(httpStatus: answer.status).rawValue)
            lines.append("\r\nGrpc-Message: ")
            // Titles are visible ASCII without `%`, as a message has to be.
            lines.append(answer.code.row.title)
            lines.append("\r\n")
        }
    }

    private static var acceptName: [UInt8] { Array("accept".utf8) }

    /// A field of a reply; one that is not valid is left out.
    private mutating func addField(_ name: String, _ value: String) {
        let name = Array(name.utf8)
        let value = Array(value.utf8)
        _ = response.additions.append(name: name.span, value: value.span)
    }

    private mutating func writeStreamReply(
        _ exchange: SlabKey, _ downstream: SlabKey, _ answer: LocalReply, _ body: borrowing Buffer, isBodyless: Bool
    ) {
        let isGRPC = response.isGRPC
        let bodyCount = isGRPC ? 0 : answer.body.isEmpty ? body.count : answer.body.count
        let isEnd = isBodyless || bodyCount == 0 || exchanges[exchange].method == .head
        exchanges[exchange].downstreamFraming = isBodyless || isGRPC ? .none : .length(bodyCount)
        guard sendStreamHead(exchange, isEnd: isEnd), !isEnd else { return }
        var content = driver.buffers.take(atLeast: bodyCount)
        if answer.body.isEmpty { content.append(body) } else { content.append(answer.body) }
        exchanges[exchange].responseContentBytes = bodyCount
        exchanges[exchange].sentBytes &+= bodyCount
        driver.sendLast(downstreams[downstream].socket, content)
    }

    private mutating func writeReply(
        _ exchange: SlabKey, _ downstream: SlabKey, _ answer: LocalReply, _ body: borrowing Buffer
    ) {
        let bodyCount = answer.body.isEmpty ? body.count : answer.body.count
        let isBodyless = answer.status == 204 || answer.status == 304
        if exchanges[exchange].isStreamed {
            writeStreamReply(exchange, downstream, answer, body, isBodyless: isBodyless)
            return
        }
        date.update(seconds: driver.wallClockSeconds)
        var out = driver.buffers.take(atLeast: response.additions.span.count + bodyCount + 512)
        _ = try? ResponseEncoder.append(
            to: &out, bytes: response.bytes.span, head: response.head, additions: response.additions.span,
            framing: isBodyless ? .none : .length(bodyCount),
            connection: downstreams[downstream].closes ? .close : .keepAlive,
            clientMinorVersion: exchanges[exchange].minorVersion, date: date.bytes.span,
            checksAdditions: false)
        exchanges[exchange].sentBytes = out.count
        keepResponseHead(exchange, out)
        if !isBodyless, exchanges[exchange].method != .head {
            if answer.body.isEmpty { out.append(body) } else { out.append(answer.body) }
            exchanges[exchange].responseContentBytes = bodyCount
            exchanges[exchange].sentBytes &+= bodyCount
        }
        driver.send(downstreams[downstream].socket, out, more: false)
    }
}
