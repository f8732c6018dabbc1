import Config
import Containers
import HTTP
public import HTTPTypes
import Middleware
import Proxy
import Upstream

/// An asynchronous HTTP/1.1 client over the gateway's own engine: the same parser, pools, timeouts and back-pressure.
///
/// A session has a worker thread of its own; any number of tasks may use it. Connections are kept and reused per origin. Requests
/// that are safe to repeat and have no body are sent once more when a kept connection turns out to be dead; nothing else is
/// repeated, and redirects are not followed. Cancelling a task closes its connection.
public final class ClientSession: Sendable {
    public struct Configuration: Sendable {
        /// For requests that bring none of their own.
        public var timeouts = ClientTimeouts()
        /// Sent with every request that does not set the same field.
        public var headers: HTTPFields = [:]
        /// Connections that may be open at once, to all origins together.
        public var maxConnections = 1_024
        /// Connections that may be open at once to one origin.
        public var maxConnectionsPerOrigin = 128
        /// Requests that may wait for a connection to one origin.
        public var maxPendingPerOrigin = 1_024
        /// How long a connection is kept without a request.
        public var idleTimeout = UpstreamConfig.Pool().idleTimeout
        /// Name servers, `address:port`, several with commas; nil: those of the system.
        public var nameServers: String?

        public init() {}
    }

    private let configuration: Configuration
    private let worker: ClientWorker
    private let origins: OriginTable
    private let names: NameTable

    /// Starts the session's thread. Throws when the system has no descriptors or threads left.
    public init(_ configuration: Configuration = Configuration()) throws {
        self.configuration = configuration
        names = NameTable(servers: configuration.nameServers)
        worker = try ClientWorker(connectionsLimit: max(1, min(configuration.maxConnections, 1 << 20)))
        var pool = UpstreamConfig.Pool()
        pool.maxConnections = max(1, configuration.maxConnectionsPerOrigin)
        pool.maxPending = max(0, configuration.maxPendingPerOrigin)
        pool.idleTimeout = configuration.idleTimeout
        origins = OriginTable(timeouts: configuration.timeouts, pool: pool)
    }

    deinit {
        shutdown()
    }

    /// Closes all connections and ends the thread. Requests that run fail with `ClientError.shutDown`, and so do later ones.
    public func shutdown() {
        worker.stop()
        names.stop()
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// - Parameters:
    ///   - url: `http://host[:port]/path?query`, or `unix:/run/app.sock:/path?query` for a Unix socket. Path and query must be
    ///     percent-encoded already.
    ///   - query: parameters to be added, encoded by us.
    ///   - headers: Host and the fields of framing and connection are ours.
    /// - Throws: `ClientError`, `CancellationError`, or what a body stream throws.
    public func request(
        _ method: HTTPRequest.Method, _ url: String, query: [(String, String)] = [], headers: HTTPFields = [:],
        body: ClientBody = .none, timeouts: ClientTimeouts? = nil
    ) async throws -> ClientResponse {
        let url = try ClientURL(url, query: query)
        let head = try encode(method, url, headers, body)
        let origin = origins.state(for: url.endpoint)
        if case .name(let name, _) = url.endpoint.target {
            origin.setAddresses(of: name, try await names.addresses(of: name))
        }
        let handle = ClientCallHandle(inbox: worker.inbox)
        let lease = CallLease(handle, self)
        let limits = CallTimeouts((timeouts ?? configuration.timeouts).upstream)
        handle.start(
            ClientCallRequest(
                target: .origin(origin), method: head.method, requestLine: head.requestLine,
                host: Array(url.endpoint.authority.utf8), fields: head.fields, body: body.content.callBody,
                timeouts: limits, total: nil, handle: handle))
        if case .stream(let length, let feed) = body.content { ContentSink.feed(handle, length: length, feed) }
        do {
            return ClientResponse(try await handle.head(), lease)
        } catch {
            throw ClientError.mapped(error)
        }
    }

    /// GET.
    public func get(
        _ url: String, query: [(String, String)] = [], headers: HTTPFields = [:], timeouts: ClientTimeouts? = nil
    ) async throws -> ClientResponse {
        try await request(.get, url, query: query, headers: headers, timeouts: timeouts)
    }

    /// POST of anything, a stream for instance.
    public func post(
        _ url: String, body: ClientBody, query: [(String, String)] = [], headers: HTTPFields = [:],
        timeouts: ClientTimeouts? = nil
    ) async throws -> ClientResponse {
        try await request(.post, url, query: query, headers: headers, body: body, timeouts: timeouts)
    }

    /// POST of a value as JSON.
    public func post(
        _ url: String, json: some Encodable & Sendable, query: [(String, String)] = [], headers: HTTPFields = [:],
        timeouts: ClientTimeouts? = nil
    ) async throws -> ClientResponse {
        try await post(url, body: try .json(json), query: query, headers: headers, timeouts: timeouts)
    }

    private func encode(
        _ method: HTTPRequest.Method, _ url: ClientURL, _ headers: HTTPFields, _ body: ClientBody
    ) throws(ClientError) -> EncodedHead {
        var all = headers
        for field in configuration.headers where !headers.contains(field.name) { all.append(field) }
        if let type = body.contentType, !all.contains(.contentType) { all[.contentType] = type }
        let fields = all.map { MessageField($0.name.rawName, $0.value) }
        do throws(EncodedHead.Failure) {
            return try EncodedHead(
                method: method.rawValue, target: url.target, fields: fields, framing: body.content.framing)
        } catch {
            switch error {
            case .invalid(let reason): throw .invalidRequest(reason)
            }
        }
    }
}

extension ClientBody.Content {
    var framing: BodyFraming {
        switch self {
        case .none: .none
        case .bytes(let bytes): .length(bytes.count)
        case .stream(let length?, _): .length(max(0, length))
        case .stream(nil, _): .chunked
        }
    }

    var callBody: ClientCallRequest.Body {
        switch self {
        case .none: .none
        case .bytes(let bytes): .bytes(bytes)
        case .stream(let length, _): .stream(length: length.map { max(0, $0) })
        }
    }
}
