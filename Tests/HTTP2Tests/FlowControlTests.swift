import Containers
import HTTP
import Testing

@testable import HTTP2

@Suite struct FlowControlTests {
    private func server(
        _ settings: LocalSettings = LocalSettings(), limits: FloodLimits = FloodLimits()
    ) -> ScriptedConnection {
        var connection = ScriptedConnection(isServer: true, settings: settings, limits: limits)
        connection.receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + FrameText.frame("SETTINGS"))
        _ = connection.takeOutput()
        connection.clearEvents()
        return connection
    }

    private func send(_ connection: inout ScriptedConnection, _ frames: String) -> String {
        connection.clearEvents()
        for frame in frames.split(separator: " & ") { connection.receive(FrameText.frame(frame)) }
        return connection.words
    }

    /// WINDOW_UPDATE frames by stream.
    private func updates(_ output: [UInt8]) -> [Int: Int] {
        var rest = output[...]
        var found: [Int: Int] = [:]
        while rest.count >= 9 {
            let at = rest.startIndex
            let length = Int(rest[at + 1]) << 8 | Int(rest[at + 2])
            let stream = rest[(at + 5)..<(at + 9)].reduce(0) { $0 << 8 | Int($1) }
            if rest[at + 3] == 8 {
                found[stream, default: 0] += rest.dropFirst(9).prefix(4).reduce(0) { $0 << 8 | Int($1) }
            }
            rest = rest.dropFirst(9 + length)
        }
        return found
    }

    @Test func `Content beyond a stream's window resets the stream, beyond the connection's ends it`() {
        var connection = server()
        connection.consumes = false
        let full = "HEADERS.h@1 $P & DATA@1 16384*00 & DATA@1 16384*00 & DATA@1 16384*00 & DATA@1 16383*00"
        #expect(send(&connection, full) == "request 1, data 1 65535")
        #expect(send(&connection, "DATA@1 00") == "reset 1 3")
        #expect(send(&connection, "HEADERS.eh@3 $G") == "request 3 end")
        var settings = LocalSettings()
        settings.connectionWindow = 65_535
        var small = server(settings)
        small.consumes = false
        let two =
            "HEADERS.h@1 $P & HEADERS.h@3 $P & DATA@1 16384*00 & DATA@3 16384*00 & DATA@1 16384*00 & DATA@3 16384*00"
        #expect(
            send(&small, two)
                == "request 1, request 3, data 1 16384, data 3 16384, data 1 16384, failed flowControlError windowExceeded"
        )
    }

    @Test func `A window is given back when half of it was consumed`() {
        var connection = server()
        connection.consumes = false
        _ = send(&connection, "HEADERS.h@1 $P & DATA@1 16384*00 & DATA@1 16384*00")
        connection.server.consumed(1, 32_767, &connection.output)
        #expect(holds(connection.output.isEmpty))
        connection.server.consumed(1, 1, &connection.output)
        #expect(updates(connection.takeOutput()) == [1: 32_768])
    }

    @Test func `Padding and content of streams that are gone never use the windows up`() {
        var connection = server()
        connection.consumes = false
        _ = send(&connection, "HEADERS.h@1 $P & HEADERS.h@3 $P")
        for _ in 0..<2_000 { #expect(send(&connection, "DATA.p@1 ff 61 255*00") == "data 1 1") }
        let given = updates(connection.takeOutput())
        #expect(given[1] ?? 0 > 2_000 * 256 - 32_768)
        _ = connection.server.reset(3, .cancel, &connection.output)
        for _ in 0..<100 { #expect(send(&connection, "DATA@3 16384*00") == "") }
        #expect(holds(updates(connection.takeOutput())[0] ?? 0 >= 1 << 20))
    }

    @Test func `Content that was delivered before a reset is given back by who has it`() {
        var settings = LocalSettings()
        settings.connectionWindow = 65_535
        var connection = server(settings)
        connection.consumes = false
        _ = send(&connection, "HEADERS.h@1 $P & DATA@1 16384*00 & DATA@1 16384*00 & RST@1 00000008")
        #expect(holds(updates(connection.takeOutput()).isEmpty))
        connection.server.consumed(1, 32_768, &connection.output)
        #expect(updates(connection.takeOutput()) == [0: 32_768])
    }

    @Test func `A reset in the middle of a frame passes over the rest of it`() {
        var settings = LocalSettings()
        settings.connectionWindow = 65_535
        var connection = server(settings)
        connection.consumes = false
        _ = send(&connection, "HEADERS.h@1 $P")
        let frame = FrameText.frame("DATA.p@1 04 16000*00 4*00")
        connection.receive(Array(frame.prefix(1_010)))
        #expect(connection.words == "request 1, data 1 1000")
        _ = connection.server.reset(1, .cancel, &connection.output)
        connection.receive(Array(frame.dropFirst(1_010)))
        #expect(connection.words == "request 1, data 1 1000")
        connection.server.consumed(1, 1_000, &connection.output)
        // All 16,005 bytes are back.
        #expect(connection.server.receiveWindow + connection.server.unreturned == 65_535)
        #expect(send(&connection, "HEADERS.eh@3 $G") == "request 3 end")
    }

    @Test func `Content is sent within both windows and frames of the peer's size`() {
        var connection = server()
        _ = send(&connection, "HEADERS.eh@1 $G & HEADERS.eh@3 $G")
        #expect(connection.respond(1, end: false) == .sent)
        #expect(connection.respond(3, end: false) == .sent)
        #expect(connection.server.sendable(1) == 16_384)
        #expect(holds(!connection.content(16_385, 1, end: false)))
        for _ in 0..<3 { #expect(holds(connection.content(16_384, 1, end: false))) }
        #expect(holds(connection.content(16_000, 1, end: false)))
        #expect(connection.server.sendable(1) == 383)
        // The connection's window has as much left as the stream's.
        #expect(holds(connection.content(383, 3, end: false)))
        #expect(holds(connection.server.sendable(1) == 0 && connection.server.sendable(3) == 0))
        #expect(holds(!connection.content(1, 3, end: false)))
        #expect(holds(connection.content(0, 3, end: true)), "an empty end needs no window")
        #expect(holds(!connection.content(0, 3, end: true)), "but only once")
        #expect(send(&connection, "WINDOW 00000010") == "window 0")
        #expect(connection.server.sendable(1) == 16)
        #expect(send(&connection, "SETTINGS 000400000000") == "settings")
        #expect(connection.server.sendable(1) == 0)
        #expect(send(&connection, "SETTINGS 000400010000 000500010000 & WINDOW 00100000") == "settings")
        #expect(connection.server.sendable(1) == 384, "a change of the window goes to streams that are open")
    }

    @Test func `A header goes before content that is already in its buffer`() {
        var connection = server()
        _ = send(&connection, "HEADERS.eh@1 $G")
        _ = connection.respond(1, end: false)
        var content = Buffer(capacity: 100, headroom: 9)
        content.append("abc")
        #expect(holds(connection.server.prependDataHeader(1, end: true, to: &content)))
        #expect(Array(copying: content.span) == [0, 0, 3, 0, 1, 0, 0, 0, 1] + Array("abc".utf8))
        #expect(connection.server.openStreams == 0)
        var full = Buffer(capacity: 100, headroom: 8)
        full.append("abc")
        #expect(holds(!connection.server.prependDataHeader(1, end: true, to: &full)))
    }

    @Test func `A stream with content and no window is told after a while`() {
        var connection = server()
        _ = send(&connection, "SETTINGS 000400000000 & HEADERS.eh@1 $G & HEADERS.eh@3 $G")
        _ = connection.respond(1, end: false)
        #expect(connection.server.stallDeadline == .never)
        connection.server.markStalled(1, now: connection.now)
        connection.server.markStalled(1, now: connection.now.advanced(by: 5))
        let deadline = connection.now.advanced(by: 30_000_000_000)
        #expect(connection.server.stallDeadline == deadline)
        #expect(connection.server.stalledStream(now: deadline.advanced(by: -1)) == nil)
        #expect(connection.server.stalledStream(now: deadline) == 1)
        _ = send(&connection, "WINDOW@1 00000001")
        #expect(holds(connection.content(1, 1, end: false)))
        #expect(connection.server.stalledStream(now: deadline) == nil)
    }

    @Test func `Nothing is read while there is no room for answers`() {
        var connection = server()
        connection.output = Buffer(capacity: 100)
        connection.output.append([UInt8](repeating: 0, count: 60))
        let frame = FrameText.frame("PING 8*07")
        var at = 0
        let event = connection.server.next(
            frame.span, &at, now: connection.now, connection.tables, into: &connection.section, &connection.output)
        #expect(event == .outputFull)
        #expect(at == 0)
        connection.output.clear()
        connection.receive(frame)
        #expect(connection.takeOutput() == FrameText.frame("PING.a 8*07"))
    }
}
