import Containers
import HTTP
import Testing

@testable import HTTP2

/// What a peer may do too much of, with the numbers of `FloodLimits`.
@Suite struct FloodTests {
    private func server(limits: FloodLimits = FloodLimits()) -> ScriptedConnection {
        var connection = ScriptedConnection(isServer: true, limits: limits)
        connection.receive(
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + FrameText.frame("SETTINGS") + FrameText.frame("SETTINGS.a")
        )
        connection.clearEvents()
        return connection
    }

    /// How many times `frames` were taken before the connection failed, and how; their streams rise.
    private func flood(
        _ connection: inout ScriptedConnection, limit: Int = 30_000, _ frames: (UInt32) -> [UInt8]
    ) -> (count: Int, failure: String) {
        for count in 0..<limit {
            connection.clearEvents()
            connection.receive(frames(UInt32(2 * count + 1)))
            connection.output.clear()
            if connection.hasFailed { return (count, connection.events.last ?? "") }
        }
        return (limit, "")
    }

    private func get(_ stream: UInt32) -> [UInt8] { FrameText.frame("HEADERS.eh@\(stream) $G") }

    private func content(_ stream: Int, _ count: Int) -> [UInt8] {
        FrameText.header(count, 0, 0, UInt32(stream)) + [UInt8](repeating: 0, count: count)
    }

    @Test func `Rapid resets`() {
        var connection = server()
        let found = flood(&connection) { get($0) + FrameText.frame("RST@\($0) 00000008") }
        #expect(found == (100, "failed enhanceYourCalm rapidResets"))
    }

    @Test func `Resets in each window of time are allowed, until they are most of all streams`() {
        var connection = server()
        var count = 0
        while count < 1_000, !connection.hasFailed {
            if count % 100 == 0 { connection.act("wait") }
            connection.receive(get(UInt32(2 * count + 1)) + FrameText.frame("RST@\(2 * count + 1) 00000008"))
            count += 1
        }
        #expect(count == 200)
        #expect(connection.events.last == "failed enhanceYourCalm rapidResets")
    }

    @Test func `Resets of answered streams are not rapid`() {
        var connection = server()
        for number in 0..<500 {
            let stream = UInt32(2 * number + 1)
            connection.receive(get(stream))
            _ = connection.respond(stream, end: false)
            connection.receive(FrameText.frame("RST@\(stream) 00000008"))
            connection.output.clear()
            connection.server.outputWasSent()
        }
        #expect(holds(!connection.hasFailed))
    }

    @Test(arguments: [
        "WINDOW@S 00000000", "WINDOW@S 7fffffff", "PRIORITY@S 4*00", "DATA@S 00", "HEADERS.eh@S $G",
    ])
    func `Resets that we are made to send`(frame: String) {
        var connection = server()
        let found = flood(&connection) {
            get($0) + FrameText.frame(Substring(frame.replacing("@S", with: "@\($0)")))
        }
        #expect(found.count == 100)
        #expect(found.failure == "failed enhanceYourCalm streamErrors")
        #expect(connection.server.counters.streamErrors == 101)
    }

    @Test func `Malformed requests`() {
        var connection = server()
        let found = flood(&connection) { FrameText.frame("HEADERS.eh@\($0) {X: y}") }
        #expect(found == (100, "failed enhanceYourCalm streamErrors"))
    }

    @Test func `Answers that are malformed or too large end their own streams alone`() {
        var client = ScriptedConnection(isServer: false)
        client.receive(FrameText.frame("SETTINGS") + FrameText.frame("SETTINGS.a"))
        for index in 0..<300 {
            client.act("get")
            let fields = index % 2 == 0 ? "{X: y}" : "129*0001780179"
            client.receive(FrameText.frame("HEADERS.eh@\(2 * index + 1) $R\(fields)"))
            client.output.clear()
            client.client.outputWasSent()
        }
        #expect(client.client.counters.streamErrors == 300)
        client.clearEvents()
        client.act("get")
        client.receive(FrameText.frame("HEADERS.eh@601 $R"))
        #expect(client.words == "started 601, response 601 200 end")
    }

    @Test func `More streams than allowed, once the limit is known`() {
        var connection = server()
        let found = flood(&connection) { get($0) }
        #expect(found == (200, "failed enhanceYourCalm streamErrors"))
        #expect(connection.server.counters.refusedStreams == 101)
    }

    @Test func `More streams than allowed, by a client that never acknowledges the limit`() {
        var connection = ScriptedConnection(isServer: true)
        connection.receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + FrameText.frame("SETTINGS"))
        connection.clearEvents()
        for index in 0..<300 { connection.receive(get(UInt32(2 * index + 1))) }
        #expect(connection.words.hasSuffix("request 199 end"), "200 are not held against it")
        connection.output.clear()
        connection.server.outputWasSent()
        for index in 300..<400 { connection.receive(get(UInt32(2 * index + 1))) }
        #expect(holds(!connection.hasFailed))
        connection.receive(get(801))
        #expect(connection.events.last == "failed enhanceYourCalm streamErrors")
    }

    @Test func `PING`() {
        var connection = server()
        #expect(flood(&connection) { _ in FrameText.frame("PING 8*00") } == (100, "failed enhanceYourCalm pings"))
        var slow = server()
        for _ in 0..<50 {
            for _ in 0..<100 { slow.receive(FrameText.frame("PING 8*00")) }
            slow.output.clear()
            slow.server.outputWasSent()
            slow.act("wait")
        }
        #expect(holds(!slow.hasFailed))
    }

    @Test(arguments: [true, false]) func `A PING with each frame that brings something is no flood`(isServer: Bool) {
        var connection = ScriptedConnection(isServer: isServer)
        if isServer { connection.receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)) }
        connection.receive(FrameText.frame("SETTINGS") + FrameText.frame("SETTINGS.a"))
        if isServer { connection.receive(FrameText.frame("HEADERS.h@1 $P")) } else { connection.act("post") }
        if !isServer { connection.receive(FrameText.frame("HEADERS.h@1 $R")) }
        let ping = FrameText.frame("PING 8*00")
        for _ in 0..<300 { connection.receive(content(1, 1) + ping) }
        #expect(connection.events.last == "data 1 300")
        if isServer { connection.act("begin@1") }
        connection.server.outputWasSent()
        connection.client.outputWasSent()
        for _ in 0..<300 {
            #expect(holds(connection.content(1, 1, end: false)))
            connection.receive(ping)
        }
        for index in 0..<300 {
            let stream = UInt32(3 + 2 * index)
            if isServer {
                connection.receive(get(stream))
                connection.act("respond@\(stream)")
            } else {
                connection.act("get")
                connection.receive(FrameText.frame("HEADERS.eh@\(stream) $R"))
            }
            connection.receive(ping)
        }
        #expect(holds(!connection.hasFailed))
    }

    @Test func `Frames that bring something make room for twice as many PINGs, and only in their own window of time`() {
        var connection = server()
        connection.receive(FrameText.frame("PING 8*00") + get(1))
        connection.act("respond@1")
        #expect(
            flood(&connection) { _ in FrameText.frame("PING 8*00") } == (99 + 4, "failed enhanceYourCalm pings"))
        var later = server()
        later.receive(FrameText.frame("PING 8*00") + get(1))
        later.act("respond@1")
        later.act("wait")
        #expect(flood(&later) { _ in FrameText.frame("PING 8*00") } == (100, "failed enhanceYourCalm pings"))
    }

    @Test func `SETTINGS`() {
        var connection = server()
        #expect(flood(&connection) { _ in FrameText.frame("SETTINGS") } == (19, "failed enhanceYourCalm settings"))
    }

    @Test func `Empty DATA`() {
        var connection = server()
        connection.receive(FrameText.frame("HEADERS.h@1 $P"))
        #expect(flood(&connection) { _ in FrameText.frame("DATA@1") } == (10, "failed enhanceYourCalm emptyFrames"))
        var padded = server()
        padded.receive(FrameText.frame("HEADERS.h@1 $P"))
        #expect(
            flood(&padded) { _ in FrameText.frame("DATA.p@1 02 0000") } == (10, "failed enhanceYourCalm emptyFrames"))
    }

    @Test func `PRIORITY`() {
        var connection = server()
        #expect(
            flood(&connection) { _ in FrameText.frame("PRIORITY@1 5*00") } == (200, "failed enhanceYourCalm priorities")
        )
        var other = server()
        other.receive(get(1))
        #expect(flood(&other) { _ in FrameText.frame("PRIORITY@1 5*00") }.count == 202)
    }

    @Test func `WINDOW_UPDATE of no use`() {
        var connection = server()
        #expect(
            flood(&connection) { _ in FrameText.frame("WINDOW 00000001") } == (
                100, "failed enhanceYourCalm windowUpdates"
            ))
        var used = server()
        used.receive(get(1))
        _ = used.respond(1, end: false)
        for _ in 0..<200 {
            #expect(holds(used.content(1, 1, end: false)))
            for _ in 0..<20 { used.receive(FrameText.frame("WINDOW@1 00000001")) }
            used.output.clear()
        }
        #expect(holds(!used.hasFailed))
    }

    @Test func `Unknown frames and frames of streams that we reset`() {
        var connection = server()
        #expect(
            flood(&connection) { _ in FrameText.frame("TYPE77") } == (1_000, "failed enhanceYourCalm ignoredFrames"))
        var reset = server()
        reset.receive(FrameText.frame("HEADERS.h@1 $P"))
        reset.act("reset@1")
        // Its window is 65,535 bytes.
        let frame = content(1, 1_000)
        #expect(flood(&reset) { _ in frame } == (65 + 1_008, "failed enhanceYourCalm ignoredFrames"))
        var ends = server()
        ends.receive(FrameText.frame("HEADERS.h@1 $P"))
        ends.act("reset@1")
        let end = FrameText.frame("DATA.e@1")
        #expect(flood(&ends) { _ in end } == (1_008, "failed enhanceYourCalm ignoredFrames"))
    }

    @Test func `What was on its way of streams that we reset is no abuse, however many they are`() {
        var client = ScriptedConnection(isServer: false)
        client.receive(FrameText.frame("SETTINGS") + FrameText.frame("SETTINGS.a"))
        let streams = (0..<300).map { 2 * $0 + 1 }
        for _ in streams { client.act("get") }
        for stream in streams { client.act("reset@\(stream)") }
        for stream in streams {
            client.receive(FrameText.frame("HEADERS.h@\(stream) $R"))
            for _ in 0..<15 { client.receive(content(stream, 100)) }
            client.receive(FrameText.frame("HEADERS.eh@\(stream) {x-a: b}"))
            client.output.clear()
        }
        #expect(client.events.last == "started 599")
        #expect(client.client.counters.ignoredFrames == 600)
        client.clearEvents()
        client.act("get")
        client.receive(FrameText.frame("HEADERS.h@601 $R") + FrameText.frame("DATA.e@601 00"))
        #expect(client.words == "started 601, response 601 200, data 601 1 end")
    }

    @Test func `A server that allows many streams may reset all of them at once`() {
        var settings = LocalSettings()
        settings.concurrentStreams = 8_000
        var server = ScriptedConnection(isServer: true, settings: settings)
        server.receive(
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + FrameText.frame("SETTINGS") + FrameText.frame("SETTINGS.a")
        )
        let streams = (0..<300).map { 2 * $0 + 1 }
        for stream in streams { server.receive(FrameText.frame("HEADERS.h@\(stream) $P")) }
        server.clearEvents()
        for stream in streams { server.act("reset@\(stream)") }
        for stream in streams {
            for _ in 0..<15 { server.receive(content(stream, 100)) }
            server.receive(FrameText.frame("HEADERS.eh@\(stream) {x-a: b}"))
            server.output.clear()
        }
        server.receive(get(601))
        #expect(server.words == "request 601 end")
    }

    @Test func `Streams behind the last one that our GOAWAY named`() {
        var connection = server()
        connection.receive(get(1))
        connection.act("goaway")
        for index in 1...300 {
            connection.receive(FrameText.frame("HEADERS.h@\(2 * index + 1) $P"))
            for _ in 0..<3 { connection.receive(content(2 * index + 1, 100)) }
        }
        #expect(connection.words == "request 1 end")
        #expect(connection.server.counters.streams == 1)
        #expect(connection.server.counters.ignoredFrames == 300)
        #expect(flood(&connection) { get(602 + $0) } == (708, "failed enhanceYourCalm ignoredFrames"))
    }

    @Test func `Answers that the peer does not read`() {
        var limits = FloodLimits()
        limits.pings = 5_000
        var connection = server(limits: limits)
        // The empty SETTINGS were acknowledged.
        #expect(
            flood(&connection) { _ in FrameText.frame("PING 8*00") } == (999, "failed enhanceYourCalm unreadReplies"))
        var reader = server(limits: limits)
        for _ in 0..<3_000 {
            reader.receive(FrameText.frame("PING 8*00"))
            reader.output.clear()
            reader.server.outputWasSent()
        }
        #expect(holds(!reader.hasFailed))
    }

    @Test func `A connection that has failed says so again and does nothing`() {
        var connection = server()
        connection.receive(FrameText.frame("DATA@1 00"))
        #expect(connection.words == "failed protocolError idleStream")
        _ = connection.takeOutput()
        let frame = FrameText.frame("PING 8*00")
        var at = 0
        let event = connection.server.next(
            frame.span, &at, now: connection.now, connection.tables, into: &connection.section, &connection.output)
        #expect(event == .failed(.protocolError, .idleStream))
        #expect(holds(connection.output.isEmpty && at == 0))
    }
}
