import Config
import Containers
import HTTP
import Middleware
import Telemetry

/// Answers a request to the admin listener.
struct AdminMiddleware: AsyncMiddleware {
    enum Page: String, CaseIterable {
        case status, routes, upstreams, reloads, reload, metrics

        var segments: [String] { self == .metrics ? [rawValue] : ["v1", rawValue] }
        var methods: [String] { self == .reload ? ["POST"] : ["GET", "HEAD"] }
    }

    private static let acceptName: FieldName = "accept"

    let page: Page
    let desk: MetricsDesk
    let answers: AdminAnswers

    func decide(_ request: RequestSnapshot) async -> AsyncDecision {
        let accept = request.string(of: Self.acceptName)
        let isText = accept?.hasPrefix("text/plain") == true
        switch page {
        case .status:
            let status = AdminStatus(facts: desk.facts, figures: await desk.figures(), now: request.now)
            return .reply(isText ? Self.text(status.text) : Self.json(status.json))
        case .routes:
            return .reply(Self.json(answers.routes))
        case .upstreams:
            return .reply(Self.json(answers.upstreams(now: request.now)))
        case .reloads:
            return .reply(Self.json(AdminStatus.reloads(desk.facts.reloads)))
        case .reload:
            guard let reloads = desk.reloads else { return .reply(LocalReply(.middlewareFailed)) }
            let outcome = await reloads.reload()
            let status = outcome.succeeded ? 200 : 422
            return .reply(
                isText ? Self.text(outcome.text, status: status) : Self.json(outcome.json, status: status))
        case .metrics:
            let format = MetricsText.Format(accept: accept)
            let body = await desk.text(format, certificates: answers.certificates)
            return .reply(Self.reply(200, body, format.contentType))
        }
    }

    private static func json(_ text: String, status: Int = 200) -> LocalReply {
        reply(status, Array(text.utf8), "application/json")
    }

    private static func text(_ text: String, status: Int = 200) -> LocalReply {
        reply(status, Array(text.utf8), "text/plain; charset=utf-8")
    }

    private static func reply(_ status: Int, _ body: [UInt8], _ type: String) -> LocalReply {
        var reply = LocalReply(status: status)
        reply.body = body
        reply.contentType = type
        reply.headers = [(name: "Cache-Control", value: "no-store")]
        return reply
    }
}
