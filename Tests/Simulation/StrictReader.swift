/// Reads messages of one connection in the normal form that a gateway writes: strict heads, chunks with plain lower-case
/// sizes and without extensions. Anything else is malformed, which is final.
///
///     head ─▶ length(n) / chunk size ⇄ chunk data ─▶ trailers / untilEnd ─▶ end ─▶ head
package struct StrictReader {
    package enum Event {
        case head(StrictHead)
        case body([UInt8])
        case end
        case malformed(String)
    }

    private enum State {
        case head
        case length(Int)
        case chunkSize, chunkEnd, trailers
        case chunkData(Int)
        case untilEnd
        case ended
        case broken
    }

    private let isResponse: Bool
    private var state = State.head
    private var input: [UInt8] = []
    private var at = 0
    /// Bytes that were fed and not used.
    package var unusedCount: Int { input.count - at }
    /// Whether a message has begun and not ended.
    package var isInMessage: Bool {
        if case .head = state { return unusedCount > 0 }
        return true
    }
    package var isUntilEnd: Bool {
        if case .untilEnd = state { return true }
        return false
    }

    package init(isResponse: Bool) { self.isResponse = isResponse }

    package mutating func feed(_ bytes: [UInt8]) {
        if at == input.count {
            input = bytes
            at = 0
        } else {
            input.removeFirst(at)
            at = 0
            input += bytes
        }
    }

    /// The next event, nil when more bytes are needed. `method` is what a response answers.
    package mutating func next(method: String) -> Event? {
        do {
            return try step(method)
        } catch {
            state = .broken
            return .malformed(error.reason)
        }
    }

    private mutating func step(_ method: String) throws(StrictHead.Malformed) -> Event? {
        while true {
            switch state {
            case .head: return try head(method)
            case .length(0), .ended:
                state = .head
                return .end
            case .length(let count):
                guard unusedCount > 0 else { return nil }
                let bytes = take(count)
                state = .length(count - bytes.count)
                return .body(bytes)
            case .chunkSize:
                guard let line = try line(limit: 16) else { return nil }
                let size = try chunkSize(line)
                state = size == 0 ? .trailers : .chunkData(size)
            case .chunkData(let count):
                guard unusedCount > 0 else { return nil }
                let bytes = take(count)
                state = count == bytes.count ? .chunkEnd : .chunkData(count - bytes.count)
                return .body(bytes)
            case .chunkEnd:
                guard unusedCount >= 2 else { return nil }
                guard take(2) == [0x0D, 0x0A] else { throw .init(reason: "no CRLF behind a chunk") }
                state = .chunkSize
            case .trailers:
                guard let line = try line(limit: 8_192) else { return nil }
                if line.isEmpty {
                    state = .head
                    return .end
                }
                _ = try StrictHead(Array("x\r\n".utf8) + line + [0x0D, 0x0A, 0x0D, 0x0A])
            case .untilEnd:
                return unusedCount > 0 ? .body(take(.max)) : nil
            case .broken: return nil
            }
        }
    }

    private mutating func head(_ method: String) throws(StrictHead.Malformed) -> Event? {
        var end = at
        while end + 3 < input.count {
            if input[end] == 0x0D, input[end + 1] == 0x0A, input[end + 2] == 0x0D, input[end + 3] == 0x0A { break }
            end += 1
        }
        guard end + 3 < input.count else {
            if unusedCount > 65_536 { throw .init(reason: "a head without end") }
            return nil
        }
        let head = try StrictHead(Array(input[at..<(end + 4)]))
        at = end + 4
        let framing = try head.framing(isResponse: isResponse)
        let status = isResponse ? try Self.status(head.startLine) : 200
        if isResponse, status < 200 || status == 204 || status == 304 || method == "HEAD" {
            if status == 204 || status < 200, framing != .untilEnd { throw .init(reason: "framing in a \(status)") }
            state = .ended
        } else {
            switch framing {
            case .length(let count): state = .length(count)
            case .chunked: state = .chunkSize
            case .untilEnd: state = .untilEnd
            }
        }
        return .head(head)
    }

    /// `HTTP/1.1 200 OK` by the grammar of RFC 9112 section 4.
    package static func status(_ line: String) throws(StrictHead.Malformed) -> Int {
        let bytes = Array(line.utf8)
        guard line.hasPrefix("HTTP/1.1 "), bytes.count >= 13, bytes[12] == 0x20,
            let status = Int(String(decoding: bytes[9..<12], as: UTF8.self)), (100...599).contains(status)
        else { throw .init(reason: "status line \(line)") }
        return status
    }

    private mutating func take(_ limit: Int) -> [UInt8] {
        let end = at + min(limit, unusedCount)
        let bytes = Array(input[at..<end])
        at = end
        return bytes
    }

    private mutating func line(limit: Int) throws(StrictHead.Malformed) -> [UInt8]? {
        var end = at
        while end + 1 < input.count {
            if input[end] == 0x0D, input[end + 1] == 0x0A {
                let line = Array(input[at..<end])
                at = end + 2
                return line
            }
            end += 1
            if end - at > limit { throw .init(reason: "a line of more than \(limit) bytes") }
        }
        return nil
    }

    /// Lower-case hexadecimal digits without a leading zero, and nothing else.
    private func chunkSize(_ line: [UInt8]) throws(StrictHead.Malformed) -> Int {
        let text = String(decoding: line, as: UTF8.self)
        guard let size = Int(text, radix: 16), String(size, radix: 16) == text, size >= 0 else {
            throw .init(reason: "chunk size line \(text)")
        }
        return size
    }
}
