import Containers
import HTTP
import RegularExpression

/// Path patterns of routes: `/users/{id}`, `/{id:[0-9]+}`, `/files/{rest...}`, `/api/*`.
struct PathText {
    /// Parameters of one path; requests carry them in a table of this size.
    static let parametersMax = 32

    /// Where in the text something is wrong, in characters.
    struct Failure: Error {
        var offset: Int
        var width: Int
        var message: String
        var help: String?
    }

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var names: [String] = []

    static func parse(_ text: String) throws(Failure) -> RouteConfig.Path {
        var reader = PathText(text)
        return try reader.path(source: text)
    }

    private init(_ text: String) { scalars = Array(text.unicodeScalars) }

    private mutating func path(source: String) throws(Failure) -> RouteConfig.Path {
        guard scalars.first == "/" else {
            let help =
                source.contains("://") ? "write the path alone; the host has a key of its own" : "write /\(source)"
            throw Failure(offset: 0, width: scalars.count, message: "a path starts with `/`", help: help)
        }
        var segments: [RouteConfig.PathSegment] = []
        while index < scalars.count {
            index += 1
            if index == scalars.count { return .init(segments: segments, hasTrailingSlash: true, source: source) }
            let start = index
            let segment = try segment()
            if case .tail = segment, index < scalars.count {
                throw failure(
                    from: start, "`\(text(start..<index))` takes the whole rest of the path and can only stand last")
            }
            segments.append(segment)
        }
        return .init(segments: segments, hasTrailingSlash: false, source: source)
    }

    private mutating func segment() throws(Failure) -> RouteConfig.PathSegment {
        let start = index
        if scalars[start] == "{" { return try parameter() }
        while index < scalars.count, scalars[index] != "/" { index += 1 }
        let found = scalars[start..<index]
        if found.count == 1, found.first == "*" { return .tail(nil) }
        if let brace = found.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            throw failure(
                from: brace, "a parameter is a whole segment", help: "put a `/` before `{` and after `}`")
        }
        if found.isEmpty { throw failure(from: start, "two slashes in a row") }
        if let star = found.firstIndex(of: "*") {
            throw failure(
                from: star, "`*` is a whole segment and can only stand last",
                help: "`/api/*` matches `/api` and all below it; one segment is `{name}`")
        }
        return .literal(try literal(start..<index))
    }

    private mutating func parameter() throws(Failure) -> RouteConfig.PathSegment {
        let start = index
        var depth = 0
        while index < scalars.count {
            switch scalars[index] {
            case "\\": index += 1
            case "{": depth += 1
            case "}": depth -= 1
            default: break
            }
            index += 1
            if depth == 0 { break }
        }
        guard depth == 0, index <= scalars.count else {
            throw failure(from: start, "this `{` is not closed", help: "add the `}`")
        }
        guard index == scalars.count || scalars[index] == "/" else {
            throw failure(from: start, "a parameter is a whole segment", help: "put a `/` after `}`")
        }
        let inner = text((start + 1)..<(index - 1))
        if let colon = inner.firstIndex(of: ":") {
            let name = try name(String(inner[..<colon]), start)
            let source = String(inner[inner.index(after: colon)...])
            do throws(TextFailure) {
                return .constrained(name, try PatternText.compile(source))
            } catch {
                throw failure(from: start, error.message ?? "", help: error.help)
            }
        }
        if inner.hasSuffix("...") { return .tail(try name(String(inner.dropLast(3)), start)) }
        return .parameter(try name(inner, start))
    }

    private mutating func name(_ name: String, _ start: Int) throws(Failure) -> String {
        let isSound = name.utf8.enumerated().allSatisfy { position, byte in
            ByteClass.isUnreserved(byte) && byte != 0x2E && byte != 0x7E && (position > 0 || !ByteClass.isDigit(byte))
        }
        guard isSound, !name.isEmpty else {
            throw failure(
                from: start, name.isEmpty ? "a parameter needs a name" : "`\(name)` is no name of a parameter",
                help: "names have letters, digits, `_` and `-`: {id}, {id:[0-9]+}, {rest...}")
        }
        guard !names.contains(name) else {
            throw failure(from: start, "the parameter `\(name)` stands twice in this path")
        }
        guard names.count < Self.parametersMax else {
            throw failure(from: start, "more than \(Self.parametersMax) parameters")
        }
        names.append(name)
        return name
    }

    /// The canonical form, which is what requests are matched by. Letters beyond ASCII may stand as they are.
    private func literal(_ range: Range<Int>) throws(Failure) -> String {
        var raw: [UInt8] = [0x2F]
        for byte in text(range).utf8 {
            if byte >= 0x80 { raw += Self.escape(byte) } else { raw.append(byte) }
        }
        var canonical = Buffer(capacity: raw.count + 1)
        let refusal = CanonicalPath.append(raw.span, to: &canonical)
        switch refusal {
        case nil: break
        case .badEscape:
            throw failure(
                from: range.lowerBound, "`%` must be followed by two hexadecimal digits",
                help: "write %25 for the sign itself")
        case .invalidByte: throw invalidByte(range)
        case .aboveRoot: throw failure(from: range.lowerBound, "`..` segments are removed before matching")
        default:
            throw failure(
                from: range.lowerBound, "no request with `\(text(range))` in its path is let through")
        }
        let span = canonical.span
        let bytes = span.indices.dropFirst().map { span[$0] }
        guard !bytes.isEmpty else { throw failure(from: range.lowerBound, "`.` segments are removed before matching") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func invalidByte(_ range: Range<Int>) -> Failure {
        let found = text(range)
        if found.contains("?") || found.contains("#") {
            return failure(
                from: range.lowerBound, "a path has no `?` and no `#`",
                help: "conditions on the query stand under `query:`")
        }
        let byte =
            found.utf8.first { byte in
                var single = Buffer(capacity: 4)
                let raw: [UInt8] = [0x2F, byte]
                return byte != 0x25 && CanonicalPath.append(raw.span, to: &single) == .invalidByte
            } ?? 0x5C
        let escaped = String(decoding: Self.escape(byte), as: UTF8.self)
        return failure(
            from: range.lowerBound, "`\(found)` has a byte that no path has",
            help: byte == 0x5C ? nil : "write it as \(escaped)")
    }

    private static func escape(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    private func text(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    private func failure(from start: Int, _ message: String, help: String? = nil) -> Failure {
        Failure(offset: start, width: max(1, min(index, scalars.count) - start), message: message, help: help)
    }
}

extension RouteConfig.Path {
    /// Names of the parameters, in order.
    package var parameterNames: [String] {
        segments.compactMap { segment in
            switch segment {
            case .parameter(let name), .constrained(let name, _): name
            case .tail(let name): name
            case .literal: nil
            }
        }
    }
}

/// Regular expressions of the file.
enum PatternText {
    static func compile(_ source: String) throws(TextFailure) -> RouteConfig.Pattern {
        do throws(RegularExpressionError) {
            return RouteConfig.Pattern(source: source, expression: try RegularExpression(source))
        } catch {
            throw TextFailure(
                "`\(source)` is no regular expression: \(error.message)", help: "the syntax is that of RE2")
        }
    }
}
