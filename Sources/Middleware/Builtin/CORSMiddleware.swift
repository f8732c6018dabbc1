internal import Config
internal import Containers
internal import HTTP

/// `cors`: answers preflights and says which origins may read an answer (Fetch Standard, section 3.2).
///
/// Origins are compared byte by byte with the list; `null` is never one of them. The upstream's own CORS fields are
/// removed, so that there is one place that decides. Whether a request may be made at all is not decided here: browsers
/// keep to the answer, others do not read it.
struct CORSMiddleware: ~Copyable, Sendable {
    private let origins: [[UInt8]]
    private let allowsAll: Bool
    private let methods: [[UInt8]]
    /// Lower case.
    private let headers: [[UInt8]]
    private let allowMethods: String
    private let allowHeaders: String
    private let maxAge: String
    private let originName = FieldName("Origin")
    private let fieldPrefix = Array("access-control-".utf8)
    private let allowOriginName = FieldName("Access-Control-Allow-Origin")
    private let varyLine = CheckedLine(name: "Vary", value: Array("Origin".utf8))
    private let allowAllLine = CheckedLine(name: "Access-Control-Allow-Origin", value: Array("*".utf8))
    private let credentialsLine: CheckedLine?
    private let exposeLine: CheckedLine?

    init(_ config: CORSConfig) {
        // Not `config.origins == ["*"]`: the optimiser (6.3.1) then drops the literal but not its releases, which hit whatever a
        // register holds (seen as a crash in one of 200 starts). Tests/EndToEnd/test_binary.py looks for such code.
        let isOpen = config.origins.count == 1 && config.origins.first == "*"
        allowsAll = isOpen
        origins = isOpen ? [] : config.origins.filter { $0 != "*" && $0 != "null" }.map { Array($0.utf8) }
        // With `*` a credentialed answer would be readable by every page; the configuration refuses it, and so do we.
        let credentials = config.credentials && !isOpen
        credentialsLine =
            credentials ? CheckedLine(name: "Access-Control-Allow-Credentials", value: Array("true".utf8)) : nil
        methods = config.methods.map { Array($0.utf8) }
        headers = config.headers.map { $0.utf8.map(ByteClass.lowercased) }
        allowMethods = config.methods.joined(separator: ", ")
        allowHeaders = config.headers.joined(separator: ", ")
        maxAge = "\(max(0, config.maxAge.components.seconds))"
        let exposed = config.exposeHeaders.joined(separator: ", ")
        exposeLine =
            exposed.isEmpty ? nil : CheckedLine(name: "Access-Control-Expose-Headers", value: Array(exposed.utf8))
    }

    /// What the response phase has to know.
    private enum Slot {
        static let none: UInt64 = 0
        /// The origin may read the answer.
        static let allowed: UInt64 = 1
        /// As `allowed`, for the answer to a preflight.
        static let preflight: UInt64 = 2
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        guard let index = request.firstIndex(of: KnownField.origin) else { return .next }
        let isAllowed =
            request.only(originName.lowercase.span) == .line(index)
            && allows(request.slice(request.head.fields[index].value))
        guard request.head.method == .options,
            let method = request.firstIndex(of: KnownField.accessControlRequestMethod)
        else {
            if isAllowed { request.slot = Slot.allowed }
            return .next
        }
        return answerPreflight(&request, isAllowed: isAllowed, method: method)
    }

    private func answerPreflight(_ request: inout RequestContext, isAllowed: Bool, method: Int) -> Verdict {
        var reply = LocalReply(status: 204)
        if isAllowed && allowsMethod(request.slice(request.head.fields[method].value)) && allowsHeaders(request) {
            request.slot = Slot.preflight
            reply.headers.append((name: "Access-Control-Allow-Methods", value: allowMethods))
            if !allowHeaders.isEmpty {
                reply.headers.append((name: "Access-Control-Allow-Headers", value: allowHeaders))
            }
            reply.headers.append((name: "Access-Control-Max-Age", value: maxAge))
        }
        return request.reply(reply)
    }

    func onResponse(_ response: inout ResponseContext) {
        response.removeUpstreamFields(prefix: fieldPrefix.span)
        response.addLine(varyLine)
        guard response.slot != Slot.none else { return }
        if allowsAll {
            response.addLine(allowAllLine)
        } else {
            response.copyRequestField(originName, to: allowOriginName)
        }
        response.addLine(credentialsLine)
        if response.slot == Slot.allowed { response.addLine(exposeLine) }
    }

    private func allows(_ origin: Span<UInt8>) -> Bool {
        if allowsAll { return true }
        for candidate in origins where ByteClass.equals(candidate.span, origin) { return true }
        return false
    }

    private func allowsMethod(_ method: Span<UInt8>) -> Bool {
        for candidate in methods where ByteClass.equals(candidate.span, method) { return true }
        return false
    }

    /// Whether every name in every Access-Control-Request-Headers line is one of ours.
    private func allowsHeaders(_ request: borrowing RequestContext) -> Bool {
        for index in 0..<request.head.fields.count
        where request.head.fields[index].known == .accessControlRequestHeaders {
            if !allowsNames(request.slice(request.head.fields[index].value)) { return false }
        }
        return true
    }

    private func allowsNames(_ list: Span<UInt8>) -> Bool {
        var at = 0
        while at < list.count {
            var start = at
            while at < list.count && list[at] != 0x2C { at += 1 }
            var end = at
            at += 1
            while start < end && (list[start] == 0x20 || list[start] == 0x09) { start += 1 }
            while end > start && (list[end - 1] == 0x20 || list[end - 1] == 0x09) { end -= 1 }
            if start < end && !allowsName(list.extracting(start..<end)) { return false }
        }
        return true
    }

    private func allowsName(_ name: Span<UInt8>) -> Bool {
        for candidate in headers where ByteClass.isName(name, candidate.span) { return true }
        return false
    }
}

extension ResponseContext {
    fileprivate mutating func addLine(_ line: borrowing CheckedLine?) {
        switch line {
        case .none: break
        case .some(let line): _ = additions.append(line)
        }
    }

    /// Adds a field with the value of a field of the request, which was compared with the configuration before.
    fileprivate mutating func copyRequestField(_ source: FieldName, to name: FieldName) {
        Self.copy(requestBytes, source, to: name, &additions)
    }

    private static func copy(
        _ request: borrowing Buffer, _ source: FieldName, to name: FieldName, _ additions: inout FieldAdditions
    ) {
        guard let range = RequestScan.value(of: source.lowercase.span, in: request.span) else { return }
        _ = additions.append(name: name.written.span, value: request.span.extracting(range))
    }
}
