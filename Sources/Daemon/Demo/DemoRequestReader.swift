import Containers
import HTTP
import HTTP1

/// Reads requests off a connection.
enum DemoRequestReader {
    /// Bytes of a body that an answer can show.
    static let keptBody = 1 << 20
    private static let lineLimit = 4_096

    /// The next request; nil when the peer ended between two.
    static func next(_ stream: inout DemoStream, _ head: inout RequestHead) throws(DemoStream.Failure) -> DemoRequest? {
        let parser = RequestParser()
        while true {
            let isComplete: Bool
            do {
                isComplete = try parser.parse(stream.buffer.span, into: &head)
            } catch {
                throw .malformed
            }
            if isComplete { break }
            guard try stream.receive() else {
                if stream.buffer.isEmpty { return nil }
                throw .gone
            }
        }
        var request = DemoRequest(head, stream.buffer)
        stream.buffer.dropFirst(head.byteCount)
        if head.expectsContinue { try stream.send("HTTP/1.1 100 Continue\r\n\r\n") }
        switch head.framing {
        case .none, .untilClose:
            break
        case .length(let count):
            try stream.take(count, keep: keptBody, into: &request.body)
            request.bodyCount = count
        case .chunked:
            try takeChunks(&stream, &request)
        }
        return request
    }

    private static func takeChunks(_ stream: inout DemoStream, _ request: inout DemoRequest) throws(DemoStream.Failure)
    {
        while true {
            let size = try chunkSize(&stream)
            if size == 0 { break }
            try stream.take(size, keep: keptBody - request.body.count, into: &request.body)
            request.bodyCount += size
            guard try line(&stream).isEmpty else { throw .malformed }
        }
        while try !line(&stream).isEmpty {}
    }

    private static func chunkSize(_ stream: inout DemoStream) throws(DemoStream.Failure) -> Int {
        var size = 0
        var digits = 0
        for byte in try line(&stream) {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                guard byte == 0x3B else { throw .malformed }
                break
            }
            digits += 1
            guard digits <= 12 else { throw .malformed }
            size = size * 16 + digit
        }
        guard digits > 0 else { throw .malformed }
        return size
    }

    /// A line without its CRLF.
    private static func line(_ stream: inout DemoStream) throws(DemoStream.Failure) -> [UInt8] {
        var line: [UInt8] = []
        while true {
            let byte = try stream.byte()
            if byte == 0x0A {
                guard line.popLast() == 0x0D else { throw .malformed }
                return line
            }
            guard line.count < lineLimit else { throw .malformed }
            line.append(byte)
        }
    }
}
