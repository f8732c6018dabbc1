import YAML

/// Files of `Fixtures`, made by its script.
enum Fixture {
    static func bytes(_ name: String) throws -> [UInt8] {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        return try DiskFile.read("/\(folder)/Fixtures/\(name)", limit: 1 << 20)
    }

    static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
}
