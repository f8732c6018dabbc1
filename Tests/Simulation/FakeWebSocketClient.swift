import Containers
import Net
import TLS

/// A client that opens one WebSocket connection and follows its plan.
final class FakeWebSocketClient: SimulatedPeer {
    private static let patience: Int64 = 300_000_000_000
    /// The pair of RFC 6455 section 1.3.
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    static let acceptance = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    private let network: SimulatedNetwork
    private let shadow: ShadowModel
    private let plan: ExchangePlan
    private let tunnelPlan: TunnelPlan
    private let address: SocketAddress
    private var connection: SimulatedConnection?
    private var exchange: ShadowModel.Exchange?
    private var head: [UInt8] = []
    private var tunnel: TunnelEnd?
    private var refusal: [UInt8]?
    private var status = 0
    private var isSecure = false
    private(set) var isDone = false

    init(number: Int, address: SocketAddress, network: SimulatedNetwork, shadow: ShadowModel) {
        self.network = network
        self.shadow = shadow
        self.address = address
        plan = ExchangePlan.drawTunnel(number: number, network: network)
        tunnelPlan = TunnelPlan(nonce: plan.nonce, network: network)
    }

    func start() {
        isSecure = !network.securedIsProxied && network.happens(.clientSecure)
        network.connectClient(
            self, address: address, to: isSecure ? Simulation.securedDescriptor : Simulation.listenerDescriptor)
    }

    func refused(_ connection: SimulatedConnection) { isDone = true }

    func connected(_ connection: SimulatedConnection) {
        self.connection = connection
        if network.happens(.clientSlowReader) {
            connection.pace = .slowly(bytes: 1_000 + network.random.below(30_000), every: 5_000_000)
        }
        if isSecure { ClientSecurity(network: network).begin(connection, .http1, mayBePlain: true) }
        let exchange = shadow.begin(plan, connection: connection, tunnel: tunnelPlan)
        self.exchange = exchange
        exchange.isFullySent = true
        network.note { "client sends \(plan.nonce) for a tunnel on \(connection.number)" }
        connection.write(
            Array(
                """
                GET /w/\(plan.nonce)?fill=\(plan.cutSeed % 97) HTTP/1.1\r
                Host: a.test\r
                X-Nonce: \(plan.nonce)\r
                X-Filler: \(String(repeating: "f", count: plan.fillerCount))\r
                Connection: Upgrade\r
                Upgrade: websocket\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Key: \(Self.key)\r
                \r

                """.utf8))
        network.after(Self.patience) { [self] in
            guard exchange.outcome == nil else { return }
            network.violate("\(plan.nonce): a tunnel without end")
            connection.reset()
            finish(.gaveUp)
        }
    }

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        guard !isDone else { return }
        if let tunnel {
            tunnel.received(bytes)
        } else if refusal != nil {
            refusal?.append(contentsOf: bytes)
        } else {
            head += bytes
            readHead()
        }
    }

    private func readHead() {
        guard let connection, let exchange, let end = Self.endOfHead(head) else { return }
        let rest = Array(head[end...])
        do throws(StrictHead.Malformed) {
            let answer = try StrictHead(Array(head[..<end]))
            status = try StrictReader.status(answer.startLine)
            if status != 101 {
                if answer.values("x-nonce") == [plan.nonce], tunnelPlan.handshake != .refused {
                    network.violate("\(plan.nonce): a refusal that the origin did not send")
                }
                refusal = rest
                connection.end()
                return
            }
            if answer.values("sec-websocket-accept") != [Self.acceptance] || answer.values("x-nonce") != [plan.nonce]
                || answer.values("upgrade").first?.lowercased() != "websocket"
            {
                network.violate("\(plan.nonce): a switch that is none: \(answer.fields)")
            }
            if tunnelPlan.handshake != .accepted { network.violate("\(plan.nonce): a tunnel without handshake") }
        } catch {
            network.violate(
                "\(plan.nonce): the gateway sent a malformed answer: \(error.reason): \(String(decoding: head[..<end], as: UTF8.self))"
            )
        }
        let tunnel = TunnelEnd(.request, of: exchange, tunnelPlan, on: connection, network) { [unowned self] in
            finish(.tunnel)
        }
        self.tunnel = tunnel
        tunnel.start()
        if !rest.isEmpty { tunnel.received(rest) }
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for end in 4...bytes.count where Array(bytes[(end - 4)..<end]) == [13, 10, 13, 10] { return end }
        return nil
    }

    func ended(_ connection: SimulatedConnection) {
        guard !isDone else { return }
        connection.close()
        if let tunnel {
            tunnel.ended()
        } else if refusal != nil {
            let text = String(decoding: refusal ?? [], as: UTF8.self)
            if tunnelPlan.handshake == .refused, text == "no" {
                finish(.origin(status: status))
            } else {
                finish(.local(status: status, code: "handshake"))
            }
        } else {
            finish(.cut)
        }
    }

    func wasReset(_ connection: SimulatedConnection) {
        guard !isDone else { return }
        if let tunnel { tunnel.ended() } else { finish(.cut) }
    }

    private func finish(_ outcome: ShadowModel.Outcome) {
        isDone = true
        if let exchange, exchange.outcome == nil { shadow.end(exchange, outcome) }
    }
}
