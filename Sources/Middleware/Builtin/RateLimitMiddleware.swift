internal import Config
internal import Containers
internal import HTTP

/// `rate_limit`: refuses requests of a key that come faster than a rate. Exact over all workers; refused requests do
/// not count. A request without an answer from here never passes: there is no way around the table.
///
/// The fields are those of draft-ietf-httpapi-ratelimit-headers-11.
struct RateLimitMiddleware: ~Copyable, Sendable {
    let table: CellTable
    private let rate: CellRate
    private let key: CompiledKey
    private let sendsFields: Bool
    private let limitName = FieldName("RateLimit")
    /// `"name"` as a structured field's string (RFC 8941 section 3.3.3).
    private let policyName: [UInt8]
    private let policyLine: CheckedLine?

    init(_ config: RateLimitConfig, name: String, table: CellTable) {
        self.table = table
        rate = CellRate(count: config.count, period: config.period.wholeNanoseconds, burst: config.burst)
        key = CompiledKey(config.key, ipv6Prefix: config.ipv6Prefix)
        sendsFields = config.headers
        policyName = Self.quoted(name)
        policyLine = CheckedLine(name: "RateLimit-Policy", value: policyName + Array(Self.quota(rate).utf8))
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        guard var scratch = request.scratch.take() else { return request.reply(.middlewareFailed) }
        scratch.clear()
        key.append(to: &scratch, request)
        let decision = table.take(scratch.span, rate: rate, now: request.now.nanoseconds)
        request.scratch = consume scratch
        switch decision {
        case .admit(_, let remaining, let reset):
            request.slot = Slot(remaining: remaining, seconds: Self.seconds(reset)).bits
            return .next
        case .refuse(let wait):
            let seconds = max(1, Self.seconds(wait))
            request.slot = Slot(remaining: 0, seconds: seconds).bits
            var reply = LocalReply(.rateLimited)
            reply.headers.append((name: "Retry-After", value: "\(seconds)"))
            return request.reply(reply)
        }
    }

    func onResponse(_ response: inout ResponseContext) {
        guard sendsFields, let slot = Slot(bits: response.slot) else { return }
        guard var scratch = response.scratch.take() else { return }
        scratch.clear()
        scratch.append(policyName.span)
        scratch.append(";r=")
        scratch.append(decimal: slot.remaining)
        scratch.append(";t=")
        scratch.append(decimal: slot.seconds)
        _ = response.add(limitName, scratch.span)
        response.scratch = consume scratch
        if let policyLine { _ = response.additions.append(policyLine) }
    }

    /// What the response phase needs of the decision, in 64 bits.
    private struct Slot {
        let remaining: Int
        let seconds: Int

        init(remaining: Int64, seconds: Int) {
            self.remaining = Int(min(remaining, Int64(UInt32.max)))
            self.seconds = min(seconds, 0x7FFF_FFFF)
        }

        init?(bits: UInt64) {
            guard bits >> 63 == 1 else { return nil }
            remaining = Int(bits & 0xFFFF_FFFF)
            seconds = Int(bits >> 32 & 0x7FFF_FFFF)
        }

        var bits: UInt64 { 1 << 63 | UInt64(seconds) << 32 | UInt64(remaining) }
    }

    /// Nanoseconds as whole seconds, rounded up: nobody is told to come too early.
    private static func seconds(_ nanoseconds: Int64) -> Int {
        Int(nanoseconds / 1_000_000_000 + (nanoseconds % 1_000_000_000 > 0 ? 1 : 0))
    }

    /// The quota is what may come at once, its window the time in which that is there again. Windows of less than a
    /// second, which the field cannot say, are given as the requests of one second.
    private static func quota(_ rate: CellRate) -> String {
        let window = seconds(rate.tolerance)
        if rate.tolerance < 1_000_000_000 { return ";q=\(1_000_000_000 / rate.interval);w=1" }
        return ";q=\(rate.tolerance / rate.interval);w=\(window)"
    }

    private static func quoted(_ name: String) -> [UInt8] {
        var text: [UInt8] = [0x22]
        for byte in name.utf8 {
            if byte == 0x22 || byte == 0x5C { text.append(0x5C) }
            text.append((0x20...0x7E).contains(byte) ? byte : 0x5F)
        }
        return text + [0x22]
    }
}

extension Duration {
    /// Nanoseconds, cut at what 63 bits hold.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || carry ? (seconds < 0 ? .min : .max) : sum
    }
}
