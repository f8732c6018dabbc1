/// A response of the demo upstream.
struct DemoAnswer: Sendable {
    var status: Int
    var type: String
    var body: [UInt8]
    /// Content-Length; nil: none is said.
    var length: Int?
    var isChunked = false
    var fields: [(name: String, value: String)] = []

    init(status: Int = 200, type: String = "text/plain; charset=utf-8", body: String) {
        self.status = status
        self.type = type
        self.body = Array(body.utf8)
        length = self.body.count
    }

    /// RFC 9110 sections 15.3.5 and 15.4.5.
    var mayHaveBody: Bool { status != 204 && status != 304 }

    func head(isKeptAlive: Bool) -> [UInt8] {
        var text = "HTTP/1.1 \(status) \(Self.reason(status))\r\nServer: martlet-demo\r\n"
        if mayHaveBody {
            text += "Content-Type: \(type)\r\n"
            if isChunked {
                text += "Transfer-Encoding: chunked\r\n"
            } else if let length {
                text += "Content-Length: \(length)\r\n"
            }
        }
        for field in fields { text += "\(field.name): \(field.value)\r\n" }
        if !isKeptAlive { text += "Connection: close\r\n" }
        return Array((text + "\r\n").utf8)
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        default: "Demo"
        }
    }
}

/// An answer that comes in pieces over time.
struct DemoPieces: Sendable {
    enum Kind: Sendable { case lines, events }
    var kind: Kind
    var count: Int
    /// Milliseconds between two.
    var interval: Int

    var type: String { kind == .events ? "text/event-stream" : "text/plain; charset=utf-8" }

    func text(_ number: Int) -> String {
        switch kind {
        case .lines: "line \(number) of \(count)\n"
        case .events: "id: \(number)\nevent: tick\ndata: {\"number\": \(number)}\n\n"
        }
    }
}
