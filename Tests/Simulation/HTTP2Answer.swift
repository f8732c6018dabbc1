/// An answer's fields, as an origin sends them over HTTP/2 in the simulated world.
enum HTTP2Answer {
    static func fields(_ plan: ExchangePlan) -> [(name: String, value: String)] {
        var fields = [(":status", "\(plan.status)"), ("x-nonce", plan.nonce)]
        fields.append(("x-filler", String(repeating: "g", count: plan.fillerCount)))
        if plan.status != 204, case .length(let count) = plan.responseBody {
            fields.append(("content-length", "\(count)"))
        }
        return fields.map { (name: $0.0, value: $0.1) }
    }

    static func trailers(_ plan: ExchangePlan) -> [(name: String, value: String)] {
        guard case .chunked = plan.responseBody, plan.answerHasBody, plan.cutSeed % 4 == 1 else { return [] }
        return [("x-checksum", "none")]
    }

    /// Answers that must look broken to the client (RFC 9113 sections 8.1.1, 8.2 and 8.3.2); five bytes follow. The
    /// last one shows in the content alone.
    static func malformed(_ kind: Int, _ plan: ExchangePlan) -> [(name: String, value: String)] {
        let good = [(":status", "200"), ("x-nonce", plan.nonce)]
        let fields =
            switch kind {
            case 0: good + [("X-A", "b")]
            case 1: [("x-nonce", plan.nonce)]
            case 2: [(":status", "2000"), ("x-nonce", plan.nonce)]
            case 3: good + [("connection", "close")]
            case 4: good + [("content-length", "+5")]
            case 5: good + [("x-a", "b\u{0}c")]
            case 6: good + [("content-length", "5"), ("content-length", "6")]
            default: good + [("content-length", "10")]
            }
        return fields.map { (name: $0.0, value: $0.1) }
    }
}
