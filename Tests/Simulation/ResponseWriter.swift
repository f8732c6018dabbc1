/// The bytes of an answer, as an origin of the simulated world sends them.
enum ResponseWriter {
    static let malformedCount = 8
    /// The first ones are malformed in their heads.
    static let malformedHeadCount = 6
    /// Must never reach anybody.
    static let extra = Array("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Nonce: evil\r\n\r\nEVIL".utf8)

    static func interim(_ plan: ExchangePlan) -> [UInt8] {
        Array("HTTP/1.1 103 Early Hints\r\nX-Nonce: \(plan.nonce)\r\n\r\n".utf8)
    }

    static func answer(_ plan: ExchangePlan) -> [UInt8] {
        if case .malformed(let kind) = plan.originDefect { return malformed(kind, plan) }
        var text = "HTTP/1.1 \(plan.status) Whatever\r\nX-Nonce: \(plan.nonce)\r\nConnection: X-Hop"
        switch plan.originDefect {
        case .closes(announced: true): text += ", close"
        default: break
        }
        text += "\r\nX-Hop: not for the client\r\nX-Filler: \(String(repeating: "g", count: plan.fillerCount))\r\n"
        if plan.status != 204 {
            switch plan.responseBody {
            case .none, .untilClose: break
            case .length(let count): text += "Content-Length: \(count)\r\n"
            case .chunked: text += plan.status == 304 ? "" : "Transfer-Encoding: chunked\r\n"
            }
        }
        return Array((text + "\r\n").utf8) + (plan.answerHasBody ? body(plan) : [])
    }

    private static func body(_ plan: ExchangePlan) -> [UInt8] {
        let content = Payload.bytes(plan.nonce, .response, count: plan.responseBody.count)
        guard case .chunked = plan.responseBody else { return content }
        return RequestWriter.chunked(content, seed: plan.cutSeed &+ 1, trailer: "X-Checksum: none\r\n")
    }

    /// Answers that must look broken to the client (RFC 9112 sections 2.2, 4, 6.3, 7.1).
    private static func malformed(_ kind: Int, _ plan: ExchangePlan) -> [UInt8] {
        let field = "X-Nonce: \(plan.nonce)\r\n"
        let text =
            switch kind {
            case 0: "HTTX/1.1 200 OK\r\n\(field)Content-Length: 2\r\n\r\nok"
            case 1: "HTTP/1.1 2000 OK\r\n\(field)Content-Length: 2\r\n\r\nok"
            case 2: "HTTP/1.1 200 OK\r\n\(field)X-A: b\u{0}c\r\nContent-Length: 2\r\n\r\nok"
            case 3: "HTTP/1.1 200 OK\r\n\(field)Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!"
            case 4: "HTTP/1.1 200 OK\r\n\(field)Content-Length: +2\r\n\r\nok"
            case 5: "HTTP/1.1 200 OK\r\n\(field)X-A: b\rX-B: c\r\nContent-Length: 2\r\n\r\nok"
            case 6: "HTTP/1.1 200 OK\r\n\(field)Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nxyz\r\nok\r\n0\r\n\r\n"
            default: "HTTP/1.1 200 OK\r\n\(field)Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n"
            }
        return Array(text.utf8)
    }
}
