import Containers
import HTTP
import HTTP1
import Linux
import Net

/// Asks the gateway that runs, over its admin socket.
struct AdminClient {
    struct Answer: Equatable {
        var status: Int
        var body: [UInt8]
    }

    struct Failure: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    /// Milliseconds: somewhat more than the gateway gives any answer.
    private static let patience: Int64 = 40_000
    private static let answerLimit = 64 << 20

    let path: String

    func ask(_ method: Method, _ target: String, accept: String) throws(Failure) -> Answer {
        let connection: BlockingConnection
        do throws(Errno) {
            connection = try BlockingConnection.connect(to: .unix(path: path), timeoutMilliseconds: Self.patience)
        } catch {
            throw failure(error)
        }
        let length = method == .post ? "Content-Length: 0\r\n" : ""
        let request =
            "\(method == .post ? "POST" : "GET") \(target) HTTP/1.1\r\nHost: martlet\r\nAccept: \(accept)\r\n\(length)"
            + "Connection: close\r\n\r\n"
        var buffer = Buffer(capacity: 65_536)
        var bytes: [UInt8] = []
        do throws(BlockingConnection.Failure) {
            try connection.send(Array(request.utf8))
            while try connection.receive(into: &buffer) {
                for index in 0..<buffer.count { bytes.append(buffer[index]) }
                buffer.clear()
                guard bytes.count < Self.answerLimit else { throw .broken(.noBuffers) }
            }
        } catch {
            throw Failure(description: "the gateway at \(path) does not answer: \(error)")
        }
        return try answer(bytes, to: method)
    }

    private func answer(_ bytes: [UInt8], to method: Method) throws(Failure) -> Answer {
        var head = ResponseHead()
        let isWhole = (try? ResponseParser().parse(bytes.span, requestMethod: method, into: &head)) == true
        guard isWhole, case .length(let length) = head.framing, length == bytes.count - head.byteCount else {
            throw Failure(description: "what answers at \(path) is no gateway, or it stopped in the middle")
        }
        return Answer(status: head.status, body: Array(bytes[head.byteCount...]))
    }

    private func failure(_ error: Errno) -> Failure {
        switch error {
        case .noEntry, .connectionRefused:
            Failure(
                description: "no gateway answers at \(path): is one running, and does its configuration say "
                    + "`admin: { bind: \"unix:\(path)\" }`?")
        case .noPermission:
            Failure(
                description:
                    "no permission for \(path): run this as the gateway's user, or give the socket a group or a mode "
                    + "(`admin: { bind: { unix: \(path), mode: \"0660\" } }`)")
        default: Failure(description: "cannot reach the gateway at \(path): \(error)")
        }
    }
}
