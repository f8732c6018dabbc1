package import Containers
internal import HTTP
internal import Net

/// A request's parts as copies, for middleware that decides while the request is suspended.
public struct RequestSnapshot: Sendable {
    public struct Field: Sendable, Equatable {
        /// As the client wrote it.
        public let name: String
        public let value: [UInt8]

        /// The value as text, nil when it is not UTF-8.
        public var string: String? { String(validating: value, as: UTF8.self) }
    }

    public let method: String
    /// The canonical path with the query as received: what goes upstream unless the route rewrites it.
    public let uri: String
    /// Lower case, without port.
    public let host: String
    /// Host and port as the client wrote them; empty without.
    package let authority: String
    /// Port that the client came to; 0: a Unix socket.
    package let localPort: UInt16
    /// `https` when the client came over TLS, here or at a proxy that we trust; else `http`.
    public let scheme: String
    /// The client's address.
    public let client: String
    /// Whether it has one: behind a Unix socket nobody may have named it.
    package let hasClient: Bool
    public let requestID: String
    public let route: String
    /// Who the client proved to be so far; empty: nobody.
    public let identity: [UInt8]
    /// The fields that go upstream, in order; those that earlier middleware set come last.
    public let fields: [Field]

    /// When the request was suspended.
    package let now: Instant

    /// Copies a request. Called by the engine when a chain suspends.
    package init(_ request: borrowing RequestContext, localPort: UInt16) {
        method = Self.text(request.methodBytes)
        let query = request.head.query.map { "?" + Self.text(request.slice($0)) } ?? ""
        uri = (request.path.isEmpty ? "*" : Self.text(request.pathBytes)) + query
        host = Self.text(request.hostBytes)
        authority = request.head.authority.isEmpty ? "" : Self.text(request.slice(request.head.authority))
        self.localPort = localPort
        client = request.clientAddress
        hasClient = !request.client.isUnspecified
        requestID = Self.text(request.requestIDBytes)
        let name = request.names.route
        route = Self.text(name.span)
        identity = Self.bytes(request.identityBytes)
        scheme = request.isSecure ? "https" : "http"
        now = request.now
        fields = Self.fields(of: request)
    }

    /// Every value of a field, in order.
    public func values(of name: FieldName) -> [[UInt8]] {
        fields.compactMap { $0.name.utf8.elementsEqual(name.lowercase, by: Self.isSame) ? $0.value : nil }
    }

    /// The first value of a field as text; nil without one, or when it is not UTF-8.
    public func string(of name: FieldName) -> String? {
        values(of: name).first.flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static func isSame(_ byte: UInt8, _ lowercase: UInt8) -> Bool { ByteClass.lowercased(byte) == lowercase }

    private static func fields(of request: borrowing RequestContext) -> [Field] {
        var fields: [Field] = []
        for index in 0..<request.head.fields.count where !request.head.fields[index].isRemoved {
            let line = request.head.fields[index]
            fields.append(Field(name: text(request.slice(line.name)), value: bytes(request.slice(line.value))))
        }
        let added = request.additions.span
        var lines = RequestScan.Lines(startingIn: added)
        while let line = lines.next(in: added) {
            fields.append(Field(name: text(added.extracting(line.name)), value: bytes(added.extracting(line.value))))
        }
        return fields
    }

    private static func bytes(_ span: Span<UInt8>) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(span.count)
        for index in 0..<span.count { copy.append(span[index]) }
        return copy
    }

    /// Targets, methods and hosts were validated: ASCII. Other bytes would become U+FFFD.
    private static func text(_ span: Span<UInt8>) -> String { String(decoding: bytes(span), as: UTF8.self) }
}
