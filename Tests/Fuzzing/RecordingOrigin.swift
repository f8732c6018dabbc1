import Net
import Simulation
import WebSocket
import Containers

/// An origin that reads strictly what the gateway sends, keeps it, and answers each request with what names it.
final class RecordingOrigin: SimulatedService {
    struct Request {
        let head: StrictHead
        var body: [UInt8] = []
        var isComplete = false
        /// Behind a switch: what came through the tunnel.
        var tunnelled: [UInt8] = []

        var words: [Substring] { head.startLine.split(separator: " ", omittingEmptySubsequences: false) }
    }

    let address = FuzzWorld.origin
    fileprivate let network: SimulatedNetwork
    fileprivate let switches: Bool
    /// In the order in which their heads came.
    fileprivate(set) var requests: [Request] = []

    init(network: SimulatedNetwork, switches: Bool) {
        self.network = network
        self.switches = switches
    }

    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer { RecordingSession(self) }

    /// The body of the answer to a request.
    static func answer(_ number: Int) -> [UInt8] { Array("answer to request \(number)\n".utf8) }
}

/// One connection of it.
final class RecordingSession: SimulatedPeer {
    private let origin: RecordingOrigin
    private var reader = StrictReader(isResponse: false)
    private var current = 0
    private var isTunnel = false
    private var isGone = false

    init(_ origin: RecordingOrigin) { self.origin = origin }

    func connected(_ connection: SimulatedConnection) {}
    func refused(_ connection: SimulatedConnection) {}

    func received(_ connection: SimulatedConnection, _ bytes: [UInt8]) {
        if isTunnel {
            origin.requests[current].tunnelled += bytes
            return
        }
        reader.feed(bytes)
        while !isGone, !isTunnel, let event = reader.next(method: "") { handle(event, connection) }
    }

    private func handle(_ event: StrictReader.Event, _ connection: SimulatedConnection) {
        switch event {
        case .head(let head):
            current = origin.requests.count
            origin.requests.append(RecordingOrigin.Request(head: head))
            if head.values("expect") == ["100-continue"] {
                connection.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
            }
        case .body(let bytes): origin.requests[current].body += bytes
        case .end:
            origin.requests[current].isComplete = true
            answer(origin.requests[current], connection)
        case .malformed(let reason):
            origin.network.violate("the gateway sends a malformed request: \(reason)")
            isGone = true
            connection.reset()
        }
    }

    private func answer(_ request: RecordingOrigin.Request, _ connection: SimulatedConnection) {
        if origin.switches, request.head.values("upgrade") == ["websocket"],
            let key = request.head.values("sec-websocket-key").first
        {
            let bytes = Array(key.utf8)
            let accept = WebSocketHandshake.accept(for: bytes.span)
            let text = String(decoding: accept.indices.map { accept[$0] }, as: UTF8.self)
            connection.write(
                Array(
                    """
                    HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Accept: \(text)\r\n\r\n
                    """.utf8))
            isTunnel = true
            return
        }
        let body = RecordingOrigin.answer(current)
        let method = request.words.first ?? ""
        let fields = "HTTP/1.1 200 OK\r\nX-Answers: \(current)\r\nX-Method: \(method)\r\n"
        let content = method == "HEAD" ? [] : body
        if current % 2 == 0 {
            connection.write(Array("\(fields)Content-Length: \(body.count)\r\n\r\n".utf8) + content)
        } else {
            let size = String(body.count, radix: 16)
            let chunks = Array("\(size)\r\n".utf8) + body + Array("\r\n0\r\n\r\n".utf8)
            connection.write(
                Array("\(fields)Transfer-Encoding: chunked\r\n\r\n".utf8) + (method == "HEAD" ? [] : chunks))
        }
    }

    func ended(_ connection: SimulatedConnection) {
        isGone = true
        connection.close()
    }

    func wasReset(_ connection: SimulatedConnection) { isGone = true }
}
