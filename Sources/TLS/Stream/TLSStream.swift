internal import CTLS
package import Containers

/// One end of a TLS connection (RFC 8446, RFC 5246) without a socket: sealed bytes of the peer go in, content comes out, and the
/// other way round. It holds no buffers between calls, but for a record of which only a part has come.
///
///     shaking hands ─▶ open ─▶ ended          every state ─▶ failed
///
/// Whatever the peer sends ends at worst in `failed`; what then goes out is the alert that says why.
@safe
@usableFromInline
package struct TLSStream: ~Copyable {
    /// What a handshake came to.
    package enum HandshakeStep {
        case needsInput
        /// There was not enough room for what goes out: once more with an empty output.
        case needsRoom
        case done
        case failed(TLSFailure)
    }

    /// What reading came to.
    package enum ReadStep {
        /// Content was appended.
        case content
        case needsInput
        /// There was not enough room for what goes out: once more with an empty output.
        case needsRoom
        /// The peer closed its direction in order.
        case ended
        case failed(TLSFailure)
    }

    private let stream: OpaquePointer
    /// Where a server's context is chosen from; nil for a client's end.
    private let server: TLSServer?
    /// The context in force.
    package private(set) var context: TLSServerContext?
    /// The name that the client asked for, as it came; empty: none.
    package private(set) var serverName: [UInt8] = []

    /// A server's end. Nil when memory has run out.
    package init?(server: TLSServer) {
        guard let stream = unsafe ctls_stream_new(server.standard.context, 1) else { return nil }
        unsafe self.stream = stream
        self.server = server
        context = server.standard
    }

    /// A client's end. Nil when memory has run out.
    ///
    /// - Parameter session: of an earlier connection to the same server under the same context.
    package init?(client context: TLSClientContext, name: TLSPeerName, resuming session: TLSSession? = nil) {
        guard let stream = unsafe ctls_stream_new(context.context, 0) else { return nil }
        // SAFETY: OpenSSL copies the name, which ends with a zero, during the call.
        let isSet = unsafe name.text.withCString { text in
            unsafe ctls_expect_name(stream, text, name.isAddress ? 1 : 0, context.verifies ? 1 : 0)
        }
        guard isSet == 1 else {
            unsafe ctls_stream_free(stream)
            return nil
        }
        unsafe self.stream = stream
        server = nil
        self.context = nil
        // One that cannot be taken up any more is as good as none.
        if let session { _ = unsafe ctls_resume(stream, session.session) }
    }

    deinit {
        // SAFETY: made in `init`, and used by nobody after this.
        unsafe ctls_stream_free(stream)
    }

    // MARK: The handshake

    /// Goes on with the handshake: takes bytes off `input`, appends to `output` what has to go to the peer, also when it failed.
    /// A client's step without input says hello.
    package mutating func shakeHands(_ input: inout Buffer, _ output: inout Buffer) -> HandshakeStep {
        while true {
            let code = unsafe run(&input, &output) { stream, io in unsafe Int(ctls_handshake(stream, io)) }
            switch code {
            case Int(CTLS_DONE): return .done
            case Int(CTLS_NEEDS_INPUT): return .needsInput
            case Int(CTLS_NEEDS_ROOM): return .needsRoom
            case Int(CTLS_NEEDS_CHOICE): choose()
            default: return .failed(failure)
            }
        }
    }

    /// The client has said hello: certificates and policy by the name that it asked for (RFC 6066 section 3).
    private mutating func choose() {
        var count = 0
        // SAFETY: the bytes live until the choice.
        let name = unsafe ctls_hello_name(stream, &count)
        let asked = unsafe Span<UInt8>(
            _unsafeElements: UnsafeBufferPointer(start: count == 0 ? nil : name, count: count))
        serverName = asked.indices.map { asked[$0] }
        guard let chosen = server?.context(for: asked) else {
            unsafe ctls_refuse(stream)
            return
        }
        context = chosen
        // The stream takes a reference of its own.
        unsafe ctls_choose(stream, chosen.context)
    }

    // MARK: Content

    /// Whether the first bytes of a peer may be TLS: a handshake's record (RFC 8446 section 5.1).
    package static func isRecord(_ bytes: Span<UInt8>) -> Bool { bytes.count > 0 && bytes[0] == 22 }

    package var isServer: Bool { server != nil }

    /// Appends content of a record to `content`, at most `limit` bytes; takes bytes off `input`.
    package mutating func read(_ input: inout Buffer, into content: inout Buffer, limit: Int) -> ReadStep {
        var left = 0
        var code = 0
        // SAFETY: the pointers are valid inside the closures, in which the library is called; it counts what it takes and puts.
        unsafe input.withReadable { bytes, count in
            _ = unsafe content.fill(limit: limit) { (to, room) -> Int in
                var io = unsafe ctls_io()
                unsafe io.in = bytes.assumingMemoryBound(to: UInt8.self)
                unsafe io.in_count = count
                code = unsafe ctls_read(stream, &io, to, room)
                left = unsafe io.in_count
                return max(0, code)
            }
        }
        input.dropFirst(input.count &- left)
        return readStep(code)
    }

    /// As the other `read`, with room for what the peer's control messages are answered with.
    package mutating func read(
        _ input: inout Buffer, into content: inout Buffer, limit: Int, _ output: inout Buffer
    ) -> ReadStep {
        var code = 0
        _ = unsafe content.fill(limit: limit) { (to, room) -> Int in
            code = unsafe run(&input, &output) { stream, io in unsafe Int(ctls_read(stream, io, to, room)) }
            return max(0, code)
        }
        return readStep(code)
    }

    private func readStep(_ code: Int) -> ReadStep {
        switch code {
        case 1...: return .content
        case Int(CTLS_NEEDS_INPUT): return .needsInput
        case Int(CTLS_NEEDS_ROOM): return .needsRoom
        case Int(CTLS_ENDED): return .ended
        default: return .failed(failure)
        }
    }

    /// Content was unsealed and there was no room to read it.
    package var hasContent: Bool { unsafe ctls_has_content(stream) != 0 }

    /// Bytes that `count` bytes of content become at most.
    package static func sealedCount(of count: Int) -> Int { Int(clamping: ctls_sealed_count(count)) }

    /// Appends to `output` a part of `content` in sealed form, from `offset` on. There must be room for `sealedCount(of:)`.
    /// Nil, or why the stream cannot send any more.
    package mutating func write(_ content: borrowing Buffer, _ range: Range<Int>, into output: inout Buffer)
        -> TLSFailure?
    {
        precondition(range.lowerBound >= 0 && range.upperBound <= content.count && !range.isEmpty)
        precondition(output.tailroom >= Self.sealedCount(of: range.count))
        var isWritten = false
        // SAFETY: the range was checked against the readable bytes; both pointers end with the call.
        unsafe content.withReadable { bytes, _ in
            _ = unsafe output.fill { (to, room) -> Int in
                var io = unsafe ctls_io()
                unsafe io.out = to.assumingMemoryBound(to: UInt8.self)
                unsafe io.out_room = room
                isWritten = unsafe ctls_write(stream, &io, bytes + range.lowerBound, range.count) == CTLS_DONE
                return unsafe io.out_count
            }
        }
        return isWritten ? nil : failure
    }

    /// Appends our close_notify to `output`: after it nothing is written.
    package mutating func close(_ output: inout Buffer) {
        _ = unsafe output.fill { (to, room) -> Int in
            var io = unsafe ctls_io()
            // SAFETY: the room is the buffer's, for the call.
            unsafe io.out = to.assumingMemoryBound(to: UInt8.self)
            unsafe io.out_room = room
            unsafe ctls_close(stream, &io)
            return unsafe io.out_count
        }
    }

    /// What a later connection to this server may be begun with: the newest that the server gave, once.
    package mutating func takeSession() -> TLSSession? {
        unsafe ctls_take_session(stream).map { unsafe TLSSession(owning: $0) }
    }

    // MARK: Facts about a finished handshake

    /// 0x0303 for TLS 1.2, 0x0304 for 1.3.
    package var version: Int { Int(unsafe ctls_version(stream)) }
    package var wasResumed: Bool { unsafe ctls_was_resumed(stream) != 0 }
    /// As in the registry: `TLS_AES_128_GCM_SHA256`.
    package var cipher: String {
        // SAFETY: a constant of the library's.
        unsafe ctls_cipher(stream).map { unsafe String(cString: $0) } ?? ""
    }

    /// The protocol that was agreed on (RFC 7301); nil: none.
    package var applicationProtocol: TLSApplicationProtocol? {
        var name: UnsafePointer<UInt8>?
        var count = 0
        unsafe ctls_protocol(stream, &name, &count)
        // SAFETY: the bytes belong to the stream and are looked at before it changes.
        guard let name = unsafe name else { return nil }
        return TLSApplicationProtocol(unsafe Span(_unsafeStart: name, count: count))
    }

    /// The peer's leaf certificate in DER; empty: it showed none.
    package var peerCertificate: [UInt8] {
        let count = unsafe ctls_peer_certificate(stream, nil, 0)
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { bytes, initialised in
            // SAFETY: the library writes `count` bytes, which it said before, into as much room.
            initialised = unsafe ctls_peer_certificate(stream, bytes.baseAddress, count) == count ? count : 0
        }
    }

    /// The certificates in DER that the peer's was verified with, each behind the one that it signed, without the authority that is
    /// trusted by itself. Empty when the session was resumed: it knows no chain.
    package var peerSigners: [[UInt8]] {
        var signers: [[UInt8]] = []
        while true {
            let count = unsafe ctls_peer_signer(stream, signers.count, nil, 0)
            guard count > 0 else { return signers }
            signers.append(
                unsafe [UInt8](unsafeUninitializedCapacity: count) { bytes, initialised in
                    // SAFETY: the library writes `count` bytes, which it said before, into as much room.
                    initialised =
                        unsafe ctls_peer_signer(stream, signers.count, bytes.baseAddress, count) == count ? count : 0
                })
        }
    }

    /// Its subject as RFC 4514 writes it; empty: it showed none.
    package var peerSubject: [UInt8] {
        let count = unsafe ctls_peer_subject(stream, nil, 0)
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { bytes, initialised in
            // SAFETY: the library writes as much as there is room for.
            initialised = unsafe min(count, ctls_peer_subject(stream, bytes.baseAddress, count))
        }
    }

    // MARK: Calls

    private var failure: TLSFailure {
        TLSFailure(code: UInt64(ctls_last_error()), verification: unsafe ctls_verify_result(stream))
    }

    /// Runs a call of the library with what is in `input`, and with the room of `output`.
    private func run(
        _ input: inout Buffer, _ output: inout Buffer, _ call: (OpaquePointer, UnsafeMutablePointer<ctls_io>) -> Int
    ) -> Int {
        var code = 0
        var left = 0
        // SAFETY: the pointers are valid inside the closures, in which the library is called; it counts what it takes and puts.
        unsafe input.withReadable { bytes, count in
            _ = unsafe output.fill { (to, room) -> Int in
                var io = unsafe ctls_io()
                unsafe io.in = bytes.assumingMemoryBound(to: UInt8.self)
                unsafe io.in_count = count
                unsafe io.out = to.assumingMemoryBound(to: UInt8.self)
                unsafe io.out_room = room
                code = unsafe call(stream, &io)
                left = unsafe io.in_count
                return unsafe io.out_count
            }
        }
        input.dropFirst(input.count &- left)
        return code
    }
}
