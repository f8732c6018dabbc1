import Containers
import HTTP
import Testing

@testable import HTTP2

/// The head that comes of fields is the one that HTTP/1.1 would have brought.
@Suite struct FieldSectionTests {
    private func section(
        _ fields: [(String, String)], isEnd: Bool = true, allowsConnect: Bool = false,
        limits: FieldLimits = FieldLimits()
    ) -> FieldSection {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        var section = FieldSection(limits: limits)
        section.begin(.request)
        #expect(decoder.decode(FrameText.fields(fields).span, tables, into: &section) == .decoded)
        section.finishRequest(isEnd: isEnd, allowsConnect: allowsConnect)
        return section
    }

    private static let get = [
        (":method", "GET"), (":scheme", "https"), (":path", "/a?b=c"), (":authority", "a.test:8443"),
    ]

    private func part(_ section: borrowing FieldSection, _ range: ByteRange) -> String {
        text(section.arena.span.extracting(range.range))
    }

    private func lines(_ section: borrowing FieldSection) -> [String] {
        (0..<section.request.fields.count).map { index in
            let line = section.request.fields[index]
            let mark = line.isRemoved ? "- " : line.isNormal ? "" : "? "
            // A normal line stands as it is written.
            let whole = ByteRange(start: line.name.lower, count: line.value.upper + 2 - line.name.lower)
            #expect(part(section, whole) == "\(part(section, line.name)): \(part(section, line.value))\r\n")
            return "\(mark)\(line.known) \(part(section, line.name)): \(part(section, line.value))"
        }
    }

    @Test func `Pseudo-header fields become target and Host`() {
        let section = section(Self.get + [("user-agent", "x"), ("x_y", "z")])
        #expect(holds(section.fault == .none && section.refusal == .none))
        #expect(holds(section.request.method == .get))
        #expect(part(section, section.request.methodRange) == "GET")
        #expect(part(section, section.request.target) == "/a?b=c")
        #expect(part(section, section.request.path) == "/a")
        #expect(section.request.query.map { part(section, $0) } == "b=c")
        #expect(part(section, section.request.authority) == "a.test:8443")
        #expect(
            holds(section.request.framing == .none && section.request.keepAlive && section.request.minorVersion == 1))
        #expect(
            lines(section) == ["- host host: a.test:8443", "userAgent user-agent: x", "- other x_y: z"])
        #expect(section.request.byteCount == section.arena.count)
    }

    @Test func `Host stands once, whoever says it`() {
        let both = section(Self.get + [("host", "a.test:8443"), ("x", "y")])
        #expect(lines(both) == ["- host host: a.test:8443", "other x: y"])
        let alone = section(Array(Self.get.prefix(3)) + [("x", "y"), ("host", "b.test")])
        #expect(lines(alone) == ["other x: y", "- host host: b.test"])
        #expect(part(alone, alone.request.authority) == "b.test")
    }

    @Test func `Crumbs of a cookie are joined, whatever stands between them`() {
        let next = section(Self.get + [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", ""), ("x", "y")])
        #expect(lines(next)[1...] == ["cookie cookie: a=1; b=2; ", "other x: y"])
        let apart = section(
            Self.get + [
                ("cookie", "a=1"), ("cookie", "b=2"), ("x", "y"), ("cookie", "c=3"), ("z", ""), ("cookie", "d=4"),
            ])
        #expect(lines(apart)[1...] == ["cookie cookie: a=1; b=2; c=3; d=4", "other x: y", "other z: "])
    }

    @Test func `Content is framed by its length, else in chunks`() {
        #expect(holds(section(Self.get + [("content-length", "5")], isEnd: false).request.framing == .length(5)))
        #expect(holds(section(Self.get + [("content-length", "0")]).request.framing == .length(0)))
        #expect(holds(section(Self.get, isEnd: false).request.framing == .chunked))
        let expecting = section(Self.get + [("expect", "100-Continue")], isEnd: false)
        #expect(holds(expecting.request.expectsContinue))
        #expect(lines(expecting)[1...] == ["- expect expect: 100-Continue"])
        #expect(holds(!section(Self.get + [("expect", "100-continue")]).request.expectsContinue))
        #expect(holds(section(Self.get + [("te", "Trailers")]).request.acceptsTrailers))
    }

    @Test func `Fields for the next hop are not passed on`() {
        let section = section(
            Self.get + [("trailer", "x"), ("http2-settings", "x"), ("proxy-authorization", "x"), ("te", "trailers")])
        #expect(holds(lines(section).allSatisfy { $0.hasPrefix("- ") }))
    }

    @Test func `A WebSocket's CONNECT is the GET that HTTP/1.1 would have brought`() {
        let fields = [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"),
            (":authority", "a.test"), ("sec-websocket-version", "13"), ("sec-websocket-key", "own"),
            ("sec-websocket-protocol", "x"),
        ]
        let section = section(fields, isEnd: false, allowsConnect: true)
        #expect(holds(section.fault == .none && section.refusal == .none))
        #expect(holds(section.request.method == .get && section.request.isWebSocketHandshake))
        #expect(part(section, section.request.methodRange) == "GET")
        #expect(holds(section.request.framing == .none))
        #expect(lines(section)[2] == "- secWebSocketKey sec-websocket-key: own")
    }

    @Test func `A path over its limit is refused as such`() {
        var limits = FieldLimits()
        limits.targetBytes = 100
        let fits = String(repeating: "x", count: 99)
        let pairs = Self.get.filter { $0.0 != ":path" }
        #expect(section(pairs + [(":path", "/" + fits)], limits: limits).refusal == .none)
        #expect(section(pairs + [(":path", "/x" + fits)], limits: limits).refusal == .uriTooLong)
        let long = String(repeating: "x", count: 8_193)
        #expect(section(pairs + [(":path", "/" + long)], limits: limits).refusal == .uriTooLong)
        limits.targetBytes = 9_000
        #expect(section(pairs + [(":path", "/" + long)], limits: limits).refusal == .none)
    }

    @Test func `What its sender wants in no table stays marked`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        var section = FieldSection()
        section.begin(.request)
        let block = FrameText.fields(Self.get) + Array(hex: "1001 7801 79 0001 7801 79")
        #expect(decoder.decode(block.span, tables, into: &section) == .decoded)
        section.finishRequest(isEnd: true, allowsConnect: false)
        #expect(holds(section.request.fields[1].isSensitive))
        #expect(holds(!section.request.fields[2].isSensitive))
    }

    @Test func `Trailers are marked as those of HTTP/1.1 are`() {
        let tables = HPACKTables()
        var decoder = FieldDecoder()
        var section = FieldSection()
        section.begin(.trailers)
        let fields = [("grpc-status", "0"), ("content-length", "5"), ("x_y", "z"), ("host", "a"), ("cookie", "b")]
        #expect(decoder.decode(FrameText.fields(fields).span, tables, into: &section) == .decoded)
        section.finishTrailers()
        #expect(section.fault == .none)
        let removed = (0..<section.trailers.count).map { section.trailers[$0].isRemoved }
        #expect(removed == [false, true, true, true, true])
    }
}
