/// Why the frames of one direction cannot be relayed any further.
package struct WebSocketFailure: Error, Equatable {
    /// What a close frame to both sides should say.
    package let code: WebSocketCloseCode
    /// Bytes of the scanned run that stand before the frame at fault and may still be relayed.
    package let relayable: Int
    /// Whether the receiver is between two frames after those bytes, so that a close frame can follow them.
    package let isAtBorder: Bool
}
