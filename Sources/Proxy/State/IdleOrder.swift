import Containers

/// Idle client connections, those that are idle longest at the end: drawn up when room is needed, used up one by one. What
/// happened to a connection meanwhile is seen when its turn comes.
struct IdleOrder {
    struct Place {
        let key: SlabKey
        let since: Instant
    }

    /// Places that one search brings: a search looks at every connection.
    static let most = 256
    /// Who waits for less than so many nanoseconds may be about to ask.
    static let youngest: Int64 = 1_000_000_000
    /// Nanoseconds after a search that found too little until the next one.
    static let pause: Int64 = 20_000_000

    private var places: [Place] = []
    var searchesAt = Instant(nanoseconds: .min)

    /// Takes over the result of a search, in any order.
    mutating func fill(_ found: [Place], now: Instant) {
        places = found.sorted { $0.since > $1.since }
        if places.count > Self.most { places.removeFirst(places.count - Self.most) }
        if places.count < Self.most { searchesAt = now.advanced(by: Self.pause) }
    }

    mutating func next() -> Place? { places.popLast() }
}
