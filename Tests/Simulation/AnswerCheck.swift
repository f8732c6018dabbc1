/// One answer as the client reads it, compared with what the exchange's origin sends.
struct AnswerCheck {
    private static let mostOfLocalBody = 65_536

    private let exchange: ShadowModel.Exchange
    private let status: Int
    let isFromOrigin: Bool
    let saysClose: Bool
    private let expected: [UInt8]
    private var received = 0
    private var localBody: [UInt8] = []

    init(_ exchange: ShadowModel.Exchange, _ head: StrictHead, _ network: SimulatedNetwork) {
        self.exchange = exchange
        let plan = exchange.plan
        status = (try? StrictReader.status(head.startLine)) ?? 0
        let nonces = head.values("x-nonce")
        isFromOrigin = !nonces.isEmpty
        saysClose = head.values("connection").contains { $0.lowercased().contains("close") }
        expected = plan.answerHasBody ? Payload.bytes(plan.nonce, .response, count: plan.responseBody.count) : []
        if plan.isOld, !head.values("transfer-encoding").isEmpty {
            network.violate("\(plan.nonce): a transfer coding for HTTP/1.0")
        }
        let leave = head.values("x-auth")
        if !leave.isEmpty, leave != [plan.nonce] { network.violate("\(plan.nonce): got the refusal of \(leave)") }
        guard isFromOrigin else { return }
        if nonces != [plan.nonce] { network.violate("\(plan.nonce): got the answer of \(nonces)") }
        if case .malformed = plan.originDefect { return }
        if status != plan.status { network.violate("\(plan.nonce): status \(status) in place of \(plan.status)") }
        if !head.values("x-hop").isEmpty { network.violate("\(plan.nonce): a hop-by-hop field reached the client") }
        if head.values("x-filler") != [String(repeating: "g", count: plan.fillerCount)] {
            network.violate("\(plan.nonce): a field of the answer was changed")
        }
    }

    mutating func receive(_ bytes: [UInt8], _ network: SimulatedNetwork) {
        guard isFromOrigin else {
            localBody += bytes.prefix(Self.mostOfLocalBody - localBody.count)
            return
        }
        if case .malformed = exchange.plan.originDefect { return }
        if !Payload.stands(bytes, at: received, in: expected) {
            network.violate("\(exchange.plan.nonce): wrong bytes in the answer's body at \(received)")
        }
        received += bytes.count
    }

    /// The answer is complete: what it was.
    func complete(_ network: SimulatedNetwork) -> ShadowModel.Outcome {
        guard isFromOrigin else {
            let text = String(decoding: localBody, as: UTF8.self)
            let parts = text.split(separator: "\"")
            let name = parts.firstIndex(of: "code").map { parts.index($0, offsetBy: 2) } ?? parts.endIndex
            return .local(status: status, code: name < parts.endIndex ? String(parts[name]) : "")
        }
        if received != expected.count, !exchange.taints.contains("short answer") {
            network.violate("\(exchange.plan.nonce): \(received) of \(expected.count) bytes looked complete")
        }
        return .origin(status: status)
    }
}
