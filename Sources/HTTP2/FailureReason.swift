/// Why a connection was ended: for logs and metrics. The code that the peer is sent goes with it.
package enum FailureReason: UInt8, Sendable, CaseIterable {
    // The peer breaks the protocol.
    case preface, firstFrame, frameSize, frameOrder, frameStream, padding
    case idleStream, streamOrder, streamParity, closedStream
    case compression
    case settingsValue, settingsAcknowledgement
    case windowOverflow, windowExceeded, windowIncrement
    case pushPromise, goAway
    // Too much of something.
    case headerBlock, continuations, decodedFields
    case rapidResets, streamErrors
    case pings, settings, emptyFrames, priorities, windowUpdates, ignoredFrames
    case unreadReplies
}
