import Middleware
import Telemetry

/// Answers a page of the metrics listener.
struct MetricsMiddleware: AsyncMiddleware {
    enum Page: String, CaseIterable {
        case metrics, livez, readyz
    }

    private static let acceptName: FieldName = "accept"

    let page: Page
    let desk: MetricsDesk
    let certificates: [CertificateFact]

    func decide(_ request: RequestSnapshot) async -> AsyncDecision {
        switch page {
        case .metrics:
            let format = MetricsText.Format(accept: request.string(of: Self.acceptName))
            let body = await desk.text(format, certificates: certificates)
            return .reply(Self.reply(200, body, format.contentType))
        case .livez:
            return .reply(Self.reply(200, Array("alive\n".utf8)))
        case .readyz:
            let isReady = desk.facts.isReady
            return .reply(Self.reply(isReady ? 200 : 503, Array((isReady ? "ready\n" : "draining\n").utf8)))
        }
    }

    private static func reply(_ status: Int, _ body: [UInt8], _ type: String = "text/plain; charset=utf-8")
        -> LocalReply
    {
        var reply = LocalReply(status: status)
        reply.body = body
        reply.contentType = type
        reply.headers = [(name: "Cache-Control", value: "no-store")]
        return reply
    }
}
