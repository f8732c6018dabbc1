import Containers
import HTTP
import HTTP1
import Testing

@Suite struct ResponseParserTests {
    private struct Facts: Equatable {
        var framing = BodyFraming.none
        var keepAlive = true
        var timeout: Int?
        var isSwitch = false
        var isEventStream = false
        var hasDate = false
    }

    private static func facts(_ text: String, _ method: Method = .get) throws -> Facts {
        let bytes = Array(text.utf8)
        var head = ResponseHead()
        #expect(try ResponseParser().parse(bytes.span, requestMethod: method, into: &head))
        return Facts(
            framing: head.framing, keepAlive: head.keepAlive, timeout: head.keepAliveTimeoutSeconds,
            isSwitch: head.isWebSocketSwitch, isEventStream: head.isEventStream, hasDate: head.hasDate)
    }

    @Test func `Framing and connection follow RFC 9112 section 6 point 3`() throws {
        let ok = "HTTP/1.1 200 OK\r\n"
        #expect(try Self.facts(ok + "Content-Length: 5\r\n\r\n") == Facts(framing: .length(5)))
        #expect(try Self.facts(ok + "Transfer-Encoding: chunked\r\n\r\n") == Facts(framing: .chunked))
        #expect(try Self.facts(ok + "\r\n") == Facts(framing: .untilClose, keepAlive: false))
        #expect(try Self.facts(ok + "Content-Length: 5\r\n\r\n", .head) == Facts())
        #expect(try Self.facts(ok + "\r\n", .head) == Facts())
        #expect(try Self.facts("HTTP/1.1 204 No\r\n\r\n") == Facts())
        #expect(try Self.facts("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n") == Facts(keepAlive: false))
        #expect(try Self.facts("HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n") == Facts())
        #expect(try Self.facts("HTTP/1.1 100 Go\r\n\r\n") == Facts())
        #expect(try Self.facts("HTTP/1.1 205 No\r\nContent-Length: 0\r\n\r\n") == Facts(framing: .length(0)))
        #expect(
            try Self.facts("HTTP/1.1 205 No\r\nContent-Length: 1\r\n\r\n")
                == Facts(framing: .length(0), keepAlive: false))
        #expect(try Self.facts("HTTP/1.1 205 No\r\n\r\n") == Facts(framing: .length(0), keepAlive: false))
    }

    @Test func `Keep-alive is the default of HTTP 1-1 and an option of HTTP 1-0`() throws {
        let length = "Content-Length: 0\r\n\r\n"
        #expect(try Self.facts("HTTP/1.0 200 OK\r\n" + length).keepAlive == false)
        #expect(try Self.facts("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + length).keepAlive)
        #expect(try Self.facts("HTTP/1.1 200 OK\r\nConnection: close\r\n" + length).keepAlive == false)
        #expect(try Self.facts("HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\n" + length).keepAlive == false)
        #expect(try Self.facts("HTTP/1.1 200 OK\r\nConnection: \"close\"\r\n" + length).keepAlive == false)
    }

    @Test(arguments: [
        ("timeout=5", 5), ("max=100, timeout=15", 15), ("TIMEOUT=0", 0), ("timeout=x", nil), ("timeout=", nil),
        ("timeout=99999999999999999999", nil), ("max=1", nil), ("", nil),
    ])
    func `The timeout of a Keep-Alive field is read`(value: String, seconds: Int?) throws {
        #expect(try Self.facts("HTTP/1.1 200 OK\r\nKeep-Alive: \(value)\r\n\r\n").timeout == seconds)
    }

    @Test(arguments: [
        ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n", true),
        ("Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\nSec-WebSocket-Accept: x\r\n", true),
        ("Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n", false),
        ("Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n", false),
        ("Upgrade: websocket\r\nConnection: Upgrade\r\n", false),
        ("Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n", false),
        ("Upgrade: h2c, websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n", false),
        ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Accept: x\r\n", false),
    ])
    func `A 101 switches to WebSocket only when it says so completely`(fields: String, isSwitch: Bool) throws {
        #expect(try Self.facts("HTTP/1.1 101 Switching\r\n\(fields)\r\n").isSwitch == isSwitch)
        #expect(try Self.facts("HTTP/1.1 200 OK\r\n\(fields)Content-Length: 0\r\n\r\n").isSwitch == false)
    }

    @Test(arguments: [
        ("text/event-stream", true), ("Text/Event-Stream; charset=utf-8", true), ("text/event-streams", false),
        ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc-web", true),
        ("application/grpcx", false), ("multipart/x-mixed-replace;boundary=x", true), ("application/x-ndjson", true),
        ("text/html", false), ("", false),
    ])
    func `Endless content is known by its type`(type: String, isEndless: Bool) throws {
        #expect(try Self.facts("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n\r\n").isEventStream == isEndless)
    }
}
