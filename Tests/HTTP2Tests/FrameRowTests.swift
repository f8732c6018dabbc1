import Containers
import HTTP
import Testing

@testable import HTTP2

@Suite struct FrameRowTests {
    /// One row of a table; see `Fixtures/README.md`.
    struct Row {
        let id: String
        let steps: [ScriptedConnection.Step]
        let expected: String

        init?(_ line: Substring, isServer: Bool) {
            let columns = line.split(separator: " | ", omittingEmptySubsequences: false)
            guard columns.count == 4 else {
                Issue.record("no row: \(line)")
                return nil
            }
            id = String(columns[0])
            expected = String(columns[3])
            var script = columns[2]
            var bytes: [UInt8] = []
            if script.hasPrefix("!") {
                script = script.dropFirst().drop { $0 == " " }
            } else {
                if isServer { bytes += Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) }
                bytes += FrameText.frame("SETTINGS")
            }
            var steps: [ScriptedConnection.Step] = []
            for part in script.split(separator: " & ") {
                let (count, one) = FrameRowTests.repeated(part)
                for _ in 0..<count {
                    if one.hasPrefix("<") {
                        if !bytes.isEmpty { steps.append(.bytes(bytes)) }
                        bytes = []
                        steps.append(.action(one.dropFirst().dropLast()))
                    } else {
                        bytes += FrameText.frame(one)
                    }
                }
            }
            if !bytes.isEmpty { steps.append(.bytes(bytes)) }
            self.steps = steps
        }

        var byteCount: Int {
            steps.reduce(0) { sum, step in
                if case .bytes(let bytes) = step { return sum + bytes.count }
                return sum
            }
        }
    }

    /// `20 x FRAME`: so many of them.
    private static func repeated(_ part: Substring) -> (Int, Substring) {
        guard let mark = part.firstRange(of: " x "), let count = Int(part[..<mark.lowerBound]) else { return (1, part) }
        return (count, part[mark.upperBound...])
    }

    private static func connection(isServer: Bool, id: String) -> ScriptedConnection {
        var settings = LocalSettings()
        settings.allowsConnect = id.hasPrefix("ws-")
        settings.concurrentStreams = id.hasPrefix("two-") ? 2 : 100
        return ScriptedConnection(isServer: isServer, settings: settings)
    }

    /// Runs a row with its bytes cut behind so many.
    static func run(_ row: Row, isServer: Bool, cuts: Set<Int>) -> String {
        var connection = connection(isServer: isServer, id: row.id)
        var sent = 0
        for step in row.steps {
            switch step {
            case .action(let action): connection.act(action)
            case .bytes(let bytes):
                var piece: [UInt8] = []
                for byte in bytes {
                    piece.append(byte)
                    sent += 1
                    if cuts.contains(sent) {
                        connection.receive(piece)
                        piece = []
                    }
                }
                connection.receive(piece)
            }
        }
        let words = connection.words
        if !words.contains("failed") && connection.leftOver > 0 { return words + ", \(connection.leftOver) bytes left" }
        if let wrong = wrongAnswer(words, connection.takeOutput()) { return words + ", " + wrong }
        return words
    }

    /// What was done must show on the wire: GOAWAY with the code, RST_STREAM for each stream that we reset.
    private static func wrongAnswer(_ words: String, _ output: [UInt8]) -> String? {
        var rest = output[...]
        if rest.starts(with: Array("PRI".utf8)) { rest = rest.dropFirst(24) }
        var frames: [(type: UInt8, stream: Int, code: Int)] = []
        while rest.count >= 9 {
            let at = rest.startIndex
            let length = Int(rest[at]) << 16 | Int(rest[at + 1]) << 8 | Int(rest[at + 2])
            let payload = rest.dropFirst(9).prefix(length)
            let stream = rest[(at + 5)..<(at + 9)].reduce(0) { $0 << 8 | Int($1) }
            frames.append((rest[at + 3], stream, payload.suffix(4).reduce(0) { $0 << 8 | Int($1) }))
            rest = rest.dropFirst(9 + length)
        }
        if !rest.isEmpty { return "\(rest.count) bytes behind the last frame" }
        for word in words.split(separator: ", ") {
            let parts = word.split(separator: " ")
            if parts[0] == "failed" {
                let code = HTTP2Error.allCases.first { "\($0)" == parts[1] }.map { Int($0.rawValue) }
                if frames.last?.type != 7 || frames.last?.code != code { return "no such GOAWAY" }
            }
            let code = parts[0] == "malformed" ? 1 : parts[0] == "reset" && parts.count == 3 ? Int(parts[2]) : nil
            if let code, !frames.contains(where: { $0.type == 3 && $0.stream == Int(parts[1]) && $0.code == code }) {
                return "no RST_STREAM for \(word)"
            }
        }
        return nil
    }

    static func rows(isServer: Bool) -> [Row] {
        FixtureFile.lines(isServer ? "server.txt" : "client.txt").compactMap { Row($0, isServer: isServer) }
    }

    @Test(arguments: [true, false]) func `Every row of the tables does what it says`(isServer: Bool) {
        let rows = Self.rows(isServer: isServer)
        #expect(rows.count >= (isServer ? 150 : 60))
        #expect(Set(rows.map(\.id)).count == rows.count, "ids are unique")
        for row in rows {
            let words = Self.run(row, isServer: isServer, cuts: [])
            #expect(words == row.expected, "\(row.id)")
        }
    }

    @Test(arguments: [true, false]) func `A cut anywhere changes nothing`(isServer: Bool) {
        for row in Self.rows(isServer: isServer) where row.byteCount < 1_000 {
            let all = Set(0...row.byteCount)
            #expect(Self.run(row, isServer: isServer, cuts: all) == row.expected, "\(row.id) byte by byte")
            let step = max(1, row.byteCount / 16)
            for cut in stride(from: 1, to: row.byteCount, by: step) {
                let words = Self.run(row, isServer: isServer, cuts: [cut])
                if words != row.expected { Issue.record("\(row.id) cut at \(cut): \(words)") }
            }
        }
    }
}
