import Containers
import HTTP
import Config
import HTTP1
import HTTP2
import Net
import Routing
import Synchronization
import TLS

/// A listener under one configuration: what a connection needs of it, compiled. Connections keep the one under which they
/// were accepted for their limits and timeouts; routes come from the current snapshot.
package final class ListenerState: Sendable {
    package let name: String
    /// The name's number, stable over reloads.
    package let number: Int
    let parser: RequestParser
    let headBytes: Int
    let speaksHTTP1: Bool
    /// Plain connections may begin with the preface of HTTP/2 (RFC 9113 section 3.3).
    let allowsPriorKnowledge: Bool
    let streamSettings: LocalSettings
    let floodLimits: FloodLimits
    let fieldLimits: FieldLimits
    let pathRules: CanonicalPath.Rules
    let proxyProtocol: [CIDRBlock]?
    /// Nil: connections are not secured.
    let tls: TLSServer?
    let handshakeTimeout: Int64
    /// Port of https that requests are sent to; 0: they are served.
    let httpsPort: Int
    let headTimeout: Int64
    let keepAliveTimeout: Int64
    let bodyIdleTimeout: Int64
    let writeIdleTimeout: Int64
    let firstByteTimeout: Int64
    let lingerIdleTimeout: Int64
    let lingerTimeout: Int64
    let lingerBytes: Int
    let unsentLimit: Int?
    let contentPace: PaceLimits
    let answerPace: PaceLimits
    let chunkLimits: ChunkLimits
    /// Requests of one connection.
    let requestsLimit: Int
    /// Nanoseconds after which a connection ends with its next answer.
    let connectionAge: Int64
    let connectionsLimit: Int
    let connectionsPerClient: Int?
    /// Connections open under this name, over all workers and reloads.
    let connections: ConnectionCount

    init(_ config: ListenerConfig, number: Int, connectionsLimit: Int, tls: TLSServer?, previous: ListenerState?) {
        name = config.name
        self.number = number
        var limits = RequestLimits()
        limits.headBytes = config.limits.head
        limits.fields = config.limits.fields
        limits.targetBytes = config.limits.target
        limits.fieldBytes = config.limits.field
        parser = RequestParser(limits: limits)
        headBytes = config.limits.head
        speaksHTTP1 = config.protocols.contains(.http1)
        allowsPriorKnowledge = config.protocols.contains(.http2Cleartext)
        fieldLimits = FieldLimits(
            fields: config.limits.fields, bytes: config.limits.head, fieldBytes: config.limits.field,
            targetBytes: config.limits.target, trailerFields: config.limits.trailerFields,
            trailerBytes: config.limits.trailers)
        var settings = LocalSettings()
        settings.concurrentStreams = config.http2.streams
        settings.streamWindow = config.http2.streamWindow
        settings.connectionWindow = config.http2.connectionWindow
        settings.fieldBytes = fieldLimits.bytes
        settings.allowsConnect = true
        streamSettings = settings
        floodLimits = FloodLimits(config.http2)
        var rules = CanonicalPath.Rules()
        rules.rejectsEncodedSlash = config.pathRules.encodedSlash == .reject
        rules.mergesSlashes = config.pathRules.mergeSlashes
        pathRules = rules
        proxyProtocol = config.proxyProtocol
        self.tls = tls
        handshakeTimeout = config.timeouts.handshake.wholeNanoseconds
        httpsPort = Int(config.redirectToHTTPS ?? 0)
        headTimeout = config.timeouts.head.wholeNanoseconds
        keepAliveTimeout = config.timeouts.keepAlive.wholeNanoseconds
        bodyIdleTimeout = config.timeouts.bodyIdle.wholeNanoseconds
        writeIdleTimeout = config.timeouts.writeIdle.wholeNanoseconds
        firstByteTimeout = config.timeouts.firstByte.wholeNanoseconds
        lingerIdleTimeout = config.timeouts.lingerIdle.wholeNanoseconds
        lingerTimeout = config.timeouts.linger.wholeNanoseconds
        lingerBytes = config.limits.linger
        unsentLimit = config.limits.unsent
        let grace = config.timeouts.rateGrace.wholeNanoseconds
        contentPace = PaceLimits(bytesPerSecond: config.limits.requestRate, grace: grace, idle: bodyIdleTimeout)
        answerPace = PaceLimits(bytesPerSecond: config.limits.responseRate, grace: grace, idle: writeIdleTimeout)
        chunkLimits = ChunkLimits(
            lineBytes: config.limits.chunkLine, extensionBytes: config.limits.chunkExtensions,
            trailerBytes: config.limits.trailers, trailerFields: config.limits.trailerFields)
        requestsLimit = config.limits.requests ?? .max
        connectionAge = config.timeouts.connectionAge?.wholeNanoseconds ?? .max
        connectionsPerClient = config.limits.connectionsPerClient
        self.connectionsLimit = config.limits.connections ?? connectionsLimit
        connections = previous?.connections ?? ConnectionCount()
    }
}

/// Connections of one listener, in all and per client, over all workers and reloads.
final class ConnectionCount: Sendable {
    let open = Atomic<Int>(0)
    /// By client address, IPv6 by /64. Only kept while a limit is set.
    private let clients = Mutex<[IPAddress: Int]>([:])

    /// Counts a connection of a client. False, and nothing counted, when it has `limit` already.
    func admit(_ client: IPAddress, limit: Int?) -> Bool {
        guard let limit else { return true }
        return clients.withLock { clients in
            let count = clients[client.clientKey(), default: 0]
            guard count < limit else { return false }
            clients[client.clientKey()] = count + 1
            return true
        }
    }

    func dismiss(_ client: IPAddress, limit: Int?) {
        guard limit != nil else { return }
        clients.withLock { clients in
            guard let count = clients[client.clientKey()] else { return }
            clients[client.clientKey()] = count > 1 ? count - 1 : nil
        }
    }
}

extension FloodLimits {
    init(_ config: HTTP2Limits) {
        self.init()
        headerBlockBytes = config.headerBlock
        continuations = config.continuations
        rapidResets = config.rapidResets
        streamErrors = config.streamErrors
        pings = config.pings
        settings = config.settings
        emptyFrames = config.emptyFrames
        priorities = config.priorities
        windowUpdates = config.windowUpdates
        ignoredFrames = config.ignoredFrames
        unreadReplies = config.unreadReplies
        window = config.window.wholeNanoseconds
    }
}
