import Glibc
import Linux
import Synchronization

/// A name server on a free port of 127.0.0.1, over UDP and TCP, whose answers a test decides.
package final class StubServer: Sendable {
    package enum Answer: Sendable {
        case addresses(v4: [UInt32], v6: [[UInt8]] = [], ttl: UInt32 = 300)
        /// An alias for another name, whose addresses come in the same answer.
        case alias(String, v4: [UInt32], ttl: UInt32 = 300)
        case failure(code: UInt8)
        case silence
        /// Answered when the name gets another answer than this.
        case held
        /// First an answer with a wrong id and a wrong address, then the right one.
        case spoofed(v4: UInt32)
        /// Cut off over UDP, whole over TCP.
        case large(count: Int)
        /// Bytes that are no message.
        case garbage
    }

    private struct Question {
        let bytes: [UInt8]
        let peer: sockaddr_in
    }

    package static let noName = Answer.failure(code: 3)
    package static let serverFailure = Answer.failure(code: 2)

    package let port: UInt16
    private let datagrams: Int32
    private let listener: Int32
    private let zone = Mutex<[String: Answer]>([:])
    private let asked = Mutex<[String: Int]>([:])
    private let isStopping = Atomic<Bool>(false)

    package init() throws {
        var (datagrams, listener, port) = (Int32(-1), Int32(-1), UInt16(0))
        // The same free port for both: taken for UDP, then tried for TCP.
        for _ in 0..<100 where listener < 0 {
            if datagrams >= 0 { close(datagrams) }
            datagrams = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            guard let free = Self.bind(datagrams, port: 0) else { continue }
            port = free
            let stream = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            if Self.bind(stream, port: port) != nil, listen(stream, 16) == 0 {
                listener = stream
            } else {
                close(stream)
            }
        }
        (self.datagrams, self.listener, self.port) = (datagrams, listener, port)
        try Thread.detach(name: "stub-dns") { [self] in run() }
    }

    package var address: String { "127.0.0.1:\(port)" }

    /// The thread holds the server; it ends with this.
    package func stop() { isStopping.store(true, ordering: .relaxed) }

    package func set(_ name: String, _ answer: Answer?) { zone.withLock { $0[name] = answer } }
    /// How often A records of a name were asked for.
    package func count(_ name: String) -> Int { asked.withLock { $0[name] ?? 0 } }

    private func run() {
        var held: [Question] = []
        while !isStopping.load(ordering: .relaxed) {
            let ready = Poll.wait([datagrams, listener], milliseconds: 20)
            if ready.contains(index: 0), let question = receive() { held.append(question) }
            held.removeAll { answer($0) }
            if ready.contains(index: 1) { answerStream() }
        }
        close(datagrams)
        close(listener)
    }

    private func receive() -> Question? {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = unsafe withUnsafeMutablePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe recvfrom(datagrams, &bytes, bytes.count, 0, $0, &size)
            }
        }
        guard count > 0 else { return nil }
        let question = Array(bytes[0..<count])
        if let asked = Self.asked(question), !asked.isV6 { self.asked.withLock { $0[asked.name, default: 0] += 1 } }
        return Question(bytes: question, peer: peer)
    }

    /// False: the answer is held.
    private func answer(_ question: Question) -> Bool {
        guard let messages = answers(question.bytes, isStream: false) else { return false }
        for message in messages {
            _ = unsafe withUnsafePointer(to: question.peer) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe sendto(datagrams, message, message.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        return true
    }

    private func answerStream() {
        let socket = accept(listener, nil, nil)
        guard socket >= 0 else { return }
        defer { close(socket) }
        // One connection may bring several questions: A and AAAA.
        while true {
            guard let head = read(socket, 2), let question = read(socket, Int(head[0]) << 8 | Int(head[1])) else {
                return
            }
            for message in answers(question, isStream: true) ?? [] {
                let framed = [UInt8(message.count >> 8), UInt8(message.count & 255)] + message
                // In two pieces, so that the reader has to wait in the middle of a message.
                _ = unsafe send(socket, Array(framed[..<5]), 5, Int32(MSG_NOSIGNAL))
                _ = unsafe send(socket, Array(framed[5...]), framed.count - 5, Int32(MSG_NOSIGNAL))
            }
        }
    }

    private func read(_ socket: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            guard Poll.wait([socket], milliseconds: 2_000).contains(index: 0) else { return nil }
            var part = [UInt8](repeating: 0, count: count - done)
            let got = unsafe recv(socket, &part, part.count, 0)
            guard got > 0 else { return nil }
            bytes.replaceSubrange(done..<done + got, with: part[0..<got])
            done += got
        }
        return bytes
    }

    /// The one name of a question, and where the question ends.
    private static func asked(_ query: [UInt8]) -> (name: String, isV6: Bool, end: Int)? {
        var labels: [String] = []
        var index = 12
        while index < query.count, query[index] != 0 {
            let end = index + 1 + Int(query[index])
            guard end < query.count else { return nil }
            labels.append(String(decoding: query[index + 1..<end], as: UTF8.self))
            index = end
        }
        guard index + 4 < query.count else { return nil }
        return (labels.joined(separator: ".").lowercased(), query[index + 2] == 28, index + 5)
    }

    /// Messages that answer a question of one name; nil: none for now.
    private func answers(_ query: [UInt8], isStream: Bool) -> [[UInt8]]? {
        guard let (name, isV6, end) = Self.asked(query) else { return [] }
        let message = Message(query: query, questionEnd: end, isV6: isV6)
        switch zone.withLock({ $0[name] }) ?? Self.noName {
        case .silence: return []
        case .held: return nil
        case .garbage: return [[UInt8](repeating: 0xFF, count: 40)]
        case .failure(let code): return [message.bytes(code: code)]
        case .addresses(let v4, let v6, let ttl):
            let data = isV6 ? v6 : v4.map(Message.octets)
            return [message.bytes(records: data.map { message.record($0, ttl: ttl) })]
        case .alias(let target, let v4, let ttl):
            let alias = message.alias(target, ttl: ttl)
            let records =
                isV6 ? [] : v4.map { message.record(Message.octets($0), ttl: ttl, name: Message.encoded(target)) }
            return [message.bytes(records: [alias] + records)]
        case .spoofed(let v4):
            if isV6 { return [message.bytes(records: [])] }
            var wrong = message.bytes(records: [message.record(Message.octets(0x0666_0666), ttl: 300)])
            wrong[0] ^= 0x55
            return [wrong, message.bytes(records: [message.record(Message.octets(v4), ttl: 300)])]
        case .large(let count):
            if !isStream { return [message.bytes(isCut: true)] }
            let data = isV6 ? [] : (0..<count).map { Message.octets(0x0A00_0000 + UInt32($0)) }
            return [message.bytes(records: data.map { message.record($0, ttl: 300) })]
        }
    }

    private static func bind(_ socket: Int32, port: UInt16) -> UInt16? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                let result = unsafe Glibc.bind(socket, target, size)
                return result == 0 ? unsafe getsockname(socket, target, &size) : result
            }
        }
        return result == 0 ? UInt16(bigEndian: address.sin_port) : nil
    }
}

/// An answer in the making (RFC 1035 section 4).
private struct Message {
    let query: [UInt8]
    let questionEnd: Int
    let isV6: Bool

    func bytes(code: UInt8 = 0, isCut: Bool = false, records: [[UInt8]] = []) -> [UInt8] {
        [
            query[0], query[1], 0x81 | (isCut ? 2 : 0), 0x80 | code, 0, 1, UInt8(records.count >> 8),
            UInt8(records.count & 255), 0, 0, 0, 0,
        ]
            + query[12..<questionEnd] + records.joined()
    }

    /// A or AAAA, of the question's name unless another is given.
    func record(_ data: [UInt8], ttl: UInt32, name: [UInt8] = [0xC0, 12]) -> [UInt8] {
        name + [0, data.count == 4 ? 1 : 28, 0, 1] + Self.octets(ttl) + [0, UInt8(data.count)] + data
    }

    func alias(_ target: String, ttl: UInt32) -> [UInt8] {
        let name = Self.encoded(target)
        return [0xC0, 12, 0, 5, 0, 1] + Self.octets(ttl) + [0, UInt8(name.count)] + name
    }

    static func encoded(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func octets(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }
}
