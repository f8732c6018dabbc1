/// What happened in one seed, or in many.
package struct SimulationFigures: Sendable {
    package var seeds = 0
    package var faults = FaultTotals()
    package var answered = 0
    package var answeredLocally = 0
    package var cut = 0
    /// Answers of the gateway's own by their code.
    package var codes: [String: Int] = [:]
    package var turns = 0
    package var virtualSeconds = 0
    package var buffersMax = 0
    package var queuedBytesMax = 0
    package var streamBytesMax = 0
    /// Requests of clients that speak HTTP/2.
    package var streams = 0
    package var relays = 0
    /// Of TLS, by both kinds of peers.
    package var handshakes = 0
    package var handOvers = 0
    /// By the limiter, as it must.
    package var refused = 0
    package var tunnels = 0

    package init() {}

    mutating func add(_ other: SimulationFigures) {
        seeds += other.seeds
        faults.add(other.faults)
        answered += other.answered
        answeredLocally += other.answeredLocally
        cut += other.cut
        codes.merge(other.codes) { $0 + $1 }
        turns += other.turns
        virtualSeconds += other.virtualSeconds
        buffersMax = max(buffersMax, other.buffersMax)
        queuedBytesMax = max(queuedBytesMax, other.queuedBytesMax)
        streamBytesMax = max(streamBytesMax, other.streamBytesMax)
        streams += other.streams
        relays += other.relays
        handshakes += other.handshakes
        handOvers += other.handOvers
        refused += other.refused
        tunnels += other.tunnels
    }

    package var summary: String {
        let codes = codes.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key.isEmpty ? "no code" : $0.key)" }
        let injected = faults.counts.reduce(0, +)
        return """
            \(seeds) seeds: \(answered) answered, \(answeredLocally) answered by the gateway, \(cut) cut; \(turns) turns, \
            \(virtualSeconds) virtual seconds
            \(codes.joined(separator: ", "))
            at most \(queuedBytesMax) bytes queued on a connection, \(streamBytesMax) held of a stream, \(buffersMax) buffers \
            of a worker in use
            \(relays) pieces relayed, \(handOvers) connections handed over, \(refused) requests refused by the limiter, \
            \(tunnels) WebSocket connections, \(streams) requests of clients on streams, \(handshakes) handshakes of TLS
            \(injected) faults of \(faults.counts.count - faults.missing.count) kinds of \(faults.counts.count):
            \(faults.table)
            """
    }
}
