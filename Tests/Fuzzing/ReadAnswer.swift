import Simulation

/// An answer as a client reads it.
struct ReadAnswer {
    let status: Int
    let head: StrictHead
    fileprivate(set) var body: [UInt8] = []
    fileprivate(set) var isComplete = false

    /// Made by the gateway itself.
    var isLocal: Bool { head.values("proxy-status").contains { $0.hasPrefix("martlet") } }

    /// The answers in all that a client received, read strictly. `method` says what the answer behind so many final ones
    /// is for; nil where that is not known, as with a gateway's own answer to a request that may have been HEAD.
    static func read(
        _ bytes: [UInt8], endsInOrder: Bool, method: (Int, StrictHead) -> String?
    ) throws(FuzzViolation) -> [ReadAnswer] {
        var answers: [ReadAnswer] = []
        var finals = 0
        var at = 0
        while at < bytes.count {
            guard let end = headEnd(bytes, from: at) else { break }
            let head: StrictHead
            let status: Int
            do throws(StrictHead.Malformed) {
                head = try StrictHead(Array(bytes[at..<end]))
                // Passed on as it came; what clients make of such a number the strict reader does not know.
                if "6789".contains(head.startLine.dropFirst(9).first ?? " ") { return answers }
                status = try StrictReader.status(head.startLine)
            } catch {
                throw FuzzViolation("a client gets \(error.reason): \(shown(bytes[at...]))")
            }
            // A gateway's own answer to HEAD has no body: what follows it is the next answer or nothing.
            let next = bytes[end...]
            let isBodyless = next.isEmpty || next.starts(with: Array("HTTP/1.1 ".utf8))
            let verb = method(finals, head) ?? (isBodyless ? "HEAD" : "GET")
            var answer = ReadAnswer(status: status, head: head)
            at = try answer.readBody(bytes, from: at, verb, endsInOrder)
            answers.append(answer)
            if status == 101 { break }
            if status >= 200 { finals += 1 }
        }
        return answers
    }

    private static func headEnd(_ bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count - start >= 4 else { return nil }
        for index in start...(bytes.count - 4) where bytes[index...].starts(with: [13, 10, 13, 10]) {
            return index + 4
        }
        return nil
    }

    private mutating func readBody(
        _ bytes: [UInt8], from start: Int, _ method: String, _ endsInOrder: Bool
    ) throws(FuzzViolation) -> Int {
        var reader = StrictReader(isResponse: true)
        reader.feed(Array(bytes[start...]))
        while !isComplete, let event = reader.next(method: method) {
            switch event {
            case .head: break
            case .body(let bytes): body += bytes
            case .end: isComplete = true
            case .malformed(let reason): throw FuzzViolation("a client gets \(reason): \(shown(bytes[start...]))")
            }
        }
        if reader.isUntilEnd { isComplete = endsInOrder }
        return bytes.count - reader.unusedCount
    }
}
