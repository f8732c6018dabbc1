/// What a client may do on one connection of HTTP/2 before it is told to calm down.
package struct HTTP2Limits: Sendable, Equatable {
    /// Streams open at once.
    package var streams = 128
    /// Bytes that may come of one stream, and of all of a connection, before we have taken them.
    package var streamWindow = 65_535
    package var connectionWindow = 1 << 20
    /// Bytes of a field block before its end, and CONTINUATION frames of one.
    package var headerBlock = 65_536
    package var continuations = 16
    /// The window of time in which resets, pings and settings are counted.
    package var window: Duration = .seconds(10)
    /// Streams that the client resets before they are answered.
    package var rapidResets = 100
    /// Streams of a connection that we had to reset for what the client did.
    package var streamErrors = 100
    package var pings = 100
    package var settings = 20
    /// Frames in a row that say nothing.
    package var emptyFrames = 10
    package var priorities = 200
    package var windowUpdates = 100
    package var ignoredFrames = 1_000
    /// Answers to control frames that the client has not read.
    package var unreadReplies = 1_000

    package init() {}
}
