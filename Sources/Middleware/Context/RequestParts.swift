internal import Containers
internal import Net
package import HTTP

/// What a request is, beside its fields.
extension RequestContext {
    /// The method's bytes; methods are case-sensitive.
    public var methodBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { slice(head.methodRange) }
    }

    /// The canonical path, without the query: what routing saw and what goes upstream unless the route rewrites it.
    public var pathBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { path.span }
    }

    /// The query as received, without the `?`; empty without one.
    public var queryBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { slice(head.query ?? .empty) }
    }

    /// The host asked for: lower case, without port.
    public var hostBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { host.span }
    }

    /// The id under which this request stands in the log.
    public var requestIDBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { requestID.span }
    }

    /// Who the client proved to be; empty: nobody yet.
    public var identityBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { identity.span }
    }

    /// The client's address as text. Allocates.
    public var clientAddress: String {
        client.description
    }

    /// Says who the client is, for later middleware, `{identity}` and the log. Nothing goes upstream by this alone.
    ///
    /// - Returns: false, and nobody is known, when the identity is longer than 512 bytes or could not stand in a field.
    public mutating func setIdentity(_ bytes: Span<UInt8>) -> Bool {
        identity.clear()
        for index in 0..<bytes.count where !ByteClass.isFieldValue(bytes[index]) { return false }
        return identity.appendIfRoom(bytes)
    }

    /// The value of a parameter of the route's path, canonical (percent-escapes of reserved bytes stay); nil without
    /// one.
    @_lifetime(borrow self)
    public func pathParameter(_ name: String) -> Span<UInt8>? {
        pathParameter(Array(name.utf8).span)
    }

    @_lifetime(borrow self)
    func pathParameter(_ name: Span<UInt8>) -> Span<UInt8>? {
        for index in 0..<min(parameters.count, names.parameters.count) {
            let candidate = names.parameters[index]
            guard ByteClass.equals(candidate.span, name) else { continue }
            return path.span.extracting(parameters[index].range)
        }
        return nil
    }

    /// The first value of a query parameter, not decoded; nil without one. Pairs are split on `&` only.
    @_lifetime(borrow self)
    public func queryParameter(_ name: String) -> Span<UInt8>? {
        queryParameter(Array(name.utf8).span)
    }

    @_lifetime(borrow self)
    func queryParameter(_ name: Span<UInt8>) -> Span<UInt8>? {
        guard let query = head.query else { return nil }
        var pairs = QueryPairs()
        while let pair = pairs.next(in: slice(query)) {
            guard ByteClass.equals(slice(query).extracting(pair.name), name) else { continue }
            return slice(query).extracting(pair.value)
        }
        return nil
    }

    /// The first value of a cookie; nil without one.
    @_lifetime(borrow self)
    public func cookie(_ name: String) -> Span<UInt8>? {
        cookie(Array(name.utf8).span)
    }

    @_lifetime(borrow self)
    func cookie(_ name: Span<UInt8>) -> Span<UInt8>? {
        for index in 0..<head.fields.count where head.fields[index].known == .cookie && !head.fields[index].isRemoved {
            let line = slice(head.fields[index].value)
            if let range = CookiePairs.value(of: name, in: line) { return line.extracting(range) }
        }
        return nil
    }

    /// Lowers the number of body bytes that this request may bring; more are answered with 413.
    public mutating func limitBody(to bytes: Int) {
        bodyLimit = min(bodyLimit, max(0, bytes))
    }

    /// Stops here and answers; write `return request.reply(…)`.
    public mutating func reply(_ reply: LocalReply) -> Verdict {
        localReply = reply
        return .reply
    }

    package mutating func reply(_ code: ErrorCode, _ detail: String = "") -> Verdict {
        localReply = LocalReply(code, detail: detail)
        return .reply
    }
}
