package import YAML

/// How the loader gets at files, so that a stored configuration loads in the same way as the one on the disk.
package struct ConfigFiles: Sendable {
    /// All bytes of a file of at most `limit` bytes.
    package var read: @Sendable (_ path: String, _ limit: Int) -> Result<[UInt8], DiskFile.Failure>
    /// Names in a directory, in order.
    package var list: @Sendable (_ path: String) -> Result<[String], DiskFile.Failure>

    package init(
        read: @escaping @Sendable (_ path: String, _ limit: Int) -> Result<[UInt8], DiskFile.Failure>,
        list: @escaping @Sendable (_ path: String) -> Result<[String], DiskFile.Failure>
    ) {
        self.read = read
        self.list = list
    }

    /// The file system.
    package static let disk = ConfigFiles(
        read: { path, limit in Result { () throws(DiskFile.Failure) in try DiskFile.read(path, limit: limit) } },
        list: { path in Result { () throws(DiskFile.Failure) in try DiskFile.list(path) } })

    /// Files in memory, by path.
    package static func memory(_ files: [String: [UInt8]]) -> ConfigFiles {
        ConfigFiles(
            read: { path, limit in
                guard let content = files[path] else { return .failure(.init(reason: "no such file")) }
                guard content.count <= limit else { return .failure(.init(reason: "larger than \(limit) bytes")) }
                return .success(content)
            },
            list: { directory in
                let prefix = directory == "." ? "" : directory + "/"
                let names = Set(
                    files.keys.filter { $0.hasPrefix(prefix) }
                        .compactMap { $0.dropFirst(prefix.count).split(separator: "/").first.map(String.init) })
                return .success(names.sorted())
            })
    }
}
