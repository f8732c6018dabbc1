internal import Config
internal import PasswordHash

/// What a middleware's section must not say although its shape is right.
enum MiddlewareCheck {
    static func problems(in middleware: NamedMiddleware) -> [Problem] {
        var messages: [(String, String?)] = []
        switch middleware.kind {
        case .headers(let config): messages = headers(config)
        case .basicAuth(let config): messages = basicAuth(config)
        case .apiKey(let config): messages = identity(config.identityHeader)
        case .requestID(let config): messages = identity(config.header)
        case .cors(let config):
            if config.credentials && config.origins.contains("*") {
                messages.append(
                    ("`credentials` with the origin `*` would let every page read answers", "list the origins"))
            }
        case .forwardAuth(let config):
            for name in config.copyHeaders { messages += identity(name) }
        case .rateLimit, .ipFilter, .bodyLimit, .hsts, .custom: break
        }
        return messages.map { Problem(at: middleware.location, "middleware `\(middleware.name)`: \($0.0)", help: $0.1) }
    }

    private static func headers(_ config: HeadersConfig) -> [(String, String?)] {
        var messages: [(String, String?)] = []
        for edits in [config.request, config.response] {
            for name in edits.remove + (edits.set + edits.add).map(\.name) { messages += identity(name) }
        }
        for line in config.response.set + config.response.add
        where CompiledTemplate(line.value, for: .field).isRequestPhaseOnly {
            messages.append(
                (
                    "`\(line.name)` uses {path.…}, which a response does not know any more",
                    "use {path} or a request header"
                ))
        }
        return messages
    }

    /// A field that a policy writes.
    private static func identity(_ name: String) -> [(String, String?)] {
        let field = FieldName(name)
        if field.isReserved { return [("`\(name)` is a field that only the gateway writes", nil)] }
        return field.isValid ? [] : [("`\(name)` is not a field name", nil)]
    }

    private static func basicAuth(_ config: BasicAuthConfig) -> [(String, String?)] {
        var messages = identity(config.identityHeader)
        for (user, hash) in config.users.sorted(by: { $0.key < $1.key }) {
            if user.utf8.contains(0x3A) || user.isEmpty {
                messages.append(("the user name `\(user)` cannot be sent", "names have no colon and are not empty"))
            }
            if PasswordHash.method(of: hash) == nil {
                messages.append(
                    (
                        "the hash of user `\(user)` is none that is supported",
                        "make one with `mkpasswd -m yescrypt` (bcrypt and SHA-crypt are known too)"
                    ))
            }
        }
        return messages
    }
}
