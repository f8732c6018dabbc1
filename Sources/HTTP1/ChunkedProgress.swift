/// What one call of `ChunkedDecoder.decode` did to the buffer.
///
///     after the call:   | content | used up | rest |
///                       0    contentCount   consumed
package struct ChunkedProgress: Equatable, Sendable {
    /// The first readable bytes of the buffer that are content.
    package var contentCount: Int
    /// Offset of the first readable byte that was not used: the count of readable bytes, unless the body is complete.
    package var consumed: Int
    /// The last chunk and the trailer section have ended.
    package var isComplete: Bool

    package init(contentCount: Int, consumed: Int, isComplete: Bool) {
        self.contentCount = contentCount
        self.consumed = consumed
        self.isComplete = isComplete
    }
}
