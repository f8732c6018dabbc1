import YAML

/// All that one load took from outside: enough to load the same configuration again without touching the disk or the
/// environment. Holds secrets.
package struct ConfigRecord: Sendable, Equatable {
    /// The main file.
    package var path: String
    /// Every file that was read, by path: the configuration, what it includes, and its secrets.
    package var files: [String: [UInt8]] = [:]
    /// Names in the directories that were searched for includes.
    package var directories: [String: [String]] = [:]
    /// The variables that the configuration names, and that were set.
    package var environment: [String: String] = [:]
    package var credentialsDirectory: String?

    package init(path: String) { self.path = path }

    /// Files that answer from the record.
    package var source: ConfigFiles {
        let (files, directories) = (files, directories)
        return ConfigFiles(
            read: { path, _ in files[path].map { .success($0) } ?? .failure(.init(reason: "no such file")) },
            list: { path in directories[path].map { .success($0) } ?? .failure(.init(reason: "no such file")) })
    }
}

// MARK: - Bytes

extension ConfigRecord {
    private static let magic = Array("martlet-config-1\n".utf8)

    /// The record for another process; `init(decoding:)` reads it.
    package func encoded() -> [UInt8] {
        var bytes = Self.magic
        func put(_ field: [UInt8]) {
            var count = UInt64(field.count)
            for _ in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: count))
                count >>= 8
            }
            bytes += field
        }
        func put(_ text: String) { put(Array(text.utf8)) }
        put(path)
        put(credentialsDirectory.map { "=" + $0 } ?? "")
        put("\(files.count)")
        for (path, content) in files.sorted(by: { $0.key < $1.key }) {
            put(path)
            put(content)
        }
        put("\(directories.count)")
        for (path, names) in directories.sorted(by: { $0.key < $1.key }) {
            put(path)
            put("\(names.count)")
            for name in names { put(name) }
        }
        put("\(environment.count)")
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            put(name)
            put(value)
        }
        return bytes
    }

    /// Reads what `encoded` wrote; nil for anything else.
    package init?(decoding bytes: [UInt8]) {
        guard bytes.starts(with: Self.magic) else { return nil }
        var fields = FieldReader(bytes: bytes, position: Self.magic.count)
        guard let path = fields.text(), let credentials = fields.text(), let files = fields.count() else { return nil }
        self.init(path: path)
        credentialsDirectory = credentials.isEmpty ? nil : String(credentials.dropFirst())
        for _ in 0..<files {
            guard let path = fields.text(), let content = fields.next() else { return nil }
            self.files[path] = Array(content)
        }
        guard let directories = fields.count() else { return nil }
        for _ in 0..<directories {
            guard let path = fields.text(), let count = fields.count() else { return nil }
            var names: [String] = []
            for _ in 0..<count {
                guard let name = fields.text() else { return nil }
                names.append(name)
            }
            self.directories[path] = names
        }
        guard let variables = fields.count() else { return nil }
        for _ in 0..<variables {
            guard let name = fields.text(), let value = fields.text() else { return nil }
            environment[name] = value
        }
        guard fields.position == bytes.count else { return nil }
    }

    private struct FieldReader {
        var bytes: [UInt8]
        var position: Int

        mutating func next() -> ArraySlice<UInt8>? {
            guard bytes.count - position >= 8 else { return nil }
            var count: UInt64 = 0
            for index in (0..<8).reversed() { count = count << 8 | UInt64(bytes[position + index]) }
            position += 8
            guard count <= UInt64(bytes.count - position) else { return nil }
            let end = position + Int(count)
            defer { position = end }
            return bytes[position..<end]
        }

        mutating func text() -> String? { next().map { String(decoding: $0, as: UTF8.self) } }

        /// Never more than fields that can follow.
        mutating func count() -> Int? {
            guard let text = text(), let count = Int(text), count >= 0, count <= bytes.count else { return nil }
            return count
        }
    }
}
