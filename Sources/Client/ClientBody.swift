import FoundationEssentials
import Proxy
import Synchronization

/// What a request carries.
public struct ClientBody: Sendable {
    enum Content: Sendable {
        case none
        case bytes([UInt8])
        case stream(length: Int?, feed: @Sendable (ContentSink) async throws -> Void)
    }

    let content: Content
    /// Sent when the request has no Content-Type of its own.
    let contentType: String?

    /// No content.
    public static let none = ClientBody(content: .none, contentType: nil)

    public static func bytes(_ bytes: [UInt8], contentType: String = "application/octet-stream") -> ClientBody {
        ClientBody(content: .bytes(bytes), contentType: contentType)
    }

    public static func text(_ text: String) -> ClientBody {
        ClientBody(content: .bytes(Array(text.utf8)), contentType: "text/plain; charset=utf-8")
    }

    /// The JSON text of a value.
    public static func json(_ value: some Encodable) throws -> ClientBody {
        ClientBody(content: .bytes(Array(try JSONEncoder().encode(value))), contentType: "application/json")
    }

    /// Names and values as an HTML form sends them.
    public static func form(_ fields: [(String, String)]) -> ClientBody {
        var bytes: [UInt8] = []
        for (name, value) in fields {
            if !bytes.isEmpty { bytes.append(0x26) }
            ClientURL.appendEncoded(name, to: &bytes)
            bytes.append(0x3D)
            ClientURL.appendEncoded(value, to: &bytes)
        }
        return ClientBody(content: .bytes(bytes), contentType: "application/x-www-form-urlencoded")
    }

    /// Pieces as they come; the sequence is asked for the next one only when the connection takes it.
    ///
    /// - Parameter length: bytes in all; a sequence with another number of bytes ends the request with an error. Nil: the chunked
    ///   transfer coding.
    public static func stream<Pieces: AsyncSequence & Sendable>(
        _ pieces: Pieces, length: Int? = nil, contentType: String = "application/octet-stream"
    ) -> ClientBody where Pieces.Element == [UInt8] {
        ClientBody(
            content: .stream(length: length) { sink in
                for try await piece in pieces { try await sink.write(piece) }
            }, contentType: contentType)
    }
}

/// Where a stream's pieces go: to the worker, as fast as it takes them.
final class ContentSink: Sendable {
    /// Most bytes that are handed over at once.
    private static let pieceBytes = 65_536

    /// The call is over: nobody wants more, and that is no error of the stream's.
    struct Ended: Error {}

    private let handle: ClientCallHandle
    private let rest: Mutex<Int?>

    private init(_ handle: ClientCallHandle, length: Int?) {
        self.handle = handle
        rest = Mutex(length)
    }

    func write(_ piece: [UInt8]) async throws {
        let fits = rest.withLock { rest in
            guard let left = rest else { return true }
            rest = left - piece.count
            return piece.count <= left
        }
        guard fits else { throw ClientError.invalidRequest("the body has more bytes than its length says") }
        var left = piece[...]
        while !left.isEmpty {
            guard await handle.waitForContentDemand() else { throw Ended() }
            handle.send(Array(left.prefix(Self.pieceBytes)))
            left = left.dropFirst(Self.pieceBytes)
        }
    }

    private func finish() throws {
        guard rest.withLock({ ($0 ?? 0) == 0 }) else {
            throw ClientError.invalidRequest("the body has fewer bytes than its length says")
        }
        handle.endContent()
    }

    /// Feeds a call in a task that ends with it.
    static func feed(
        _ handle: ClientCallHandle, length: Int?, _ feed: @escaping @Sendable (ContentSink) async throws -> Void
    ) {
        let task = Task {
            let sink = ContentSink(handle, length: length)
            do {
                try await feed(sink)
                try sink.finish()
            } catch is Ended {
                return
            } catch {
                handle.abort(error)
            }
        }
        handle.setUploader(task)
    }
}
