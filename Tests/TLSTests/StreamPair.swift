import Containers
import TLS

/// A client and a server that speak TLS through memory, in pieces of any size.
struct StreamPair: ~Copyable {
    var client: TLSStream
    var server: TLSStream
    /// Bytes that the other side gets at a time.
    let piece: Int
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    private(set) var clientDone = false
    private(set) var serverDone = false
    private(set) var clientFailure: TLSFailure?
    private(set) var serverFailure: TLSFailure?

    init(
        _ server: TLSServer, _ client: TLSClientContext, name: String = "api.example.com", piece: Int = .max,
        resuming session: TLSSession? = nil
    ) throws {
        guard
            let client = TLSStream(
                client: client, name: TLSPeerName(text: name, isAddress: false), resuming: session),
            let server = TLSStream(server: server)
        else { throw NoMemory() }
        self.client = client
        self.server = server
        self.piece = piece
    }

    struct NoMemory: Error {}

    /// How the handshake ended, and what it agreed on.
    struct Result {
        var clientDone: Bool
        var serverDone: Bool
        var clientFailure: TLSFailure?
        var serverFailure: TLSFailure?
        var serverVersion: Int
        var serverCipher: String
        var serverContext: TLSServerContext?
        var serverProtocol: TLSApplicationProtocol?
        var clientProtocol: TLSApplicationProtocol?
        var clientCertificate: [UInt8]
        var serverCertificate: [UInt8]
    }

    var result: Result {
        Result(
            clientDone: clientDone, serverDone: serverDone, clientFailure: clientFailure, serverFailure: serverFailure,
            serverVersion: server.version, serverCipher: server.cipher, serverContext: server.context,
            serverProtocol: server.applicationProtocol, clientProtocol: client.applicationProtocol,
            clientCertificate: server.peerCertificate, serverCertificate: client.peerCertificate)
    }

    /// Until both are done, or one has failed, or nothing moves.
    mutating func shakeHands() {
        var moved = true
        var isFirst = true
        while moved {
            moved = false
            if !clientDone, clientFailure == nil, isFirst || !toClient.isEmpty {
                isFirst = false
                moved = true
                step(isServer: false)
            }
            if !serverDone, serverFailure == nil, !toServer.isEmpty {
                moved = true
                step(isServer: true)
            }
        }
    }

    private mutating func step(isServer: Bool) {
        var input = isServer ? Self.take(piece, of: &toServer) : Self.take(piece, of: &toClient)
        while true {
            var output = Buffer(capacity: 700)
            let result = isServer ? server.shakeHands(&input, &output) : client.shakeHands(&input, &output)
            if isServer { toClient += output.array } else { toServer += output.array }
            switch result {
            case .needsRoom: continue
            case .needsInput: break
            case .done: if isServer { serverDone = true } else { clientDone = true }
            case .failed(let failure): if isServer { serverFailure = failure } else { clientFailure = failure }
            }
            break
        }
        if isServer { toServer = input.array + toServer } else { toClient = input.array + toClient }
    }

    /// What the server sends to the client, sealed.
    mutating func serverSends(_ bytes: [UInt8]) throws(TLSFailure) {
        try Self.seal(bytes, with: &server, to: &toClient)
    }

    mutating func clientSends(_ bytes: [UInt8]) throws(TLSFailure) {
        try Self.seal(bytes, with: &client, to: &toServer)
    }

    private static func seal(_ bytes: [UInt8], with stream: inout TLSStream, to wire: inout [UInt8]) throws(TLSFailure)
    {
        var content = Buffer(capacity: max(1, bytes.count))
        content.append(bytes)
        var output = Buffer(capacity: TLSStream.sealedCount(of: bytes.count))
        if let failure = stream.write(content, 0..<bytes.count, into: &output) { throw failure }
        wire += output.array
    }

    /// Content, and how reading ended when all that was sent is read.
    enum End: Equatable { case waits, ended, failed }

    mutating func serverReads(room: Int = 20_000) -> ([UInt8], End) {
        Self.readAll(&server, &toServer, piece: piece, room: room, answers: &toClient)
    }

    mutating func clientReads(room: Int = 20_000) -> ([UInt8], End) {
        Self.readAll(&client, &toClient, piece: piece, room: room, answers: &toServer)
    }

    private static func readAll(
        _ stream: inout TLSStream, _ wire: inout [UInt8], piece: Int, room: Int, answers: inout [UInt8]
    ) -> ([UInt8], End) {
        var all: [UInt8] = []
        while true {
            var input = take(piece, of: &wire)
            while true {
                var content = Buffer(capacity: room)
                var output = Buffer(capacity: 2_048)
                let step = stream.read(&input, into: &content, limit: room, &output)
                answers += output.array
                all += content.array
                switch step {
                case .content, .needsRoom: continue
                case .needsInput: break
                case .ended: return (all, .ended)
                case .failed: return (all, .failed)
                }
                break
            }
            if wire.isEmpty { return (all, .waits) }
        }
    }

    private static func take(_ count: Int, of wire: inout [UInt8]) -> Buffer {
        let count = min(count, wire.count)
        var buffer = Buffer(capacity: max(1, count))
        buffer.append(Array(wire[..<count]))
        wire.removeFirst(count)
        return buffer
    }
}

extension Buffer {
    var array: [UInt8] {
        var bytes: [UInt8] = []
        for index in 0..<count { bytes.append(self[index]) }
        return bytes
    }
}
