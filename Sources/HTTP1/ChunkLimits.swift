/// Bounds of one chunked body beside its content: what frames it, and its trailer section.
package struct ChunkLimits: Sendable, Equatable {
    /// Bytes of extensions that one chunk-size line may have.
    package var lineBytes: Int32
    /// Bytes of extensions that one body may have.
    package var extensionBytes: Int32
    /// Bytes that a trailer section may have.
    package var trailerBytes: Int32
    /// Lines that a trailer section may have.
    package var trailerFields: Int32

    package init(
        lineBytes: Int = 256, extensionBytes: Int = 16_384, trailerBytes: Int = 8_192, trailerFields: Int = 32
    ) {
        self.lineBytes = Int32(clamping: lineBytes)
        self.extensionBytes = Int32(clamping: extensionBytes)
        self.trailerBytes = Int32(clamping: trailerBytes)
        self.trailerFields = Int32(clamping: trailerFields)
    }
}
