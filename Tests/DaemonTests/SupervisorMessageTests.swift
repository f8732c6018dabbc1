import Config
import Net
import Testing

@testable import Daemon

@Suite struct SupervisorMessageTests {
    static let specs = [
        ListenSpec(place: .address(.ip(.v4(0x7F00_0001), port: 8080))),
        ListenSpec(place: .address(.ip(.v6(0, 1), port: 443))),
        ListenSpec(place: .anyPort(.v4(0), listener: "öffentlich", ordinal: 3)),
        ListenSpec(place: .unix(path: "/run/x.sock"), mode: 0o660, owner: "www-data"),
        ListenSpec(place: .systemd(name: "http")),
    ]

    static let requests: [GatewayRequest] =
        specs.enumerated().map { .bind(number: UInt32($0.offset), $0.element) } + [
            .release([]), .release(specs), .published(generation: .max, specs), .published(generation: 0, []), .ready,
            .draining, .settings(SupervisorSettings(GatewayConfig())), .settings(unwatched),
            .reloadFailed("line 3: unknown key"), .reloadFailed(""), .keepSessionKeys([]),
            .keepSessionKeys([1, 0, 255]), .askSessionKeys(number: 7),
        ]

    private static var unwatched: SupervisorSettings {
        var config = GatewayConfig()
        config.log.format = .json
        config.log.level = .error
        config.hangTimeout = nil
        return SupervisorSettings(config)
    }

    static let replies: [SupervisorReply] = [
        .sockets(number: 0), .sockets(number: .max), .bindFailed(number: 9, reason: "cannot listen: permission denied"),
        .bindFailed(number: 1, reason: ""), .sessionKeys(number: 3, []), .sessionKeys(number: .max, [9, 0]),
    ]

    @Test("a request is read back as it was", arguments: requests)
    func requestRoundTrip(request: GatewayRequest) throws {
        #expect(try GatewayRequest(bytes: request.bytes) == request)
    }

    @Test("a reply is read back as it was", arguments: replies)
    func replyRoundTrip(reply: SupervisorReply) throws {
        #expect(try SupervisorReply(bytes: reply.bytes) == reply)
    }

    @Test("a request that was cut or has bytes behind it is refused", arguments: requests)
    func requestDamage(request: GatewayRequest) {
        let bytes = request.bytes
        for count in 0..<bytes.count {
            #expect(throws: MalformedMessage.self) { try GatewayRequest(bytes: Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage.self) { try GatewayRequest(bytes: bytes + [0]) }
    }

    @Test("a reply that was cut or has bytes behind it is refused", arguments: replies)
    func replyDamage(reply: SupervisorReply) {
        let bytes = reply.bytes
        for count in 0..<bytes.count {
            #expect(throws: MalformedMessage.self) { try SupervisorReply(bytes: Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage.self) { try SupervisorReply(bytes: bytes + [0]) }
    }

    @Test("bytes that are no message are refused, whatever they are")
    func noise() {
        var state: UInt64 = 42
        for _ in 0..<2_000 {
            var bytes: [UInt8] = []
            for _ in 0..<24 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(UInt8(truncatingIfNeeded: state >> 56))
            }
            if let request = try? GatewayRequest(bytes: bytes) { #expect(request.bytes == bytes) }
            if let reply = try? SupervisorReply(bytes: bytes) { #expect(reply.bytes == bytes) }
        }
    }

    @Test("two listeners that let the kernel choose a port are two places")
    func anyPort() {
        let bind = ListenerConfig.Bind.address(.ip(.v4(0), port: 0))
        let places = [
            ListenSpec(bind, listener: "a", ordinal: 0).place, ListenSpec(bind, listener: "a", ordinal: 1).place,
            ListenSpec(bind, listener: "b", ordinal: 0).place,
        ]
        #expect(Set(places).count == 3)
    }

    @Test("an address is the same place for every listener")
    func fixedPort() {
        let bind = ListenerConfig.Bind.address(.ip(.v4(0), port: 80))
        #expect(ListenSpec(bind, listener: "a", ordinal: 0) == ListenSpec(bind, listener: "b", ordinal: 4))
    }
}
