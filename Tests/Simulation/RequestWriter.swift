import Containers

/// The bytes of a request, as a client of the simulated world sends them.
enum RequestWriter {
    static let malformedCount = 9

    static func head(_ plan: ExchangePlan) -> [UInt8] {
        if case .malformed(let kind) = plan.clientDefect { return malformed(kind, plan.nonce) }
        var text =
            "\(plan.method) /\(plan.kind.letter)/\(plan.nonce)?fill=\(plan.cutSeed % 97) HTTP/1.\(plan.isOld ? 0 : 1)\r\nHost: a.test\r\n"
        text += "X-Nonce: \(plan.nonce)\r\n"
        switch plan.kind {
        // Who says himself who he is must not be believed, however he spells it.
        case .authorised: text += "X-User: u-evil\r\nx_user: u-evil\r\n"
        case .limited: text += "X-Group: g\(plan.cutSeed % 3)\r\n"
        case .plain, .decided, .tunnel, .call: break
        }
        switch plan.requestBody {
        case .none, .untilClose: break
        case .length(let count): text += "Content-Length: \(count)\r\n"
        case .chunked: text += "Transfer-Encoding: chunked\r\n"
        }
        if plan.expectsContinue { text += "Expect: 100-continue\r\n" }
        text += plan.wantsClose ? "Connection: close, X-Hop\r\n" : "Connection: X-Hop\r\n"
        text += "X-Hop: not for the origin\r\nX-Filler:\t \(String(repeating: "f", count: plan.fillerCount)) \r\n\r\n"
        return Array(text.utf8)
    }

    static func body(_ plan: ExchangePlan) -> [UInt8] {
        let content = Payload.bytes(plan.nonce, .request, count: plan.requestBody.count)
        if case .chunked = plan.requestBody { return chunked(content, seed: plan.cutSeed, trailer: "X-Trailer: t\r\n") }
        return content
    }

    /// Chunks of any size, sometimes with an extension, leading zeros and upper-case digits.
    static func chunked(_ content: [UInt8], seed: UInt64, trailer: String) -> [UInt8] {
        var random = RandomSource(seed: seed)
        var result: [UInt8] = []
        var at = 0
        while at < content.count {
            let most = [16, 1_000, 20_000, 100_000][random.below(4)]
            let count = min(content.count - at, 1 + random.below(most))
            var size = String(count, radix: 16, uppercase: random.below(4) == 0)
            if random.below(8) == 0 { size = "00" + size }
            if random.below(8) == 0 { size += ";name=\"value\"" }
            result += Array("\(size)\r\n".utf8)
            result += content[at..<(at + count)]
            result += [0x0D, 0x0A]
            at += count
        }
        result += Array("0\r\n\(random.below(4) == 0 ? trailer : "")\r\n".utf8)
        return result
    }

    /// Heads that must be refused (RFC 9112 sections 2.2, 3.2, 5.1, 6.1 to 6.3), and one refused body.
    private static func malformed(_ kind: Int, _ nonce: String) -> [UInt8] {
        let line = "POST /x/\(nonce) HTTP/1.1\r\n"
        let good = "Host: a.test\r\nX-Nonce: \(nonce)\r\n"
        let text =
            switch kind {
            case 0: line + good + "X-A : b\r\n\r\n"
            case 1: line + good + "Host: a.test\r\n\r\n"
            case 2: line + good + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            case 3: line + good + "X-A: b\nX-B: c\r\n\r\n"
            case 4: line + good + "Content-Length: +5\r\n\r\nhello"
            case 5: line + "X-Nonce: \(nonce)\r\n\r\n"
            case 6: line + good + "X-A: b\r\n folded\r\n\r\n"
            case 7: line + good + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n"
            default: line + good + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
            }
        return Array(text.utf8)
    }
}
