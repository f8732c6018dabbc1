import Containers
import HTTP
import HTTP1

/// A request as `explain` is asked about it, brought into the form that routing sees by the very code that serves.
struct ExplainedRequest: ~Copyable {
    enum Failure: Error, Equatable {
        /// The command line is wrong.
        case usage(String)
        /// The gateway would answer this without looking for a route.
        case refused(status: Int, reason: String)
    }

    let head: RequestHead
    /// What the ranges of `head` refer to.
    let bytes: [UInt8]
    /// Port that the URL names.
    let port: UInt16?

    /// - Parameters:
    ///   - url: `http://host/path?query`, or only the path.
    ///   - fields: `Name: value` each.
    init(method: String, url: String, fields: [String]) throws(Failure) {
        let (authority, target) = try Self.split(url)
        let bytes = try Self.assemble(method, target, authority, fields)
        head = try Self.parse(bytes)
        self.bytes = bytes
        port = authority.split(separator: ":").last.flatMap { UInt16($0) }
    }

    private static func assemble(
        _ method: String, _ target: String, _ authority: String, _ fields: [String]
    ) throws(Failure) -> [UInt8] {
        var lines = ["\(method) \(target) HTTP/1.1"]
        if !fields.contains(where: { $0.lowercased().hasPrefix("host:") }) { lines.append("Host: \(authority)") }
        for field in fields {
            guard field.contains(":") else { throw .usage("-H \(field) is no header: write -H 'Name: value'") }
            lines.append(field)
        }
        for line in lines where line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 }) {
            throw .usage("control characters are in no request")
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private static func parse(_ bytes: [UInt8]) throws(Failure) -> RequestHead {
        var head = RequestHead()
        do throws(RequestFailure) {
            if try RequestParser().parse(bytes.span, into: &head) { return head }
            throw RequestFailure(.badRequest)
        } catch {
            throw .refused(status: error.code.row.status, reason: "\(error.code.row.name)")
        }
    }

    private static func split(_ url: String) throws(Failure) -> (authority: String, target: String) {
        if url.hasPrefix("/") || url == "*" { return ("localhost", url) }
        for scheme in ["http://", "https://", "ws://", "wss://"] where url.lowercased().hasPrefix(scheme) {
            let rest = url.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
            let target = rest[end...].prefix { $0 != "#" }
            guard !rest[..<end].isEmpty else { throw .usage("\(url) has no host") }
            return (String(rest[..<end]), target.hasPrefix("/") ? String(target) : "/" + target)
        }
        throw .usage("\(url) is neither http://host/path nor /path")
    }

    /// The bytes of a range of `head`.
    func text(_ range: ByteRange) -> String { String(decoding: bytes[range.range], as: UTF8.self) }

    func appendPath(rules: CanonicalPath.Rules, to out: inout Buffer) throws(Failure) {
        if head.form == .asterisk {
            out.append(0x2A)
            return
        }
        let raw = Array(bytes[head.path.range])
        if CanonicalPath.append(raw.span, rules: rules, to: &out) != nil {
            throw .refused(status: ErrorCode.pathRefused.row.status, reason: "\(ErrorCode.pathRefused.row.name)")
        }
    }

    func appendHost(to out: inout Buffer) throws(Failure) {
        let raw = Array(bytes[head.authority.range])
        guard CanonicalHost.append(raw.span, to: &out) else {
            throw .refused(status: ErrorCode.badRequest.row.status, reason: "\(ErrorCode.badRequest.row.name)")
        }
    }
}
