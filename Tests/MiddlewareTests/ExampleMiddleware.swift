import Middleware

/// Counts how long requests of a tenant may be, and knows tenants by a field.
struct TenantMiddleware: Middleware {
    private let field: FieldName
    private let maxBody: Int
    private let tenantField: FieldName = "X-Tenant-Id"
    private let servedBy: FieldName = "X-Served-By"

    init(_ settings: MiddlewareSettings) throws {
        field = FieldName(settings.text("header") ?? "X-Tenant")
        guard field.isValid else { throw InvalidSettings("`header` is not a field name") }
        maxBody = settings.integer("max_body")
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        guard request.count(of: field) == 1, let tenant = request.string(of: field) else {
            var reply = LocalReply(status: 403)
            reply.detail = "Every request names one tenant."
            return request.reply(reply)
        }
        request.limitBody(to: maxBody)
        request.remove(field)
        guard request.set(tenantField, to: "tenant-\(tenant)") else { return request.reply(LocalReply(status: 400)) }
        request.slot = 1
        return .next
    }

    func onResponse(_ response: inout ResponseContext) {
        if response.slot == 1 && response.status < 500 { _ = response.set(servedBy, to: "tenants") }
    }
}

/// Asks something that takes time before it lets a request pass.
struct LicenceMiddleware: AsyncMiddleware {
    /// Who holds a licence; a database, say.
    let isLicensed: @Sendable (String) async throws -> Bool

    func onRequest(_ request: inout RequestContext) -> Verdict {
        request.identityBytes.isEmpty ? request.reply(LocalReply(status: 401)) : .suspend
    }

    func decide(_ request: RequestSnapshot) async -> AsyncDecision {
        let user = String(decoding: request.identity, as: UTF8.self)
        do {
            guard try await isLicensed(user) else { return .reply(LocalReply(status: 402)) }
            return .next(set: [.init("X-Licence", "full")])
        } catch {
            return .reply(LocalReply(status: 503))
        }
    }
}

func exampleKinds() -> MiddlewareKinds {
    var kinds = MiddlewareKinds()
    kinds.register(
        "tenant", "Knows tenants by a field.",
        keys: [
            .text("header", "The field that names the tenant.", default: "X-Tenant"),
            .size("max_body", "Most bytes of a request body.", in: 0...1_000_000_000, default: 1_000_000),
        ]
    ) { settings in try TenantMiddleware(settings) }
    kinds.registerAsync("licence", "Lets users with a licence pass.") { _ in
        LicenceMiddleware { user in user != "guest" }
    }
    return kinds
}
