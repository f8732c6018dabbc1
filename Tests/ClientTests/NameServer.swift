import Glibc
import Linux

/// A name server on a free UDP port of 127.0.0.1: `up.test` is 127.0.0.1, every other name does not exist, and questions for
/// `silent.test` are never answered. It stays until the process ends.
final class NameServer: Sendable {
    let port: UInt16
    let questions = Counter()

    init() throws {
        let number = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the structure lives during both calls and its size is told.
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, size) == 0 && getsockname(number, $0, &size) == 0
            }
        }
        guard isBound else { throw TestConnection.Broken() }
        port = UInt16(bigEndian: address.sin_port)
        let questions = questions
        try Thread.detach(name: "test-dns") {
            while true {
                if !Poll.wait([number], milliseconds: nil).isEmpty { Self.answer(number, questions) }
            }
        }
    }

    private static func answer(_ number: Int32, _ questions: Counter) {
        var bytes = [UInt8](repeating: 0, count: 1_024)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: array and structure live during the call and their sizes are told.
        let count = unsafe withUnsafeMutablePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe recvfrom(number, &bytes, bytes.count, 0, $0, &size)
            }
        }
        guard count > 16, let reply = reply(to: Array(bytes[..<count])) else { return }
        questions.add()
        // SAFETY: as above.
        _ = unsafe withUnsafePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(number, reply, reply.count, 0, $0, size)
            }
        }
    }

    private static func reply(to question: [UInt8]) -> [UInt8]? {
        guard let end = question[12...].firstIndex(of: 0), end + 4 < question.count else { return nil }
        let name = Array(question[12..<end])
        if name == [6] + "silent".utf8 + [4] + "test".utf8 { return nil }
        let exists = name == [2] + "up".utf8 + [4] + "test".utf8
        let isA = question[end + 2] == 1
        var reply: [UInt8] = [
            question[0], question[1], 0x81, exists ? 0x80 : 0x83, 0, 1, 0, exists && isA ? 1 : 0, 0, 0, 0, 0,
        ]
        reply += question[12...(end + 4)]
        if exists && isA { reply += [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 127, 0, 0, 1] }
        return reply
    }
}
