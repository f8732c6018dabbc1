import Containers

/// A request's fields, as a client of HTTP/2 sends them in the simulated world.
enum HTTP2Request {
    static func fields(_ plan: ExchangePlan, isSecure: Bool) -> [(name: String, value: String)] {
        var random = RandomSource(seed: plan.cutSeed)
        var fields = [(":method", plan.method), (":scheme", isSecure ? "https" : "http"), (":authority", "a.test")]
        fields.append((":path", "/\(plan.kind.letter)/\(plan.nonce)?fill=\(plan.cutSeed % 97)"))
        // Pseudo-header fields have no order among themselves.
        fields.shuffle(using: &random)
        fields.append(("x-nonce", plan.nonce))
        switch plan.kind {
        // Who says himself who he is must not be believed, however he spells it.
        case .authorised: fields += [("x-user", "u-evil"), ("x_user", "u-evil")]
        case .limited: fields.append(("x-group", "g\(plan.cutSeed % 3)"))
        case .plain, .decided, .tunnel, .call: break
        }
        if case .length(let count) = plan.requestBody { fields.append(("content-length", "\(count)")) }
        if plan.expectsContinue { fields.append(("expect", "100-continue")) }
        if random.below(4) == 0 { fields.append(("te", "trailers")) }
        fields.append(("x-filler", String(repeating: "f", count: plan.fillerCount)))
        if case .malformed(let kind) = plan.clientDefect { spoil(&fields, kind) }
        return fields.map { (name: $0.0, value: $0.1) }
    }

    /// Trailers behind the content, if there are any.
    static func trailers(_ plan: ExchangePlan) -> [(name: String, value: String)] {
        guard case .chunked = plan.requestBody, plan.cutSeed % 4 == 0 else { return [] }
        return [("x-trailer", "t")]
    }

    /// Content that does not fit what the head says.
    static func body(_ plan: ExchangePlan) -> [UInt8] {
        if case .malformed(7) = plan.clientDefect { return Array("hello".utf8) }
        return Payload.bytes(plan.nonce, .request, count: plan.requestBody.count)
    }

    /// Heads that must be refused (RFC 9113 sections 8.1.1, 8.2 and 8.3); number 7 shows in the content alone.
    private static func spoil(_ fields: inout [(String, String)], _ kind: Int) {
        switch kind {
        case 0: fields.append(("X-A", "b"))
        case 1: fields.append(("connection", "close"))
        case 2: fields.removeAll { $0.0 == ":path" }
        case 3: fields.append((":extra", "b"))
        case 4: fields.append(("transfer-encoding", "chunked"))
        case 5: fields.append(("te", "gzip"))
        case 6: fields.append(("x-a", "b\u{0}c"))
        case 7: fields.append(("content-length", "10"))
        default: fields.append(("content-length", "+5"))
        }
    }
}
