package import Config
internal import Containers
internal import HTTP

/// The fields in which services are told who a client is. A configuration that proves them on some routes takes them from
/// clients on all routes, before anything else looks at a request: a service must not have to know which way it came.
///
/// What clients are meant to send is none of them: Authorization, Cookie, the field of an `api_key`, and what a `forward_auth`
/// passes on to the service that it asks. The middleware itself replaces those on its own routes.
package struct IdentityFields: Sendable {
    private var text: [UInt8] = []
    private var names: [Range<Int>] = []
    /// Bit n: a name has n bytes; the highest: that many or more. Most fields of a request are told by it.
    private var lengths: UInt64 = 0

    package init(_ config: [NamedMiddleware]) {
        var credentials: Set = [FieldName("Authorization").folded, FieldName("Cookie").folded]
        for middleware in config {
            if case .apiKey(let config) = middleware.kind, case .header(let name) = config.source {
                credentials.insert(FieldName(name).folded)
            }
        }
        for middleware in config {
            switch middleware.kind {
            case .apiKey(let config): append(config.identityHeader, unless: credentials)
            case .basicAuth(let config): append(config.identityHeader, unless: credentials)
            case .forwardAuth(let config):
                let passed = credentials.union(config.requestHeaders.map { FieldName($0).folded })
                for name in config.copyHeaders { append(name, unless: passed) }
            case .headers, .rateLimit, .ipFilter, .bodyLimit, .requestID, .cors, .hsts, .custom: break
            }
        }
    }

    private mutating func append(_ name: String, unless credentials: Set<[UInt8]>) {
        let name = FieldName(name)
        guard name.isValid, !credentials.contains(name.folded) else { return }
        guard !names.contains(where: { text[$0].elementsEqual(name.folded) }) else { return }
        names.append(text.count..<(text.count + name.folded.count))
        text += name.folded
        lengths |= Self.bit(name.folded.count)
    }

    private static func bit(_ count: Int) -> UInt64 { 1 << UInt64(min(count, 63)) }

    package var isEmpty: Bool { names.isEmpty }

    /// Removes every spelling of the fields from a request that no middleware has seen.
    package func remove(from request: inout RequestContext) {
        for index in 0..<request.head.fields.count {
            let name = request.head.fields[index].name
            guard lengths & Self.bit(name.range.count) != 0 else { continue }
            if isOne(request.slice(name)) { request.head.fields[index].isRemoved = true }
        }
    }

    private func isOne(_ name: Span<UInt8>) -> Bool {
        for index in 0..<names.count where ByteClass.isSpelling(name, of: text.span.extracting(names[index])) {
            return true
        }
        return false
    }
}
