import EventLoop
import TLS

/// What must have come of a `SecureWorld`.
struct SecureCheck {
    let plan: SecurePlan
    let ends: [SecureEnd]
    let wires: [CuttingWire]

    func run(_ problems: inout [String]) {
        guard let client = ends.first, let server = ends.last else { return }
        for (end, other) in [(client, server), (server, client)] {
            if !other.outgoing.starts(with: end.all) { problems.append("\(name(end)) got what was not sent") }
        }
        // An end in order is one that was said.
        for (index, end) in ends.enumerated() where !end.isServer && end.sawEnd && !plan.isChanged {
            if !wires[index + 1].hasPassedCloseNotify { problems.append("\(name(end)) took a cut for an end in order") }
        }
        if let discord = plan.discord {
            check(discord, &problems)
        } else if !wires.contains(where: \.hasFaultHappened) {
            for end in ends {
                if end.failure != nil || !end.sawEnd || !end.saidEnd {
                    problems.append("\(name(end)) did not end in order: \(end.failure.map { "\($0)" } ?? "")")
                }
            }
            if client.all != server.outgoing || server.all != client.outgoing { problems.append("content is lost") }
        } else if plan.connections == 1 {
            checkCut(client, server, wires[plan.place], &problems)
        }
    }

    private func name(_ end: SecureEnd) -> String { end.isServer ? "a server" : "a client" }

    private func check(_ discord: SecurePlan.Discord, _ problems: inout [String]) {
        if ends.contains(where: { !$0.all.isEmpty || $0.sawEnd }) { problems.append("content without a handshake") }
        let noticed = ends.contains { end in
            guard case .handshake(let failure) = end.failure else { return false }
            return discord == .untrusted ? !end.isServer && failure.isUntrusted : end.isServer
        }
        if !noticed { problems.append("\(discord) does not show: \(ends.map { $0.failure })") }
    }

    /// The direction of one wire ended before its time.
    private func checkCut(_ client: SecureEnd, _ server: SecureEnd, _ wire: CuttingWire, _ problems: inout [String]) {
        switch plan.fault {
        case .ends, .losesCloseNotify: break
        case .changes, .resets, nil: return
        }
        let (receiver, sender) = plan.place == 0 ? (server, client) : (client, server)
        let hasEnded = wire.hasPassedCloseNotify && sender.saidEnd
        if receiver.isServer, receiver.isSecured {
            if receiver.failure != nil || !receiver.sawEnd {
                problems.append("a server's client ended: \(receiver.failure.map { "\($0)" } ?? "")")
            }
        } else if !hasEnded, receiver.failure != .truncated {
            problems.append("\(name(receiver)) was not told of the cut: \(receiver.failure.map { "\($0)" } ?? "")")
        }
        guard receiver.isSecured, sender.failure == nil else { return }
        let whole = wire.records.content(
            of: sender.sent, before: wire.passed, overhead: sender.overhead, hasCloseNotify: sender.saidEnd)
        if receiver.all.count != whole {
            problems.append("\(name(receiver)) got \(receiver.all.count) bytes of \(whole) in whole records")
        }
    }
}
