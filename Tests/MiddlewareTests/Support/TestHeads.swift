import Config
import Containers
import HTTP
import Net

@testable import Middleware

/// Makes contexts as the engine makes them, from the text of a head. The pipeline's tests need no parser: heads here
/// are valid.
enum TestHeads {
    /// A request context for `lines` (a request line and field lines).
    static func request(
        _ lines: [String] = ["GET / HTTP/1.1"], client: IPAddress = .v4(0x0A00_0001),
        parameters: [(String, String)] = [], route: String = "test", now: Int64 = 1_000_000_000
    ) -> RequestContext {
        var context = RequestContext()
        fill(&context, lines, client: client, parameters: parameters, route: route, now: now)
        return context
    }

    static func fill(
        _ context: inout RequestContext, _ lines: [String], client: IPAddress = .v4(0x0A00_0001),
        parameters: [(String, String)] = [], route: String = "test", now: Int64 = 1_000_000_000
    ) {
        context.reset()
        let text = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        context.bytes = Buffer(capacity: max(text.count, 1))
        context.bytes.append(text)
        readRequestLine(text, &context)
        for line in fieldLines(text) {
            let name = String(decoding: text[line.name.range], as: UTF8.self).lowercased()
            context.head.fields.append(FieldLine(name: line.name, value: line.value, known: known[name] ?? .other))
            let value = String(decoding: text[line.value.range], as: UTF8.self)
            if name == "host" {
                context.head.authority = line.value
                context.host.append(Array(value.lowercased().split(separator: ":")[0].utf8))
            }
            if name == "content-length" { context.head.framing = .length(Int(value) ?? 0) }
        }
        var names: [[UInt8]] = []
        for (name, value) in parameters {
            let path = Array(String(decoding: bytes(context.path.span), as: UTF8.self).utf8)
            let needle = Array(value.utf8)
            let start = (0...(path.count - needle.count)).first { Array(path[$0..<($0 + needle.count)]) == needle } ?? 0
            names.append(Array(name.utf8))
            context.parameters.append(ByteRange(start: start, count: needle.count))
        }
        context.client = client
        context.names = RouteNames(route: Array(route.utf8), parameters: names)
        context.requestID.append("0123456789abcdef0123456789abcdef")
        context.now = Instant(nanoseconds: now)
    }

    private static func readRequestLine(_ text: [UInt8], _ context: inout RequestContext) {
        let line = text.prefix { $0 != 0x0D }
        let parts = line.split(separator: 0x20)
        let method = parts[0]
        let target = parts[1]
        context.head.methodRange = ByteRange(start: method.startIndex, count: method.count)
        context.head.method = methods[String(decoding: method, as: UTF8.self)] ?? .other
        context.head.target = ByteRange(start: target.startIndex, count: target.count)
        let path = target.prefix { $0 != 0x3F }
        context.head.path = ByteRange(start: path.startIndex, count: path.count)
        context.path.append(Array(path))
        if path.count < target.count {
            context.head.query = ByteRange(start: path.endIndex + 1, count: target.count - path.count - 1)
        }
        context.head.byteCount = text.count
    }

    /// A response context for `lines` (a status line and field lines), answering the request of `request` lines.
    static func response(
        _ lines: [String] = ["HTTP/1.1 200 OK"], request: [String] = ["GET / HTTP/1.1"], isLocal: Bool = false
    ) -> ResponseContext {
        var context = ResponseContext()
        let text = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        context.bytes = Buffer(capacity: text.count)
        context.bytes.append(text)
        context.head.status = Int(lines[0].split(separator: " ")[1]) ?? 0
        for line in fieldLines(text) {
            let name = String(decoding: text[line.name.range], as: UTF8.self).lowercased()
            context.head.fields.append(FieldLine(name: line.name, value: line.value, known: known[name] ?? .other))
        }
        let head = Array((request.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        context.requestBytes = Buffer(capacity: head.count)
        context.requestBytes.append(head)
        context.requestID.append("0123456789abcdef0123456789abcdef")
        context.isLocal = isLocal
        context.client = .v4(0x0A00_0001)
        context.names = RouteNames(route: Array("test".utf8), parameters: [])
        return context
    }

    /// What goes upstream: the client's lines that were not removed, then those that were added.
    static func sent(_ context: borrowing RequestContext) -> [String] {
        var lines: [String] = []
        for index in 0..<context.head.fields.count where !context.head.fields[index].isRemoved {
            let line = context.head.fields[index]
            lines.append("\(text(context.slice(line.name))): \(text(context.slice(line.value)))")
        }
        return lines + added(context.additions.span)
    }

    /// What goes to the client.
    static func sent(_ context: borrowing ResponseContext) -> [String] {
        var lines: [String] = []
        for index in 0..<context.head.fields.count where !context.head.fields[index].isRemoved {
            let line = context.head.fields[index]
            lines.append("\(text(context.slice(line.name))): \(text(context.slice(line.value)))")
        }
        return lines + added(context.additions.span)
    }

    static func added(_ span: Span<UInt8>) -> [String] {
        let whole = text(span)
        return whole.isEmpty ? [] : whole.utf8.split(separator: 0x0A).map { String(Substring($0.dropLast())) }
    }

    static func text(_ span: Span<UInt8>) -> String { String(decoding: bytes(span), as: UTF8.self) }

    static func text(_ span: Span<UInt8>?) -> String? {
        guard let span else { return nil }
        return String(decoding: bytes(span), as: UTF8.self)
    }

    static func bytes(_ span: Span<UInt8>) -> [UInt8] {
        var copy: [UInt8] = []
        for index in 0..<span.count { copy.append(span[index]) }
        return copy
    }

    private static func fieldLines(_ text: [UInt8]) -> [(name: ByteRange, value: ByteRange)] {
        var lines: [(ByteRange, ByteRange)] = []
        var scan = RequestScan.Lines(text.span)
        while let line = scan.next(in: text.span) {
            lines.append(
                (
                    ByteRange(start: line.name.lowerBound, count: line.name.count),
                    ByteRange(start: line.value.lowerBound, count: line.value.count)
                ))
        }
        return lines
    }

    private static let methods: [String: HTTP.Method] = [
        "GET": .get, "HEAD": .head, "POST": .post, "PUT": .put, "DELETE": .delete, "OPTIONS": .options,
    ]

    private static let known: [String: KnownField] = [
        "host": .host, "authorization": .authorization, "cookie": .cookie, "origin": .origin, "accept": .accept,
        "x-forwarded-proto": .xForwardedProto, "x-request-id": .xRequestID, "content-length": .contentLength,
        "access-control-request-method": .accessControlRequestMethod,
        "access-control-request-headers": .accessControlRequestHeaders, "vary": .vary, "set-cookie": .setCookie,
    ]
}

/// Templates and keys as the configuration makes them.
extension Template {
    /// `"/v2/"`, `.path`, … in a row.
    static func parts(_ segments: Template.Segment...) -> Template { Template(segments: segments, source: "") }
}

extension Template.Segment: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self = .literal(Array(text.utf8)) }
}
