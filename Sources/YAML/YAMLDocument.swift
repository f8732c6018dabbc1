/// One file, read.
package struct YAMLDocument: Sendable {
    /// A key that a mapping has twice; the first one counts.
    package struct DuplicateKey: Sendable {
        package let first: YAMLNode
        package let second: YAMLNode
    }

    /// Nil when the file holds nothing but comments.
    package let root: YAMLNode?
    package let duplicates: [DuplicateKey]

    /// Reads `bytes` (UTF-8), which came from `file`.
    package init(_ bytes: [UInt8], file: String, limits: YAMLLimits = YAMLLimits()) throws(YAMLError) {
        guard bytes.count <= limits.bytes else {
            throw YAMLError(
                line: 1, column: 1, message: "the file has \(bytes.count) bytes; the limit is \(limits.bytes)")
        }
        var builder = YAMLTreeBuilder(file: file, limits: limits)
        let parser = YAMLParser(bytes)
        while let event = try parser.next() {
            try builder.receive(event)
        }
        root = builder.root
        duplicates = builder.duplicates
    }
}
