import Containers
import HTTP
package import Middleware
package import Proxy

/// Sends subrequests of middleware through the gateway's own workers and pools.
///
/// A task that runs on a worker uses that worker; others take turns. Whatever is no complete answer in time and within the
/// limit throws.
package final class GatewayClient: SubrequestSender {
    private let port: CallPort

    /// `port` is the gateway's; until it has started, every subrequest fails.
    package init(port: CallPort) {
        self.port = port
    }

    package func send(_ request: Subrequest) async throws -> SubrequestResponse {
        guard let inbox = port.next() else { throw ClientError.shutDown }
        let head: EncodedHead
        do throws(EncodedHead.Failure) {
            // Host, framing and connection are the sender's.
            let fields = request.headers.filter { FieldName($0.name).isValid }
            head = try EncodedHead(
                method: request.method, target: Array(request.target.utf8), fields: fields, framing: .none)
        } catch {
            switch error {
            case .invalid(let reason): throw ClientError.invalidRequest(reason)
            }
        }
        let handle = ClientCallHandle(inbox: inbox)
        handle.start(
            ClientCallRequest(
                target: .named(request.upstream), method: head.method, requestLine: head.requestLine, host: nil,
                fields: head.fields, body: .none, timeouts: nil, total: request.timeout.wholeNanoseconds, handle: handle
            ))
        do {
            let answer = try await handle.head()
            let body = try await CallBody.collect(handle, limit: request.bodyLimit)
            return SubrequestResponse(status: answer.status, headers: answer.fields, body: body)
        } catch {
            throw ClientError.mapped(error)
        }
    }
}

extension ClientError: SubrequestFailure {
    package var isTimeout: Bool {
        switch self {
        case .totalTimeout, .responseTimeout, .responseBodyTimeout, .queueTimeout, .connectionTimeout: true
        default: false
        }
    }
}

/// The content of an answer in one piece.
enum CallBody {
    static func collect(_ handle: ClientCallHandle, limit: Int) async throws -> [UInt8] {
        var body: [UInt8] = []
        while let piece = try await handle.nextPiece() {
            guard piece.count <= limit - body.count else {
                let error = ClientError.bodyTooLarge(limit: limit)
                handle.abort(error)
                throw error
            }
            body += piece
        }
        return body
    }
}
