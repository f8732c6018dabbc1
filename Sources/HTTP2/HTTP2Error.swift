/// Error codes of RFC 9113 section 7. A peer may send others.
package enum HTTP2Error: UInt32, Sendable, CaseIterable {
    case noError = 0
    case protocolError, internalError, flowControlError, settingsTimeout, streamClosed, frameSizeError, refusedStream
    case cancel, compressionError, connectError, enhanceYourCalm, inadequateSecurity, http11Required
}
