import FoundationEssentials
public import HTTPTypes
import Middleware
import Proxy

/// An answer: its head is here, its body comes as it is read.
///
/// An answer that is let go before its body was read to the end closes its connection.
public struct ClientResponse: Sendable {
    /// 200 to 999. An error status is an answer like any other, and redirects are not followed.
    public let status: Int
    /// In the order received, without those that concern the connection alone.
    public let headers: HTTPFields
    /// The body in pieces, once. While nobody reads it, the service is held back.
    public let body: ClientResponseBody

    init(_ head: ClientCallHead, _ lease: CallLease) {
        status = head.status
        var headers = HTTPFields()
        for field in head.fields {
            if let name = HTTPField.Name(field.name) { headers.append(HTTPField(name: name, value: field.value)) }
        }
        if let length = head.contentLength { headers[.contentLength] = String(length) }
        self.headers = headers
        body = ClientResponseBody(lease: lease)
    }

    /// The whole body. Throws `ClientError.bodyTooLarge`, and closes the connection, beyond `limit` bytes.
    public func bytes(limit: Int = 16 * 1_024 * 1_024) async throws -> [UInt8] {
        do {
            return try await CallBody.collect(body.lease.handle, limit: limit)
        } catch {
            throw ClientError.mapped(error)
        }
    }

    /// The whole body as UTF-8.
    public func text(limit: Int = 16 * 1_024 * 1_024) async throws -> String {
        guard let text = String(validating: try await bytes(limit: limit), as: UTF8.self) else {
            throw ClientError.invalidText
        }
        return text
    }

    /// The whole body, read as JSON. Throws `DecodingError` when it is something else.
    public func json<Value: Decodable>(
        as type: Value.Type = Value.self, limit: Int = 16 * 1_024 * 1_024
    ) async throws -> Value {
        try JSONDecoder().decode(type, from: Data(try await bytes(limit: limit)))
    }
}

/// The pieces of an answer's body.
public struct ClientResponseBody: AsyncSequence, Sendable {
    public typealias Element = [UInt8]

    let lease: CallLease

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(lease: lease) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let lease: CallLease

        /// The next piece, never empty; nil at the end. Throws `ClientError` when the rest will not come.
        public mutating func next() async throws -> [UInt8]? {
            do {
                return try await lease.handle.nextPiece()
            } catch {
                throw ClientError.mapped(error)
            }
        }
    }
}

/// Holds a call as long as somebody may read its answer.
final class CallLease: Sendable {
    let handle: ClientCallHandle
    /// Its worker must not stop meanwhile.
    private let session: ClientSession

    init(_ handle: ClientCallHandle, _ session: ClientSession) {
        self.handle = handle
        self.session = session
    }

    deinit {
        handle.cancel()
    }
}
