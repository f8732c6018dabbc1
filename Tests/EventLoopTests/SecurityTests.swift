import Containers
import EventLoop
import Linux
import TLS
import Testing
import YAML

@Suite struct SecurityTests {
    @Test func `content that did not fit into a visit's buffer comes before the end of the connection`() throws {
        let scene = try DriverScene(pipes: 0)
        let peer = try scene.connect()
        scene.secure(peer.socket, try Self.server())
        var client = try Self.client()
        try Self.shakeHands(&client, peer, scene)
        // A record that comes in two parts, and a second one with the rest of it: more than a buffer of the usual size holds.
        let content = (0..<26_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let first = try Self.seal(Array(content[..<16_000]), &client)
        let second = try Self.seal(Array(content[16_000...]), &client)
        peer.writeMore(Array(first[..<15_900]))
        scene.turn()
        peer.writeMore(Array(first[15_900...]) + second)
        peer.end()
        let hasEnded = scene.run { scene.ended.contains(peer.socket) }
        #expect(hasEnded)
        #expect(scene.data[peer.socket] == content)
        scene.close(peer.socket)
        #expect(scene.outstandingBuffers == 0)
    }

    @Test(arguments: [false, true])
    func `content, the end that TLS says, and the end of the connection come in this order`(isWhole: Bool) throws {
        let scene = try DriverScene(pipes: 0)
        let peer = try scene.connect()
        scene.secure(peer.socket, try Self.server())
        var client = try Self.client()
        try Self.shakeHands(&client, peer, scene)
        scene.send(peer.socket, [1, 2, 3])
        if isWhole { scene.close(peer.socket) } else { scene.shutdownWrite(peer.socket) }
        var received: [UInt8] = []
        let hasEnded = scene.run {
            let isOpen = peer.read()
            received += peer.received
            peer.forgetReceived()
            return !isOpen
        }
        #expect(hasEnded)
        let read = Self.read(received, &client)
        #expect(read.content == [1, 2, 3] && read.saysEnd)
        if !isWhole { scene.close(peer.socket) }
        #expect(scene.outstandingBuffers == 0)
    }

    /// The content of sealed bytes, and whether TLS says behind it that this was all.
    private static func read(_ bytes: [UInt8], _ client: inout TLSStream) -> (content: [UInt8], saysEnd: Bool) {
        var input = Buffer(capacity: max(1, bytes.count))
        input.append(bytes)
        var content = Buffer(capacity: 16_384)
        while true {
            switch client.read(&input, into: &content, limit: content.tailroom) {
            case .content: continue
            case .ended: return (DriverScene.bytes(content), true)
            case .needsInput, .needsRoom, .failed: return (DriverScene.bytes(content), false)
            }
        }
    }

    private static func client() throws -> TLSStream {
        var settings = TLSClientContext.Settings()
        settings.verifies = false
        guard
            let client = TLSStream(
                client: try TLSClientContext(settings), name: TLSPeerName(text: "api.example.com", isAddress: false))
        else { throw NoMemory() }
        return client
    }

    private struct NoMemory: Error {}

    private static func shakeHands(_ client: inout TLSStream, _ peer: Peer, _ scene: DriverScene) throws {
        var isDone = false
        for _ in 0..<100 where !isDone || !scene.secured.contains(peer.socket) {
            peer.read()
            var input = Buffer(capacity: max(1, peer.received.count))
            input.append(peer.received)
            peer.forgetReceived()
            if !isDone {
                var output = Buffer(capacity: 16_384)
                if case .done = client.shakeHands(&input, &output) { isDone = true }
                if !output.isEmpty { peer.writeMore(DriverScene.bytes(output)) }
            }
            scene.turn()
        }
        #expect(isDone && scene.secured.contains(peer.socket))
    }

    private static func seal(_ bytes: [UInt8], _ client: inout TLSStream) throws -> [UInt8] {
        var content = Buffer(capacity: bytes.count)
        content.append(bytes)
        var output = Buffer(capacity: TLSStream.sealedCount(of: bytes.count))
        if let failure = client.write(content, 0..<bytes.count, into: &output) { throw failure }
        return DriverScene.bytes(output)
    }

    private static func server() throws -> TLSServer {
        let folder = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/TLSTests/Fixtures"
        let chain = try CertificateChain(certificates: read("\(folder)/ecdsa.pem"), key: read("\(folder)/ecdsa.key"))
        let identity = TLSServerContext.Identity(chain: chain.certificatePEM, key: chain.privateKeyPEM)
        let settings = TLSServerContext.Settings(policy: [UInt8](repeating: 0, count: 32))
        return TLSServer(standard: try TLSServerContext(settings, identities: [identity]))
    }

    private static func read(_ path: String) throws -> [UInt8] { try DiskFile.read(path, limit: 1 << 20) }
}
