internal import Config
internal import Containers
internal import HTTP

/// `request_id`: under which name the request's id goes upstream and back, and whether a client may choose it.
///
/// `X-Request-Id` is always sent upstream by the engine, from the context's id; this adds another name when one is
/// given.
struct RequestIDMiddleware: ~Copyable, Sendable {
    private let name: FieldName
    private let isStandardName: Bool
    private let trustsClients: Bool
    private let responds: Bool

    init(_ config: RequestIDConfig) {
        name = FieldName(config.header)
        isStandardName = name.folded == FieldName("x-request-id").folded
        trustsClients = config.trustClients
        responds = config.respond
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        if trustsClients { takeFromClient(&request) }
        if isStandardName { return .next }
        return request.setToRequestID(name) ? .next : request.reply(.middlewareFailed)
    }

    func onResponse(_ response: inout ResponseContext) {
        if responds { response.setToRequestID(name) }
    }

    /// Takes the client's id if it sent exactly one that is safe in logs. The engine may have marked the line as
    /// removed, since it comes from somebody who is not trusted otherwise.
    private func takeFromClient(_ request: inout RequestContext) {
        var found: Int?
        for index in 0..<request.head.fields.count {
            guard ByteClass.isName(request.slice(request.head.fields[index].name), name.lowercase.span) else {
                continue
            }
            if found != nil { return }
            found = index
        }
        guard let found else { return }
        let range = request.head.fields[found].value
        guard isSafe(request.slice(range)) else { return }
        request.requestID.clear()
        for offset in range.range { _ = request.requestID.appendIfRoom(request.bytes[offset]) }
    }

    private func isSafe(_ id: Span<UInt8>) -> Bool {
        guard id.count > 0, id.count <= RequestContext.requestIDLimit else { return false }
        for index in 0..<id.count {
            switch id[index] {
            case 0x2B, 0x2F, 0x3A, 0x3D: continue
            case let byte: if !ByteClass.isUnreserved(byte) { return false }
            }
        }
        return true
    }
}
