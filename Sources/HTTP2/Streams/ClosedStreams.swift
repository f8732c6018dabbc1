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
    /// A stream that we reset is no more among them: what is unknown may be that one.
    private(set) var hasForgottenReset = false
    /// Content that may still come of streams that we reset, in all: what was left of their windows.
    private var windows = 0

    /// `window`: content that the peer may still send on the stream.
    mutating func append(_ id: UInt32, _ ending: Ending, window: Int) {
        if ring.count == 0 { ring = FixedArray(repeating: 0, count: Self.size) }
        if ring[next] & 1 == Ending.byUs.rawValue { hasForgottenReset = true }
        ring[next] = id &<< 1 | ending.rawValue
        windows &+= window
        next = (next &+ 1) & (Self.size &- 1)
    }

    /// Whether a DATA frame of a stream that we reset is one that the peer was allowed to send before it knew. One without
    /// content needs no window, and so is none of them.
    mutating func admits(_ count: Int) -> Bool {
        guard count > 0, count <= windows else { return false }
        windows &-= count
        return true
    }

    /// Nil for a stream that is forgotten or never was.
    func ending(of id: UInt32) -> Ending? {
        for place in 0..<ring.count where ring[place] &>> 1 == id {
            return Ending(rawValue: ring[place] & 1)
        }
        return nil
    }
}
