import HTTP
import Linux

/// One connection of the demo upstream, from its first request to its end.
enum DemoSession {
    static func serve(_ connection: consuming BlockingConnection) {
        var stream = DemoStream(connection)
        do {
            try serveAll(&stream)
        } catch .malformed {
            let answer = DemoAnswer(status: 400, body: "this is not a request that the demo understands\n")
            try? stream.send(answer.head(isKeptAlive: false) + answer.body)
        } catch {
            return
        }
    }

    private static func serveAll(_ stream: inout DemoStream) throws(DemoStream.Failure) {
        var head = RequestHead()
        while let request = try DemoRequestReader.next(&stream, &head) {
            switch DemoRoute(request) {
            case .answer(let answer):
                try send(answer, to: request, &stream)
            case .delayed(let answer, let milliseconds):
                try stream.pause(milliseconds: milliseconds)
                try send(answer, to: request, &stream)
            case .bytes(let count):
                try sendBytes(count, to: request, &stream)
            case .pieces(let pieces):
                try sendPieces(pieces, to: request, &stream)
            case .webSocket(let key):
                try DemoWebSocket.serve(&stream, key: key)
                return
            }
            if !request.isKeptAlive {
                stream.connection.shutdownWrite()
                return
            }
        }
    }

    private static func send(
        _ answer: DemoAnswer, to request: DemoRequest, _ stream: inout DemoStream
    ) throws(DemoStream.Failure) {
        let head = answer.head(isKeptAlive: request.isKeptAlive)
        let hasBody = request.method != "HEAD" && answer.mayHaveBody
        try stream.send(hasBody ? head + answer.body : head)
    }

    private static func sendBytes(
        _ count: Int, to request: DemoRequest, _ stream: inout DemoStream
    ) throws(DemoStream.Failure) {
        var answer = DemoAnswer(status: 200, type: "application/octet-stream", body: "")
        answer.length = count
        try stream.send(answer.head(isKeptAlive: request.isKeptAlive))
        if request.method == "HEAD" { return }
        let block = [UInt8](repeating: 0x78, count: min(count, 64 * 1024))
        var left = count
        while left > 0 {
            try stream.send(left >= block.count ? block : Array(block.prefix(left)))
            left -= block.count
        }
    }

    /// HTTP/1.0 knows no chunks: there the end of the connection ends the content.
    private static func sendPieces(
        _ pieces: DemoPieces, to request: DemoRequest, _ stream: inout DemoStream
    ) throws(DemoStream.Failure) {
        let isKeptAlive = request.isKeptAlive && request.isHTTP11
        var answer = DemoAnswer(status: 200, type: pieces.type, body: "")
        answer.length = nil
        answer.isChunked = request.isHTTP11
        answer.fields.append(("Cache-Control", "no-store"))
        try stream.send(answer.head(isKeptAlive: isKeptAlive))
        if request.method == "HEAD" { return }
        for number in 1...max(1, pieces.count) {
            if number > 1 { try stream.pause(milliseconds: pieces.interval) }
            let text = Array(pieces.text(number).utf8)
            if request.isHTTP11 {
                try stream.send(Array((String(text.count, radix: 16) + "\r\n").utf8) + text + [0x0D, 0x0A])
            } else {
                try stream.send(text)
            }
        }
        if request.isHTTP11 { try stream.send("0\r\n\r\n") }
        if !isKeptAlive, request.isKeptAlive { throw .gone }
    }
}
