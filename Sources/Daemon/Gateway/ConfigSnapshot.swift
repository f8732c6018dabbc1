import Linux

/// Everything that a published configuration was read from, as bytes. It outlives the gateway process in the supervisor's
/// hands, so that a restart never meets a file that somebody is editing.
package struct ConfigSnapshot: Sendable, Equatable {
    /// Bytes of the largest snapshot.
    package static let limit = 256 * 1024 * 1024
    private static let magic = Array("martlet1".utf8)

    /// Counts the publications of this Martlet, over restarts of the gateway process.
    package var generation: UInt64
    /// All that was read: files, secrets, variables. Only the loader knows their form.
    package var record: [UInt8]

    package init(generation: UInt64 = 0, record: [UInt8]) {
        self.generation = generation
        self.record = record
    }

    var bytes: [UInt8] {
        var writer = MessageWriter()
        for byte in Self.magic { writer.write(byte) }
        writer.write(generation)
        writer.write(record)
        return writer.bytes
    }

    init(bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        for byte in Self.magic {
            guard try reader.byte() == byte else { throw MalformedMessage() }
        }
        generation = try reader.number64()
        record = try reader.blob()
        try reader.finish()
    }

    /// Reads the snapshot that a sealed memory file holds; nil when it holds none.
    static func read(from descriptor: Int32) -> ConfigSnapshot? {
        guard let bytes = try? MemoryFile.contents(of: descriptor, limit: limit) else { return nil }
        return try? ConfigSnapshot(bytes: bytes)
    }
}
