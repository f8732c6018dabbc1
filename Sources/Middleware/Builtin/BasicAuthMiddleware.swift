internal import Config
internal import Containers
internal import HTTP
internal import PasswordHash

/// `basic_auth`: users with passwords (RFC 7617), whose hashes are verified on threads of their own.
///
/// What was right a moment ago is known from the cache at once; everything else suspends the request. A user that does
/// not exist costs as much time as one that does. Two Authorization lines are refused: the upstream might read the
/// other one.
final class BasicAuthMiddleware: AsyncMiddleware {
    private let users: UserTable
    private let identityName: FieldName
    private let authorizationName: FieldName = "Authorization"
    private let challenge: String
    private let lifetime: Int64
    private let cache: CredentialCache
    private let verifier: PasswordVerifier

    init(_ config: BasicAuthConfig, cache: CredentialCache, verifier: PasswordVerifier) {
        users = UserTable(config.users)
        identityName = FieldName(config.identityHeader)
        challenge = "Basic realm=\"\(Self.quotable(config.realm))\", charset=\"UTF-8\""
        lifetime = max(0, config.cache.wholeNanoseconds)
        self.cache = cache
        self.verifier = verifier
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        let users = users
        let authorization = authorizationName
        guard case .line(let index) = request.only(authorization.lowercase.span) else { return refuse(&request) }
        guard var scratch = request.scratch.take() else { return request.reply(.middlewareFailed) }
        scratch.clear()
        let credentials = BasicCredentials(request.slice(request.head.fields[index].value), into: &scratch)
        var user: Int?
        var isKnown = false
        if let credentials {
            user = users.find(scratch.span.extracting(credentials.user))
            if let user, let digest = cache.digest(&scratch, hash: users.hashBytes(user)) {
                isKnown = cache.contains(digest, now: request.now)
            }
        }
        scratch.wipe()
        request.scratch = consume scratch
        guard credentials != nil else { return refuse(&request) }
        guard isKnown, let user else { return .suspend }
        guard request.setIdentity(users.name(user)), request.setToIdentity(identityName) else {
            return request.reply(.middlewareFailed)
        }
        return .next
    }

    func decide(_ request: RequestSnapshot) async -> AsyncDecision {
        let users = users
        let values = request.values(of: authorizationName)
        guard let value = values.first, values.count == 1 else { return .reply(refusal) }
        var scratch = Buffer(capacity: 2 * BasicCredentials.limit)
        guard let credentials = BasicCredentials(value.span, into: &scratch) else { return .reply(refusal) }
        let user = users.find(scratch.span.extracting(credentials.user))
        let password = Self.copy(scratch.span.extracting(credentials.password))
        var digest: InlineArray<32, UInt8>?
        if let user { digest = cache.digest(&scratch, hash: users.hashBytes(user)) }
        scratch.wipe()
        let hash = users.hash(user)
        switch await verifier.verify(password: password, hash: hash) {
        case .busy: return .reply(LocalReply(.overloaded))
        case .mismatch: return .reply(refusal)
        case .match: break
        }
        guard let user else { return .reply(refusal) }
        if let digest, lifetime > 0 { cache.insert(digest, until: request.now.advanced(by: lifetime)) }
        let name = Self.copy(users.name(user))
        return .next(set: [AsyncDecision.Field(identityName, name)], remove: [identityName], identity: name)
    }

    private func refuse(_ request: inout RequestContext) -> Verdict {
        request.reply(refusal)
    }

    private var refusal: LocalReply {
        var reply = LocalReply(.unauthorized)
        reply.headers.append((name: "WWW-Authenticate", value: challenge))
        return reply
    }

    private static func copy(_ span: Span<UInt8>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(span.count)
        for index in 0..<span.count { copy.append(span[index]) }
        return copy
    }

    /// A realm inside a quoted string (RFC 9110 section 5.6.4).
    private static func quotable(_ realm: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in realm.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7F {
            if scalar == "\"" || scalar == "\\" { text.append("\\") }
            text.append(scalar)
        }
        return String(text)
    }
}

extension Buffer {
    /// Forgets the readable bytes and overwrites them: they were a secret.
    fileprivate mutating func wipe() {
        for index in 0..<count { self[index] = 0 }
        clear()
    }
}
