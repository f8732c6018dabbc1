import Containers

/// The streams that were closed last: frames of those that we reset may still be on their way (RFC 9113 section 5.1), frames
/// of others are errors.
struct ClosedStreams: ~Copyable {
    enum Ending: UInt32, Sendable {
        /// By END_STREAM of both sides, or by the peer's RST_STREAM.
        case byPeer = 0
        /// By our RST_STREAM.
        case byUs = 1
    }

    private static let size = 128
    /// Numbers of streams have 31 bits: the lowest one here says how one ended.
    private var ring = FixedArray<UInt32>(capacity: 0)
    private var next = 0

    mutating func append(_ id: UInt32, _ ending: Ending) {
        if ring.count == 0 { ring = FixedArray(repeating: 0, count: Self.size) }
        ring[next] = id &<< 1 | ending.rawValue
        next = (next &+ 1) & (Self.size &- 1)
    }

    /// Nil for a stream that is forgotten or never was.
    func ending(of id: UInt32) -> Ending? {
        for place in 0..<ring.count where ring[place] &>> 1 == id {
            return Ending(rawValue: ring[place] & 1)
        }
        return nil
    }
}
