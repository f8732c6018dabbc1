package import HTTP2

/// What happened on HTTP/2 connections, for metrics.
package struct MultiplexerCounters: Sendable, Equatable {
    package internal(set) var connections = 0
    package internal(set) var streams = 0
    package internal(set) var malformed = 0
    package internal(set) var resets = 0
    /// Connections that were ended for what the peer did, by the reason's place among all.
    package internal(set) var failures: [FailureReason: Int] = [:]

    /// Takes over what a connection counted that is gone.
    mutating func add(_ flood: FloodCounters) {
        connections &+= 1
        streams &+= flood.streams
        malformed &+= flood.malformed
        resets &+= flood.resetsReceived
    }

    mutating func note(_ reason: FailureReason) { failures[reason, default: 0] &+= 1 }
}
