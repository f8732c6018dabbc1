import Containers

/// What a peer may do before it is told to calm down. Each is counted in `FloodCounters`.
package struct FloodLimits: Sendable, Equatable {
    /// Bytes of a field block before END_HEADERS.
    package var headerBlockBytes = 65_536
    /// CONTINUATION frames of one block.
    package var continuations = 16
    /// Streams that a client resets before they are answered, in one window of time; and the part of all, in percent, from so
    /// many streams on.
    package var rapidResets = 100
    package var rapidResetPercent = 50
    package var rapidResetStreams = 200
    /// Streams of a client's connection that we had to reset for what it did.
    package var streamErrors = 100
    /// PING and SETTINGS frames in one window of time; of PING beside two for each frame with fields or content that went either
    /// way in it. Implementations of gRPC send one with each DATA frame that comes, to measure the bandwidth.
    package var pings = 100
    package var settings = 20
    /// DATA, HEADERS and CONTINUATION frames in a row that say nothing.
    package var emptyFrames = 10
    /// PRIORITY frames, beside two for each stream.
    package var priorities = 200
    /// WINDOW_UPDATE frames, beside two for each stream and twenty for each DATA frame that was sent.
    package var windowUpdates = 100
    /// Frames that are passed over, of streams that are gone or of unknown types, beside eight for each stream. Content that
    /// was allowed before a reset of ours is none of them.
    package var ignoredFrames = 1_000
    /// Answers that the peer has not read.
    package var unreadReplies = 1_000
    /// The window of time.
    package var window: Int64 = 10_000_000_000
    /// How long a stream may have content and no window.
    package var stall: Int64 = 30_000_000_000

    package init() {}
}

/// Events within fixed windows of time.
struct RateCounter: Sendable {
    private var start = Instant(nanoseconds: .min)
    private var count = 0
    private var formerlyUseful = 0

    /// Whether there were more than `limit` in this window, and two for each of the `useful` events in it; those are given as
    /// counted so far.
    mutating func exceeds(_ limit: Int, beside useful: Int = 0, now: Instant, window: Int64) -> Bool {
        if now.since(start) >= window {
            start = now
            count = 0
            formerlyUseful = useful
        }
        count &+= 1
        return count > limit &+ 2 &* (useful &- formerlyUseful)
    }
}

/// What happened on a connection so far: what limits are compared with, and for metrics.
package struct FloodCounters: Sendable, Equatable {
    package internal(set) var frames = 0
    package internal(set) var streams = 0
    package internal(set) var refusedStreams = 0
    package internal(set) var malformed = 0
    package internal(set) var resetsReceived = 0
    package internal(set) var rapidResets = 0
    package internal(set) var streamErrors = 0
    package internal(set) var pings = 0
    package internal(set) var settings = 0
    package internal(set) var emptyFrames = 0
    package internal(set) var priorities = 0
    package internal(set) var windowUpdates = 0
    package internal(set) var ignoredFrames = 0
    package internal(set) var dataFramesSent = 0
    /// Blocks of fields and frames with content that came, blocks of fields that were sent.
    package internal(set) var messageFrames = 0
}
