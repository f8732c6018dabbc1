import Containers
import HTTP
import HTTP1

/// A whole request, as the demo's answers want it.
struct DemoRequest: Sendable {
    var method = ""
    var path = ""
    var query = ""
    var fields: [(name: String, value: String)] = []
    /// At most `DemoRequestReader.keptBody` bytes of the content.
    var body: [UInt8] = []
    /// Bytes of the content in all.
    var bodyCount = 0
    var isKeptAlive = false
    var isHTTP11 = true
    var isWebSocketHandshake = false

    /// Value of the first field of this name, in lower case.
    func field(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name }?.value
    }

    /// A number of the query, kept inside `range`.
    func number(_ name: String, default standard: Int, in range: ClosedRange<Int>) -> Int {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            if parts.count == 2, parts[0] == name, let value = Int(parts[1]) {
                return min(max(value, range.lowerBound), range.upperBound)
            }
        }
        return standard
    }
}

extension DemoRequest {
    /// Copies what the head says; offsets of `head` count from the first of `bytes`.
    init(_ head: borrowing RequestHead, _ bytes: borrowing Buffer) {
        func text(_ range: ByteRange) -> String {
            var copy: [UInt8] = []
            for index in range.range { copy.append(bytes[index]) }
            return String(decoding: copy, as: UTF8.self)
        }
        method = text(head.methodRange)
        path = head.path.isEmpty ? "/" : text(head.path)
        query = head.query.map(text) ?? ""
        for index in 0..<head.fields.count {
            let line = head.fields[index]
            fields.append((text(line.name), text(line.value)))
        }
        isKeptAlive = head.keepAlive
        isHTTP11 = head.minorVersion > 0
        isWebSocketHandshake = head.isWebSocketHandshake
    }
}
