import Config
import Net
import Simulation
import Testing

/// What the gateway still says to the sides of a WebSocket connection while it ends. Virtual seconds.
@Suite struct TunnelEndTests {
    private static let request = """
        GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
        """
    private static let answer = """
        HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n
        """

    private enum Side { case client, upstream }

    /// A text frame, with and without the mask that a client's has.
    private static let fromClient: [UInt8] = [0x81, 0x81, 0, 0, 0, 0, 0x61]
    private static let fromUpstream: [UInt8] = [0x81, 0x01, 0x61]

    /// One side says something after a second and ends its direction, without a close frame; the other one is slow to read
    /// that. Returns what came to each behind the heads.
    private func run(ends: Side) throws -> (client: [UInt8], upstream: [UInt8], violations: [String]) {
        func script(_ peer: ScriptedPeer, of side: Side) {
            if ends == side {
                peer.after(.seconds(1)) {
                    peer.connection?.write(side == .client ? Self.fromClient : Self.fromUpstream)
                    peer.connection?.end()
                }
            } else {
                peer.read(.slowly(bytes: 1_000, every: 8_000_000_000))
            }
        }
        var upstream: ScriptedPeer?
        var scene = try Scene { peer in
            upstream = peer
            peer.onBytes = {
                peer.onBytes = {}
                peer.send(Self.answer)
                script(peer, of: .upstream)
            }
        } configure: { config in
            config.routes[0].webSocket.pingInterval = .seconds(2)
        }
        let client = scene.client { peer in
            peer.send(Self.request)
            peer.onBytes = {
                peer.onBytes = {}
                script(peer, of: .client)
            }
        }
        scene.run(.seconds(30))
        #expect(client.text.hasPrefix("HTTP/1.1 101"))
        func behindHead(_ peer: ScriptedPeer) -> [UInt8] { Array(peer.bytes.dropFirst(peer.headCount ?? 0)) }
        return (behindHead(client), upstream.map(behindHead) ?? [], scene.network.violations)
    }

    @Test func `a client that was told that its upstream left gets nothing more`() throws {
        let result = try run(ends: .upstream)
        // Internal error, and no ping behind it.
        #expect(result.client == Self.fromUpstream + [0x88, 2, 0x03, 0xF3])
        #expect(result.violations == [])
    }

    @Test func `an upstream whose client has ended gets nothing more`() throws {
        let result = try run(ends: .client)
        #expect(result.upstream == Self.fromClient)
        #expect(result.violations == [])
    }
}
