package import Config
package import Containers
internal import HTTP

/// A template of the configuration, ready to be evaluated request after request without allocating.
///
/// Expansion is a single pass: what a client sent is never looked at for braces.
package struct CompiledTemplate: Sendable {
    enum Operation: Sendable {
        /// A range of the text.
        case literal(Range<Int>)
        case variable(CompiledVariable, TemplateEscaping)

        /// The operation when its text stands `offset` further on.
        func moved(by offset: Int) -> Operation {
            switch self {
            case .literal(let range): .literal((range.lowerBound + offset)..<(range.upperBound + offset))
            case .variable(let variable, let escaping): .variable(variable.moved(by: offset), escaping)
            }
        }
    }

    /// Where the value is going to stand.
    package enum Use: Sendable {
        case field
        /// A path, or the target of a redirect: values are escaped for the path, behind a `?` of the text for the
        /// query.
        case target
    }

    /// Literal text and names.
    let text: [UInt8]
    let operations: [Operation]
    /// How far a redirect's target is fixed: what comes behind this offset must begin a path, a query or nothing.
    private let authorityEnd: Int?

    package init(_ template: Template, for use: Use) {
        var text: [UInt8] = []
        var operations: [Operation] = []
        var escaping = use == .field ? TemplateEscaping.field : .path
        for segment in template.segments {
            switch segment {
            case .literal(let bytes):
                operations.append(.literal(text.count..<(text.count + bytes.count)))
                text += bytes
                if use == .target && bytes.contains(0x3F) { escaping = .query }
            case .variable(let variable):
                operations.append(.variable(CompiledVariable(variable, text: &text), escaping))
            }
        }
        authorityEnd = Self.authorityEnd(of: template)
        self.text = text
        self.operations = operations
    }

    /// The bytes when there are no variables.
    var literal: [UInt8]? {
        var bytes: [UInt8] = []
        for operation in operations {
            guard case .literal(let range) = operation else { return nil }
            bytes += text[range]
        }
        return bytes
    }

    /// Whether a variable is used that the response phase does not know (`path.NAME`).
    var isRequestPhaseOnly: Bool {
        operations.contains {
            if case .variable(let variable, _) = $0 { variable.isRequestPhaseOnly } else { false }
        }
    }

    /// Appends the value for a request.
    ///
    /// - Returns: false when there is no room; the buffer then holds a part of it.
    package func append(to output: inout Buffer, _ request: borrowing RequestContext) -> Bool {
        Self.append(operations.span, text.span, to: &output, from: request)
    }

    /// Appends the value for a response.
    package func append(to output: inout Buffer, _ response: borrowing ResponseContext) -> Bool {
        Self.append(operations.span, text.span, to: &output, from: response)
    }

    @inline(__always)
    static func append<Source: VariableSource & ~Copyable>(
        _ operations: Span<Operation>, _ text: Span<UInt8>, to output: inout Buffer, from source: borrowing Source
    ) -> Bool {
        for index in 0..<operations.count {
            switch operations[index] {
            case .literal(let range):
                if !output.appendIfRoom(text.extracting(range)) { return false }
            case .variable(let variable, let escaping):
                let start = output.count
                if !source.append(variable.kind, name: text.extracting(variable.name), to: &output) { return false }
                if !escaping.escape(variable.kind, in: &output, from: start) { return false }
            }
        }
        return true
    }

    // MARK: - Redirects

    /// Appends the target of a redirect: scheme and authority only ever come from the configuration, and the path
    /// cannot be read as an authority.
    ///
    /// - Returns: false, and nothing appended, when the request would make it something else; answer with
    ///   `ErrorCode.pathRefused`.
    package func appendRedirect(to output: inout Buffer, _ request: borrowing RequestContext) -> Bool {
        let start = output.count
        guard let authorityEnd, append(to: &output, request), isSafe(output.span.extracting(start...), authorityEnd)
        else {
            output.keepFirst(min(start, output.count))
            return false
        }
        return true
    }

    /// What is wrong with this template as the target of a redirect, nil when nothing is.
    package var redirectProblem: String? {
        authorityEnd == nil
            ? "a redirect's target begins with '/' or with a scheme and a host that are written out" : nil
    }

    private func isSafe(_ target: Span<UInt8>, _ authorityEnd: Int) -> Bool {
        for index in 0..<target.count where !ByteClass.isTarget(target[index]) && target[index] != 0x23 { return false }
        guard authorityEnd < target.count else { return authorityEnd == target.count && authorityEnd > 0 }
        switch target[authorityEnd] {
        case 0x2F:
            // `//host` and `/\host` name another host for a browser; a backslash is no byte of a target.
            return authorityEnd + 1 >= target.count || target[authorityEnd + 1] != 0x2F
        case 0x3F, 0x23: return authorityEnd > 0
        default: return false
        }
    }

    /// 0 for a path, the offset behind `scheme://authority` for an absolute URL, nil when the text does not fix them.
    private static func authorityEnd(of template: Template) -> Int? {
        guard case .literal(let bytes)? = template.segments.first else {
            // `{path}` always begins with a slash.
            return template.segments.first == .variable(.path) ? 0 : nil
        }
        if bytes.first == 0x2F { return 0 }
        for scheme in ["https://", "http://"] where bytes.starts(with: scheme.utf8) {
            var end = scheme.utf8.count
            while end < bytes.count && ByteClass.isAuthority(bytes[end]) { end += 1 }
            return end > scheme.utf8.count ? end : nil
        }
        return nil
    }
}

extension ByteClass {
    /// Bytes of a host with port as configurations write it.
    fileprivate static func isAuthority(_ byte: UInt8) -> Bool {
        isHost(byte) || byte == 0x3A || byte == 0x5B || byte == 0x5D
    }
}
