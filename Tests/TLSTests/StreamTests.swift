import CTLS
import Containers
import TLS
import Testing

@Suite("Streams")
struct StreamTests {
    @Test(
        "cut at any place, the handshake and the content are the same",
        arguments: [1, 2, 3, 5, 17, 100, 1_000, Int.max])
    func cuts(piece: Int) throws {
        var pair = try StreamPair(
            TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client(), piece: piece)
        pair.shakeHands()
        #expect(pair.result.clientDone && pair.result.serverDone)
        #expect(pair.result.serverVersion == 0x0304 && pair.result.serverCipher == "TLS_AES_128_GCM_SHA256")
        let long = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try pair.clientSends(long)
        try pair.serverSends([1, 2, 3])
        let (atServer, serverEnd) = pair.serverReads()
        let (atClient, clientEnd) = pair.clientReads()
        #expect(atServer == long && serverEnd == .waits)
        #expect(atClient == [1, 2, 3] && clientEnd == .waits)
    }

    @Test("content is read in pieces of any size", arguments: [1, 7, 1_000, 16_384, 50_000])
    func smallRoom(room: Int) throws {
        var pair = try StreamPair(TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client())
        pair.shakeHands()
        let long = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try pair.clientSends(long)
        let (read, _) = pair.serverReads(room: room)
        #expect(read == long)
    }

    @Test("what is sealed fits into the room that was promised", arguments: [1, 100, 16_383, 16_384, 16_385, 114_688])
    func sealedCount(count: Int) throws {
        for minimum in [TLSVersion.tls12, .tls13] {
            let server = try StreamFixture.context(["ecdsa"]) { $0.minVersion = minimum }
            var pair = try StreamPair(TLSServer(standard: server), StreamFixture.client())
            pair.shakeHands()
            try pair.serverSends([UInt8](repeating: 1, count: count))
        }
        // A large buffer of the pool holds seven full records, a small one holds one.
        #expect(TLSStream.sealedCount(of: 16_384) <= 16_384 + 128)
        #expect(TLSStream.sealedCount(of: 7 * 16_384) <= 131_072)
    }

    @Test("a name chooses its certificate and policy, whatever its case, and an unknown one the first or none")
    func names() throws {
        let (first, other) = (try StreamFixture.context(["ecdsa"]), try StreamFixture.context(["ed25519"], policy: 1))
        let wild = try StreamFixture.context(["rsa"], policy: 2)
        let server = TLSServer(
            standard: first, exact: [Array("other.example".utf8): other],
            wildcard: [Array("api.example.com".utf8): wild])
        for (asked, number) in [
            ("other.example", 1), ("OTHER.Example", 1), ("a.api.example.com", 2), ("api.example.com", 0),
            ("a.b.api.example.com", 0), ("unknown.example", 0),
        ] {
            var pair = try StreamPair(server, StreamFixture.client { $0.verifies = false }, name: asked)
            pair.shakeHands()
            #expect(pair.result.serverDone && pair.result.serverContext?.policyNumber == number, "\(asked)")
        }
        let number = server.policyNumber(for: Array("other.example:8443".utf8).span)
        #expect(number == 1)
        #expect(server.hasPolicies && !TLSServer(standard: first).hasPolicies)
        let strict = TLSServer(
            standard: first, exact: [Array("api.example.com".utf8): first], refusesUnknownNames: true)
        var pair = try StreamPair(strict, StreamFixture.client { $0.verifies = false }, name: "unknown.example")
        pair.shakeHands()
        #expect(!pair.result.serverDone && pair.result.serverFailure != nil)
        #expect(pair.result.clientFailure?.isAlert == true)
        #expect(
            pair.result.clientFailure?.text.contains("unrecognized name") == true,
            "\(pair.result.clientFailure?.text ?? "")")
    }

    @Test("of two kinds of keys the client gets the one it knows, ECDSA when it knows both")
    func keyKinds() throws {
        let server = TLSServer(standard: try StreamFixture.context(["rsa", "ecdsa"]))
        var pair = try StreamPair(server, StreamFixture.client())
        pair.shakeHands()
        #expect(pair.result.clientDone)
        let ecdsa = try CertificateChain(certificates: Fixture.bytes("ecdsa.pem"), key: Fixture.bytes("ecdsa.key"))
        #expect(try Fixture.leaf(ecdsa.certificatePEM) == pair.result.serverCertificate)
    }

    @Test("a client refuses a certificate of another name, and one that nobody it knows has signed")
    func verification() throws {
        var wrongName = try StreamPair(
            TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client(), name: "evil.example")
        wrongName.shakeHands()
        #expect(!wrongName.result.clientDone)
        #expect(wrongName.result.clientFailure?.isUntrusted == true)
        #expect(wrongName.result.clientFailure?.text.contains("hostname mismatch") == true)
        var stranger = try StreamPair(
            TLSServer(standard: StreamFixture.context(["self-signed"])), StreamFixture.client(), name: "self.example")
        stranger.shakeHands()
        #expect(!stranger.result.clientDone && stranger.result.clientFailure?.isUntrusted == true)
    }

    @Test("a protocol is agreed on, and without a common one there is no connection")
    func protocols() throws {
        let server = TLSServer(standard: try StreamFixture.context(["ecdsa"]) { $0.protocols = [.http2, .http1] })
        for (offer, agreed) in [
            ([TLSApplicationProtocol.http1, .http2], TLSApplicationProtocol.http2), ([.http1], .http1),
        ] {
            var pair = try StreamPair(server, StreamFixture.client { $0.protocols = offer })
            pair.shakeHands()
            #expect(pair.result.serverProtocol == agreed && pair.result.clientProtocol == agreed)
        }
        var silent = try StreamPair(server, StreamFixture.client())
        silent.shakeHands()
        #expect(silent.result.serverDone && silent.result.serverProtocol == nil)
        let old = TLSServer(standard: try StreamFixture.context(["ecdsa"]) { $0.protocols = [.http1] })
        var none = try StreamPair(old, StreamFixture.client { $0.protocols = [.http2] })
        none.shakeHands()
        #expect(none.result.serverFailure != nil && none.result.clientFailure?.isAlert == true)
    }

    @Test("a client's certificate is asked for, demanded, and checked")
    func clientCertificates() throws {
        let authorities = try Fixture.bytes("ca.pem")
        for isRequired in [false, true] {
            let server = TLSServer(
                standard: try StreamFixture.context(["ecdsa"]) {
                    $0.clients = .asked(authorities: authorities, isRequired: isRequired)
                })
            let shown = try StreamFixture.identity("client")
            var good = try StreamPair(server, StreamFixture.client { $0.identity = shown })
            good.shakeHands()
            #expect(good.result.serverDone && !good.result.clientCertificate.isEmpty)
            var without = try StreamPair(server, StreamFixture.client())
            without.shakeHands()
            #expect(without.result.serverDone == !isRequired)
            let strangers = try StreamFixture.identity("self-signed")
            var stranger = try StreamPair(server, StreamFixture.client { $0.identity = strangers })
            stranger.shakeHands()
            #expect(!stranger.result.serverDone && stranger.result.serverFailure?.isUntrusted == true)
        }
    }

    @Test("an end that was said is one, and nothing can be written after it")
    func ends() throws {
        var pair = try StreamPair(TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client())
        pair.shakeHands()
        try pair.clientSends([9])
        var output = Buffer(capacity: 512)
        pair.client.close(&output)
        pair.toServer += output.array
        let (content, end) = pair.serverReads()
        #expect(content == [9] && end == .ended)
        var isRefused = false
        do { try pair.clientSends([1]) } catch { isRefused = true }
        #expect(isRefused)
    }

    @Test("what an earlier call left in the library's queue of errors is no failure of a connection")
    func formerErrors() throws {
        var pair = try StreamPair(TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client())
        pair.shakeHands()
        try pair.clientSends([1, 2, 3])
        // SAFETY: without a context nothing is made; the library notes that, and nobody looks.
        let none = unsafe ctls_stream_new(nil, 0)
        #expect(unsafe none == nil)
        let (content, end) = pair.serverReads()
        #expect(content == [1, 2, 3] && end == .waits)
    }

    @Test("a byte that was changed on its way ends the connection", arguments: [0, 1, 3, 5, 20, 40])
    func tampering(place: Int) throws {
        var pair = try StreamPair(TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client())
        pair.shakeHands()
        try pair.clientSends([UInt8](repeating: 1, count: 30))
        pair.toServer[place] ^= 0x40
        // A longer length waits for more.
        try pair.clientSends([UInt8](repeating: 1, count: 20_000))
        let (content, end) = pair.serverReads()
        #expect(content.isEmpty && end == .failed)
    }

    @Test("bytes of any kind in place of a handshake fail and end there")
    func garbage() throws {
        var random = RandomSource(seed: 7)
        for _ in 0..<500 {
            var pair = try StreamPair(TLSServer(standard: StreamFixture.context(["ecdsa"])), StreamFixture.client())
            var bytes = (0..<(1 + random.below(600))).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            // Half of them look like a record at the beginning.
            if random.below(2) == 0 { bytes = [22, 3, 1, 0, UInt8(truncatingIfNeeded: bytes.count)] + bytes }
            pair.toServer = bytes
            pair.shakeHands()
            #expect(!pair.result.serverDone)
        }
    }

    @Test("only a record of a handshake is taken for TLS")
    func records() {
        let isRecord = TLSStream.isRecord([22, 3, 1].span)
        #expect(isRecord)
        for text in ["GET / HTTP/1.1", "PRI * HTTP/2.0", "\u{15}", "\u{80}", ""] {
            let isRecord = TLSStream.isRecord(Array(text.utf8).span)
            #expect(!isRecord)
        }
    }
}

@Suite("Resumption")
struct ResumptionTests {
    /// Handshake, a byte each way (tickets come with it), and what the server gave to come back with.
    private func session(_ pair: inout StreamPair) throws -> TLSSession? {
        pair.shakeHands()
        try pair.serverSends([1])
        _ = pair.clientReads()
        return pair.client.takeSession()
    }

    @Test(
        "a client comes back under the same policy and keys, over a rotation, and under no other",
        arguments: TLSVersion.allCases)
    func comesBack(version: TLSVersion) throws {
        let keys = try #require(TLSTicketKeys())
        func server(policy: UInt8 = 0, _ keys: TLSTicketKeys?) throws -> TLSServer {
            TLSServer(
                standard: try StreamFixture.context(["ecdsa"], policy: policy) {
                    $0.tickets = keys
                })
        }
        let context = try StreamFixture.client { $0.maxVersion = version }
        /// Whether a session that was given under `keys`, and `change` after that, opens with `later`.
        func resumes(_ later: TLSServer, after change: () -> Void = {}) throws -> Bool {
            var first = try StreamPair(server(keys), context)
            let given: TLSSession? = try self.session(&first)
            let session = try #require(given)
            change()
            var pair = try StreamPair(later, context, resuming: session)
            pair.shakeHands()
            #expect(pair.result.serverDone && pair.result.clientDone)
            return pair.server.wasResumed
        }
        #expect(try resumes(server(keys)))
        #expect(try !resumes(server(policy: 1, keys)))
        #expect(try !resumes(server(nil)))
        #expect(try !resumes(server(TLSTicketKeys())))
        #expect(try resumes(server(keys)) { keys.rotate() })
        let successor = try #require(TLSTicketKeys())
        #expect(successor.adopt(keys.heritage) && !successor.adopt(.init(keys: [1, 2, 3])))
        #expect(try resumes(server(successor)))
        #expect(
            try !resumes(server(keys)) {
                for _ in 0..<TLSTicketKeys.limit { keys.rotate() }
            })
    }

    @Test("a client that comes back over TLS 1.3 gets what it can come back with again")
    func comesBackAgain() throws {
        let keys = try #require(TLSTicketKeys())
        let server = TLSServer(standard: try StreamFixture.context(["ecdsa"]) { $0.tickets = keys })
        let context = try StreamFixture.client { $0.maxVersion = .tls13 }
        var first = try StreamPair(server, context)
        var given: TLSSession? = try session(&first)
        for _ in 0..<3 {
            var pair = try StreamPair(server, context, resuming: given)
            given = try session(&pair)
            let wasResumed = pair.server.wasResumed
            #expect(wasResumed)
        }
        #expect(given != nil)
    }

    @Test("keys change when their time is over")
    func rotation() throws {
        let keys = try #require(TLSTicketKeys())
        let first = keys.heritage.keys
        keys.keepFresh(now: Instant(nanoseconds: 5))
        keys.keepFresh(now: Instant(nanoseconds: TLSTicketKeys.sealingTime))
        #expect(keys.heritage.keys == first)
        keys.keepFresh(now: Instant(nanoseconds: TLSTicketKeys.sealingTime + 5))
        #expect(
            keys.heritage.keys.count == 2 * TLSTicketKeys.keyCount
                && keys.heritage.keys.suffix(TLSTicketKeys.keyCount) == first[...])
    }
}
