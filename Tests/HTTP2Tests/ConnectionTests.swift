import Containers
import HTTP
import Testing

@testable import HTTP2

/// Our own server and client, one against the other.
@Suite struct ConnectionTests {
    struct Pair: ~Copyable {
        var server = ScriptedConnection(isServer: true)
        var client = ScriptedConnection(isServer: false)

        /// Bytes go to and fro until none are left.
        mutating func settle() {
            while !server.output.isEmpty || !client.output.isEmpty {
                server.receive(client.takeOutput())
                client.receive(server.takeOutput())
            }
        }
    }

    @Test func `A request is read as it was sent, and so is its response`() {
        var pair = Pair()
        pair.settle()
        #expect(holds(pair.client.words == "settings" && pair.server.words == "settings"))
        #expect(pair.client.client.unacknowledgedSettings == 0)
        let started = pair.client.request(
            "PUT", end: true, lines: [("User-Agent", "test"), ("Cookie", "a=b"), ("Connection", "x")])
        #expect(started == "started 1")
        pair.settle()
        #expect(pair.server.words == "settings, request 1 end")
        let head = text(pair.server.section.arena.span)
        #expect(holds(head.contains(":method: PUT\r\n:scheme: https\r\n")))
        #expect(holds(head.hasSuffix("host: a.test\r\n:path: /\r\nuser-agent: test\r\ncookie: a=b\r\n")))
        #expect(pair.server.respond(1, end: false, lines: [("Server", "x"), ("Date", "now")]) == .sent)
        #expect(holds(pair.server.content(5, 1, end: false)))
        var trailers = FieldEncoderTests.Lines()
        trailers.append("Grpc-Status", "0")
        let outcome = pair.server.server.sendTrailers(
            1, trailers.fields, of: trailers.bytes.span, pair.server.tables, &pair.server.output)
        #expect(outcome == .sent)
        pair.settle()
        #expect(pair.client.words == "settings, response 1 200, data 1 5, trailers 1")
        #expect(text(pair.client.section.arena.span) == "grpc-status: 0\r\n")
        #expect(holds(pair.server.server.openStreams == 0 && pair.client.client.openStreams == 0))
        #expect(pair.server.respond(1, end: true) == .gone)
    }

    @Test func `A response has status, framing and Date as HTTP/1.1 would have them`() {
        var pair = Pair()
        pair.settle()
        _ = pair.client.request("GET", end: true)
        _ = pair.client.request("HEAD", end: true)
        pair.settle()
        var head = ResponseHead()
        head.status = 404
        let outcome = pair.server.server.beginResponse(
            1, bytes: Span(), head: head, additions: Array("Via: 2.0 m\r\n".utf8).span, framing: .length(12),
            date: Array("today".utf8).span, end: false, pair.server.tables, &pair.server.output)
        #expect(outcome == .sent)
        pair.settle()
        #expect(holds(pair.client.words.hasSuffix("response 1 404")))
        #expect(
            text(pair.client.section.arena.span)
                == ":status: 404\r\nvia: 2.0 m\r\ndate: today\r\ncontent-length: 12\r\n")
        #expect(holds(pair.client.section.response.framing == .length(12) && pair.client.section.response.hasDate))
        head.status = 200
        head.declaredLength = 77
        _ = pair.server.server.beginResponse(
            3, bytes: Span(), head: head, additions: Span(), framing: .none, date: Span(), end: true,
            pair.server.tables, &pair.server.output)
        pair.settle()
        #expect(pair.client.section.response.declaredLength == 77)
        #expect(holds(pair.client.section.response.framing == .none))
    }

    @Test func `A tunnel is a switch of protocols on both sides`() {
        var settings = LocalSettings()
        settings.allowsConnect = true
        var pair = Pair()
        pair.server = ScriptedConnection(isServer: true, settings: settings)
        pair.settle()
        #expect(pair.client.request("GET", end: false, upgrade: true) == "started 1")
        pair.settle()
        // The other side has no version of it: it has to be among the lines.
        #expect(holds(pair.server.words.hasSuffix("refused 1 upgradeRefused")))
        let lines = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "x")]
        #expect(pair.client.request("GET", end: false, upgrade: true, lines: lines) == "started 3")
        pair.settle()
        #expect(holds(pair.server.words.hasSuffix("request 3")))
        #expect(holds(pair.server.section.request.isWebSocketHandshake))
        var head = ResponseHead()
        head.status = 101
        let outcome = pair.server.server.beginResponse(
            3, bytes: Span(), head: head, additions: Span(), framing: .none, date: Span(), end: false,
            pair.server.tables, &pair.server.output)
        #expect(outcome == .sent)
        pair.settle()
        #expect(holds(pair.client.words.hasSuffix("response 3 101")))
        #expect(text(pair.client.section.arena.span) == ":status: 200\r\n")
        #expect(holds(pair.client.content(3, 3, end: false)))
        pair.settle()
        #expect(holds(pair.server.words.hasSuffix("data 3 3")))
    }

    @Test func `A head larger than a frame goes in several`() {
        var pair = Pair()
        pair.settle()
        let lines = (0..<8).map { ("x-\($0)", String(repeating: "\($0)", count: 7_000)) }
        _ = pair.client.request("GET", end: true, lines: lines)
        let frames = Array(copying: pair.client.output.span)
        #expect(holds(frames[3] == 1 && frames[4] == 1 && frames[9 + 16_384 + 3] == 9))
        pair.settle()
        #expect(pair.server.words == "settings, request 1 end")
        #expect(pair.server.section.request.fields.count == 9)
    }

    @Test func `Without room nothing is written, and nothing is lost`() {
        var pair = Pair()
        pair.settle()
        pair.client.output = Buffer(capacity: 150)
        #expect(pair.client.request("GET", end: true) == "noRoom")
        #expect(holds(pair.client.output.isEmpty && pair.client.client.openStreams == 0))
        pair.client.output = Buffer(capacity: 4_096)
        #expect(pair.client.request("GET", end: true) == "started 1")
        pair.settle()
        pair.server.output = Buffer(capacity: 100)
        #expect(pair.server.respond(1, end: true) == .noRoom)
        #expect(pair.server.server.openStreams == 1)
    }

    @Test func `The numbers of streams end`() {
        var client = ScriptedConnection(isServer: false)
        client.receive(FrameText.frame("SETTINGS"))
        client.client.nextStream = 0x7FFF_FFFF
        #expect(client.request("GET", end: true) == "started 2147483647")
        #expect(client.request("GET", end: true) == "closing")
        #expect(holds(client.client.isClosing))
    }

    @Test func `A ping comes back`() {
        var pair = Pair()
        pair.settle()
        #expect(pair.client.client.ping(0x0102_0304_0506_0708, &pair.client.output) == .sent)
        pair.settle()
        #expect(pair.client.words == "settings, pong 72623859790382856")
    }

    @Test func `Settings say what the side allows`() {
        var server = ScriptedConnection(isServer: true)
        #expect(
            server.takeOutput()
                == FrameText.frame("SETTINGS 000300000064 000600010000") + FrameText.frame("WINDOW 000f0001"))
        var client = ScriptedConnection(isServer: false)
        #expect(
            Array(client.takeOutput().dropFirst(24))
                == FrameText.frame("SETTINGS 000200000000 000600010000") + FrameText.frame("WINDOW 000f0001"))
    }

    @Test func `Streams are found and closed as in a dictionary`() {
        var dice = RandomSource(seed: 9_113)
        var table = StreamTable()
        var model: [UInt32: Int32] = [:]
        for _ in 0..<20_000 {
            let id = UInt32(dice.below(4) == 0 ? dice.below(1 << 30) * 2 + 1 : dice.below(400) * 2 + 1)
            if let place = table.find(id) {
                #expect(model[id] == table.slots[place].sendWindow)
                table.close(place)
                model[id] = nil
            } else {
                #expect(model[id] == nil)
                let window = dice.below(1 << 30)
                #expect(table.open(Stream(id: id, sendWindow: window, receiveWindow: 0)) != nil)
                model[id] = Int32(window)
            }
            #expect(table.count == model.count)
        }
        for id in model.keys { #expect(table.find(id) != nil) }
    }
}
