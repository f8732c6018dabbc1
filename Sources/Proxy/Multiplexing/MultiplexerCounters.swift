package import HTTP2

/// What happened on HTTP/2 connections of one side, for metrics.
package struct MultiplexerCounters: Sendable, Equatable {
    package private(set) var openConnections: Int64 = 0
    package private(set) var openStreams: Int64 = 0
    package private(set) var streams: Int64 = 0
    package private(set) var refusedStreams: Int64 = 0
    package private(set) var malformed: Int64 = 0
    package private(set) var resets: Int64 = 0
    /// Connections that were ended for what the peer did.
    package private(set) var failures: [FailureReason: Int64] = [:]

    /// Takes over what a connection has counted.
    mutating func add(_ flood: FloodCounters) {
        streams &+= Int64(flood.streams)
        refusedStreams &+= Int64(flood.refusedStreams)
        malformed &+= Int64(flood.malformed)
        resets &+= Int64(flood.resetsReceived)
    }

    mutating func addOpen(streams count: Int) {
        openConnections &+= 1
        openStreams &+= Int64(count)
    }

    mutating func note(_ reason: FailureReason) { failures[reason, default: 0] &+= 1 }

    mutating func add(_ other: MultiplexerCounters) {
        openConnections &+= other.openConnections
        openStreams &+= other.openStreams
        streams &+= other.streams
        refusedStreams &+= other.refusedStreams
        malformed &+= other.malformed
        resets &+= other.resets
        failures.merge(other.failures) { $0 &+ $1 }
    }
}
