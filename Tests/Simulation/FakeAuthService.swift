import Containers
import Net

/// The service that `forward_auth` asks: answers as each exchange's plan says.
final class FakeAuthService: SimulatedService {
    let address: SocketAddress
    private let network: SimulatedNetwork
    private let shadow: ShadowModel

    init(address: SocketAddress, network: SimulatedNetwork, shadow: ShadowModel) {
        self.address = address
        self.network = network
        self.shadow = shadow
    }

    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer {
        AuthSession(connection: connection, network: network, shadow: shadow)
    }
}

private final class AuthSession: SimulatedPeer {
    private unowned let connection: SimulatedConnection
    private unowned let network: SimulatedNetwork
    private unowned let shadow: ShadowModel
    private var reader = StrictReader(isResponse: false)
    private var isGone = false

    init(connection: SimulatedConnection, network: SimulatedNetwork, shadow: ShadowModel) {
        self.connection = connection
        self.network = network
        self.shadow = shadow
    }

    func connected(_ connection: SimulatedConnection) {}

    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        guard !isGone else { return }
        reader.feed(bytes)
        while !isGone, let event = reader.next(method: "") {
            switch event {
            case .head(let head): begin(head)
            case .body: network.violate("a sub-request with content")
            case .end: break
            case .malformed(let reason):
                network.violate("a malformed sub-request: \(reason)")
                leave(byReset: true)
            }
        }
    }

    private func begin(_ head: StrictHead) {
        let nonce = head.values("x-nonce").first ?? ""
        guard let exchange = shadow.auth(sees: nonce, head: head),
            case .authorised(let leave) = exchange.plan.kind
        else {
            self.leave(byReset: true)
            return
        }
        network.note { "auth sees \(nonce) on \(connection.number)" }
        if leave.isBroken {
            exchange.taints.append("auth \(leave)")
            network.inflicts(.authFails)
        } else if leave != .given {
            network.inflicts(.authRefuses)
        }
        if exchange.plan.authDelay > 0 { network.inflicts(.authSlow) }
        network.after(exchange.plan.authDelay) { [self] in
            guard !isGone else { return }
            // Only now does the gateway know.
            exchange.authAnswers += 1
            answer(leave, nonce)
        }
    }

    private func answer(_ leave: ExchangeKind.Leave, _ nonce: String) {
        switch leave {
        case .given: write("200 OK", "X-User: u-\(nonce)\r\n", body: String(repeating: "y", count: nonce.count * 9))
        case .refused: write("403 Forbidden", "X-Auth: \(nonce)\r\n", body: "no")
        case .loginWanted: write("401 Unauthorized", "X-Auth: \(nonce)\r\nWWW-Authenticate: Basic\r\n", body: "who?")
        case .redirected: write("302 Found", "X-Auth: \(nonce)\r\nLocation: /login\r\n", body: "")
        case .failing: write("500 Oops", "X-User: u-evil\r\n", body: "")
        case .tooLarge: write("200 OK", "X-User: u-evil\r\n", body: String(repeating: "z", count: 70_000))
        case .reset: self.leave(byReset: true)
        case .stalled: break
        }
    }

    private func write(_ status: String, _ fields: String, body: String) {
        connection.write(Array("HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
    }

    private func leave(byReset: Bool) {
        isGone = true
        if byReset { connection.reset() } else { connection.close() }
    }

    func ended(_ connection: SimulatedConnection) {
        if !isGone { leave(byReset: false) }
    }

    func wasReset(_ connection: SimulatedConnection) { isGone = true }
}
