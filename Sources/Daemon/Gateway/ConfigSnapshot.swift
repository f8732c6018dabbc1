import Linux

/// Everything that a published configuration was read from, as bytes. It outlives the gateway process in the supervisor's
/// hands, so that a restart never meets a file that somebody is editing.
package struct ConfigSnapshot: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        package var path: String
        /// nil: there was no such file.
        package var contents: [UInt8]?

        package init(path: String, contents: [UInt8]?) {
            self.path = path
            self.contents = contents
        }
    }

    /// Bytes of the largest snapshot.
    package static let limit = 256 * 1024 * 1024
    private static let magic = Array("martlet1".utf8)

    /// Counts the publications of this Martlet, over restarts of the gateway process.
    package var generation: UInt64 = 0
    /// The main configuration file.
    package var path: String
    /// The main file first, then every other file that was read (includes, secrets).
    package var files: [File]
    /// What each include pattern matched.
    package var patterns: [String: [String]]

    package init(path: String, files: [File], patterns: [String: [String]] = [:]) {
        self.path = path
        self.files = files
        self.patterns = patterns
    }

    var bytes: [UInt8] {
        var writer = MessageWriter()
        for byte in Self.magic { writer.write(byte) }
        writer.write(generation)
        writer.write(path)
        writer.write(UInt32(clamping: files.count))
        for file in files {
            writer.write(file.path)
            writer.write(UInt8(file.contents == nil ? 0 : 1))
            if let contents = file.contents { writer.write(contents) }
        }
        writer.write(UInt32(clamping: patterns.count))
        for (pattern, matches) in patterns.sorted(by: { $0.key < $1.key }) {
            writer.write(pattern)
            writer.write(UInt32(clamping: matches.count))
            for match in matches { writer.write(match) }
        }
        return writer.bytes
    }

    init(bytes: [UInt8]) throws(MalformedMessage) {
        var reader = MessageReader(bytes)
        for byte in Self.magic {
            guard try reader.byte() == byte else { throw MalformedMessage() }
        }
        generation = try reader.number64()
        path = try reader.text()
        files = []
        patterns = [:]
        for _ in 0..<(try reader.number32()) {
            let path = try reader.text()
            files.append(File(path: path, contents: try reader.flag() ? try reader.blob() : nil))
        }
        for _ in 0..<(try reader.number32()) {
            let pattern = try reader.text()
            var matches: [String] = []
            for _ in 0..<(try reader.number32()) { matches.append(try reader.text()) }
            patterns[pattern] = matches
        }
        try reader.finish()
    }

    /// Reads the snapshot that a sealed memory file holds; nil when it holds none.
    static func read(from descriptor: Int32) -> ConfigSnapshot? {
        guard let bytes = try? MemoryFile.contents(of: descriptor, limit: limit) else { return nil }
        return try? ConfigSnapshot(bytes: bytes)
    }
}
