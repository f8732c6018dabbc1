internal import Config
internal import HTTP

/// `forward_auth`: asks another service whether a request may pass.
///
/// The subrequest is built from scratch: GET, no body, the fields that the configuration lists, and what was asked for
/// in X-Forwarded-* fields of our own. 2xx lets the request pass with the fields that `copy_headers` names; redirects,
/// 401 and 403 go back to the client; everything else, also no answer, is 503. Nothing is remembered.
///
/// Fields of `copy_headers` are removed from the client's request in every spelling, whatever the answer says: a client
/// must not be able to say who it is.
final class ForwardAuthMiddleware: AsyncMiddleware {
    static let bodyLimit = 64 * 1024

    private let config: ForwardAuthConfig
    private let requestNames: [FieldName]
    private let copyNames: [FieldName]
    private let hostName: FieldName = "X-Forwarded-Host"
    private let portName: FieldName = "X-Forwarded-Port"
    private let sender: any SubrequestSender

    init(_ config: ForwardAuthConfig, sender: any SubrequestSender) {
        self.config = config
        // What the subrequest says about the request is ours to say.
        requestNames = config.requestHeaders.map { FieldName($0) }.filter {
            !$0.isReserved && !$0.folded.starts(with: "x-forwarded-".utf8)
        }
        copyNames = config.copyHeaders.map { FieldName($0) }
        self.sender = sender
    }

    func decide(_ request: RequestSnapshot) async -> AsyncDecision {
        do {
            return verdict(on: try await sender.send(subrequest(for: request)))
        } catch {
            let isTimeout = (error as? any SubrequestFailure)?.isTimeout ?? false
            return .reply(LocalReply(isTimeout ? .middlewareTimeout : .middlewareFailed))
        }
    }

    private func subrequest(for request: RequestSnapshot) -> Subrequest {
        var subrequest = Subrequest(
            upstream: config.upstream, target: config.path, timeout: config.timeout, bodyLimit: Self.bodyLimit)
        for name in requestNames {
            for value in request.values(of: name) { subrequest.headers.append(MessageField(name.description, value)) }
        }
        // The port here is not where TLS was ended.
        let port = request.localPort > 0 && request.scheme != "https" ? "\(request.localPort)" : ""
        subrequest.headers += [
            MessageField("X-Forwarded-Method", request.method), MessageField("X-Forwarded-Uri", request.uri),
        ]
        subrequest.headers += Self.kept(hostName, of: request, else: request.authority)
        subrequest.headers += Self.kept(portName, of: request, else: port)
        subrequest.headers.append(MessageField("X-Forwarded-Proto", request.scheme))
        if request.hasClient { subrequest.headers.append(MessageField("X-Forwarded-For", request.client)) }
        subrequest.headers.append(MessageField("X-Request-Id", request.requestID))
        return subrequest
    }

    /// As the service behind us gets it: what a trusted peer said (others' fields are gone by now), else our own.
    private static func kept(_ name: FieldName, of request: RequestSnapshot, else own: String) -> [MessageField] {
        let values = request.values(of: name)
        if !values.isEmpty { return values.map { MessageField(name.description, $0) } }
        return own.isEmpty ? [] : [MessageField(name.description, own)]
    }

    private func verdict(on answer: SubrequestResponse) -> AsyncDecision {
        guard answer.body.count <= Self.bodyLimit else { return .reply(LocalReply(.middlewareFailed)) }
        switch answer.status {
        case 200..<300: return .next(set: copied(from: answer), remove: copyNames)
        case 301, 302, 303, 307, 308: return .reply(relay(answer, .none))
        case 401: return .reply(relay(answer, .unauthorized))
        case 403: return .reply(relay(answer, .forbidden))
        default: return .reply(LocalReply(.middlewareFailed))
        }
    }

    /// The named fields of the answer; several lines of a name become one (RFC 9110 section 5.3).
    private func copied(from answer: SubrequestResponse) -> [AsyncDecision.Field] {
        copyNames.compactMap { name in
            let values = answer.headers.filter { FieldName($0.name).lowercase == name.lowercase }.map(\.value)
            return values.isEmpty ? nil : AsyncDecision.Field(name, Array(values.joined(separator: [0x2C, 0x20])))
        }
    }

    /// The answer as our reply, without what belongs to its connection (RFC 9110 section 7.6.1) and what we write anew.
    private func relay(_ answer: SubrequestResponse, _ code: ErrorCode) -> LocalReply {
        var reply = LocalReply(status: answer.status)
        reply.code = code
        reply.body = answer.body
        let connectionNames = Self.connectionNames(answer)
        for field in answer.headers {
            let name = FieldName(field.name)
            guard name.isValid, !connectionNames.contains(name.lowercase), !Self.isOurs(name.lowercase) else {
                continue
            }
            guard let value = String(validating: field.value, as: UTF8.self) else { continue }
            if name.lowercase == Array("content-type".utf8) {
                if !answer.body.isEmpty { reply.contentType = value }
            } else {
                reply.headers.append((name: field.name, value: value))
            }
        }
        return reply
    }

    private static func connectionNames(_ answer: SubrequestResponse) -> Set<[UInt8]> {
        var names: Set<[UInt8]> = []
        for field in answer.headers where FieldName(field.name).lowercase == Array("connection".utf8) {
            for part in field.value.split(separator: 0x2C) {
                names.insert(part.filter { $0 != 0x20 && $0 != 0x09 }.map(ByteClass.lowercased))
            }
        }
        return names
    }

    private static func isOurs(_ lowercase: [UInt8]) -> Bool {
        ours.contains(lowercase)
    }

    private static let ours: Set<[UInt8]> = Set(
        ["date", "via", "proxy-status", "x-request-id", "proxy-authenticate", "proxy-authentication-info"].map {
            Array($0.utf8)
        })
}
