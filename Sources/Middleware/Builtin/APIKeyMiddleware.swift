internal import Config
internal import Containers
private import Digest
internal import HTTP

/// `api_key`: knows clients by a key in a field or a query parameter. Keys are known as SHA-256 digests only.
///
/// A key that comes twice is refused: which of the two counts must not depend on who reads.
struct APIKeyMiddleware: ~Copyable, Sendable {
    private let source: Source
    private let keys: DigestTable
    private let identityName: FieldName
    private let hides: Bool

    private enum Source: Sendable {
        case field(FieldName)
        case query([UInt8])
    }

    init(_ config: APIKeyConfig) {
        switch config.source {
        case .header(let name): source = .field(FieldName(name))
        case .query(let name): source = .query(Array(name.utf8))
        }
        keys = DigestTable(config.keys)
        identityName = FieldName(config.identityHeader)
        hides = config.hide
    }

    func onRequest(_ request: inout RequestContext) -> Verdict {
        guard var scratch = request.scratch.take() else { return request.reply(.middlewareFailed) }
        scratch.clear()
        let entry = find(request, &scratch)
        request.scratch = consume scratch
        guard let entry else { return refuse(&request) }
        if hides {
            switch source {
            case .field(let name): request.remove(name)
            case .query(let name): request.removeQueryParameters(name.span)
            }
        }
        guard request.setIdentity(keys.identity(entry)), request.setToIdentity(identityName) else {
            return request.reply(.middlewareFailed)
        }
        return .next
    }

    /// Position of the client's key in the table.
    private func find(_ request: borrowing RequestContext, _ scratch: inout Buffer) -> Int? {
        switch source {
        case .field(let name):
            guard case .line(let index) = request.only(name.lowercase.span) else { return nil }
            let value = request.slice(request.head.fields[index].value)
            return value.count == 0 ? nil : keys.find(SHA256.digest(value))
        case .query(let name):
            guard request.decodeOnlyQueryParameter(name.span, to: &scratch), !scratch.isEmpty else { return nil }
            return keys.find(SHA256.digest(scratch.span))
        }
    }

    private func refuse(_ request: inout RequestContext) -> Verdict {
        var reply = LocalReply(.unauthorized)
        reply.headers.append((name: "WWW-Authenticate", value: "ApiKey realm=\"martlet\""))
        return request.reply(reply)
    }
}
