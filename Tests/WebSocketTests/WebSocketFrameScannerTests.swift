import Containers
import Testing
import WebSocket

@Suite struct WebSocketFrameScannerTests {
    /// What a direction showed over all its pieces.
    struct Facts: Equatable, Sendable {
        var scan = WebSocketScan()
        var code: WebSocketCloseCode?
        /// Bytes that went through in all.
        var relayed = 0
        var closeCode: UInt16?
    }

    static func facts(_ pieces: [[UInt8]], _ scanner: WebSocketFrameScanner) -> Facts {
        var scanner = scanner
        var facts = Facts()
        facts.scan.isAtBorder = scanner.isAtBorder
        for piece in pieces {
            do throws(WebSocketFailure) {
                let scan = try scanner.scan(piece.span)
                if let border = scan.lastBorder { facts.scan.lastBorder = facts.relayed + border }
                facts.relayed += piece.count
                facts.scan.isAtBorder = scan.isAtBorder
                facts.scan.sawClose = facts.scan.sawClose || scan.sawClose
                facts.scan.dataFrames += scan.dataFrames
                facts.scan.pings += scan.pings
                facts.scan.pongs += scan.pongs
            } catch {
                facts.code = error.code
                facts.scan.isAtBorder = error.isAtBorder
                if error.relayable > 0 { facts.scan.lastBorder = facts.relayed + error.relayable }
                facts.relayed += error.relayable
                return facts
            }
        }
        facts.closeCode = scanner.closeCode
        return facts
    }

    /// A frame with the shortest length, masked with `key` when there is one.
    static func frame(_ first: UInt8, _ payload: [UInt8], key: [UInt8]? = [1, 2, 3, 4]) -> [UInt8] {
        var bytes: [UInt8] = [first]
        let mask: UInt8 = key == nil ? 0 : 0x80
        if payload.count < 126 {
            bytes.append(mask | UInt8(payload.count))
        } else if payload.count < 65_536 {
            bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        } else {
            bytes += [mask | 127] + (0..<8).reversed().map { UInt8(payload.count >> (8 * $0) & 255) }
        }
        guard let key else { return bytes + payload }
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }

    private static let client = WebSocketFrameScanner(direction: .fromClient)
    private static let server = WebSocketFrameScanner(direction: .fromServer)

    private static func code(_ bytes: [UInt8], _ scanner: WebSocketFrameScanner = client) -> WebSocketCloseCode? {
        facts([bytes], scanner).code
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
    func `Frames of every length form pass`(count: Int) {
        let payload = [UInt8](repeating: 7, count: count)
        let fromClient = Self.frame(0x82, payload)
        let fromServer = Self.frame(0x82, payload, key: nil)
        for (frame, scanner) in [(fromClient, Self.client), (fromServer, Self.server)] {
            let facts = Self.facts([frame], scanner)
            #expect(facts.code == nil && facts.relayed == frame.count && facts.scan.isAtBorder)
            #expect(facts.scan.lastBorder == frame.count && facts.scan.dataFrames == 1)
        }
    }

    @Test func `Masking depends on the direction`() {
        #expect(Self.code(Self.frame(0x81, [1], key: nil), Self.client) == .protocolError)
        #expect(Self.code(Self.frame(0x81, [1]), Self.server) == .protocolError)
    }

    @Test(arguments: [0x83, 0x84, 0x85, 0x86, 0x87, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F] as [UInt8])
    func `Reserved opcodes break the protocol`(first: UInt8) {
        #expect(Self.code([first]) == .protocolError)
    }

    @Test func `Reserved bits break the protocol unless compression may be on`() {
        let compressing = WebSocketFrameScanner(direction: .fromClient, allowsCompression: true)
        for first in [0xC1, 0xC2] as [UInt8] {
            #expect(Self.code([first], Self.client) == .protocolError)
            #expect(Self.code(Self.frame(first, [1]), compressing) == nil)
        }
        for first in [0xA1, 0x91, 0xE1, 0xC8, 0xC9, 0xCA, 0xC0] as [UInt8] {
            #expect(Self.code([first], compressing) == .protocolError)
        }
        // Only the first frame of a message says that it is compressed.
        #expect(Self.code(Self.frame(0x41, [1]) + Self.frame(0x80, [1]), compressing) == nil)
        #expect(Self.code(Self.frame(0x41, [1]) + Self.frame(0xC0, [1]), compressing) == .protocolError)
    }

    @Test func `Lengths have their shortest form and no sign`() {
        #expect(Self.code([0x82, 0xFE, 0, 125]) == .protocolError)
        #expect(Self.code([0x82, 0xFE, 0, 126]) == nil)
        #expect(Self.code([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]) == .protocolError)
        #expect(Self.code([0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0]) == nil)
        #expect(Self.code([0x82, 0xFF, 0x80]) == .protocolError)
        #expect(Self.code([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == nil)
    }

    @Test func `Control frames are short and whole`() {
        for opcode in [8, 9, 10] as [UInt8] {
            #expect(Self.code([opcode]) == .protocolError)
            #expect(Self.code([0x80 | opcode, 0xFE]) == .protocolError)
            #expect(Self.code(Self.frame(0x80 | opcode, [UInt8](repeating: 3, count: 125))) == nil)
        }
    }

    @Test func `Fragments make a message, and control frames may stand between them`() {
        let good =
            Self.frame(0x01, [1]) + Self.frame(0x89, [2]) + Self.frame(0x00, [3]) + Self.frame(0x8A, [])
            + Self.frame(0x80, [4]) + Self.frame(0x82, [5])
        let facts = Self.facts([good], Self.client)
        #expect(facts.code == nil && facts.scan.dataFrames == 4 && facts.scan.pings == 1 && facts.scan.pongs == 1)
        #expect(Self.code([0x80]) == .protocolError, "continues nothing")
        #expect(Self.code(Self.frame(0x01, [1]) + [0x81]) == .protocolError, "begins inside a message")
        #expect(Self.code(Self.frame(0x81, [1]) + [0x80]) == .protocolError, "continues a whole message")
    }

    @Test func `A message is bounded over all its fragments`() {
        let scanner = WebSocketFrameScanner(direction: .fromClient, messageLimit: 10)
        let ten = [UInt8](repeating: 0, count: 10)
        #expect(Self.code(Self.frame(0x82, ten) + Self.frame(0x82, ten), scanner) == nil)
        #expect(Self.code(Self.frame(0x82, ten + [0]), scanner) == .messageTooBig)
        let two = Self.frame(0x02, ten) + Self.frame(0x89, ten)
        #expect(Self.code(two + Self.frame(0x80, []), scanner) == nil)
        let facts = Self.facts([two + Self.frame(0x80, [0])], scanner)
        #expect(facts.code == .messageTooBig && facts.relayed == two.count && facts.scan.isAtBorder)
        #expect(Self.code([0x02, 0xFF] + [0x7F] + [UInt8](repeating: 0xFF, count: 7), scanner) == .messageTooBig)
    }

    @Test func `A close frame ends the direction and its code is read`() {
        let close = Self.frame(0x88, [0x03, 0xE9, 0x62, 0x79])
        var facts = Self.facts([close], Self.client)
        #expect(facts.scan.sawClose && facts.scan.isAtBorder && facts.closeCode == 1_001)
        facts = Self.facts([Self.frame(0x88, [0x0F, 0xA0], key: nil)], Self.server)
        #expect(facts.closeCode == 4_000)
        facts = Self.facts([Self.frame(0x88, [])], Self.client)
        #expect(facts.scan.sawClose && facts.closeCode == nil)
        #expect(Self.code(Self.frame(0x88, [3])) == .protocolError)
        facts = Self.facts([close + [0x81]], Self.client)
        #expect(facts.code == .protocolError && facts.relayed == close.count && facts.scan.isAtBorder)
    }

    @Test func `A failure says what may still be relayed`() {
        let good = Self.frame(0x81, [1, 2, 3])
        var facts = Self.facts([good + good + [0x83]], Self.client)
        #expect(facts.relayed == 2 * good.count && facts.scan.isAtBorder)
        facts = Self.facts([good + [0x81], [0x01]], Self.client)
        #expect(facts.relayed == good.count + 1 && !facts.scan.isAtBorder, "half a header is on its way")
    }

    @Test func `Facts do not depend on the cut`() {
        var random = RandomSource(seed: 21)
        for round in 0..<300 {
            var bytes: [UInt8] = []
            var isInMessage = false
            for _ in 0..<random.below(8) {
                if random.below(4) == 0 {
                    bytes += Self.frame(0x89 + UInt8(random.below(2)), [UInt8](repeating: 1, count: random.below(126)))
                    continue
                }
                let isLast = random.below(2) == 0
                let first = (isLast ? 0x80 : 0) | (isInMessage ? 0 : 1 + UInt8(random.below(2)))
                isInMessage = !isLast
                bytes += Self.frame(
                    first, [UInt8](repeating: 9, count: random.below(random.below(5) == 0 ? 70_000 : 300)))
            }
            if random.below(2) == 0 { bytes += Self.frame(0x88, [0x03, 0xE8]) }
            if round % 3 == 0, !bytes.isEmpty {
                bytes[random.below(min(bytes.count, 20))] ^= UInt8(1 << random.below(8))
            }
            let scanner = WebSocketFrameScanner(direction: .fromClient, messageLimit: 100_000)
            let whole = Self.facts([bytes], scanner)
            var cut = Self.facts(Self.pieces(of: bytes, &random), scanner)
            if whole.code == nil {
                #expect(cut == whole)
            } else {
                // Bytes of the broken frame may already be on their way.
                #expect(cut.code == whole.code && cut.relayed >= whole.relayed)
                cut.relayed = whole.relayed
                #expect(cut.scan.dataFrames <= whole.scan.dataFrames + 8)
            }
        }
    }

    /// A run that is one whole message is taken by itself; cut behind its first byte it goes the way of all others.
    @Test(arguments: [0, 1, 5, 20, 21, 125, 126])
    func `A frame that fills a run has the facts of the same frame in pieces`(length: Int) {
        let before: [[UInt8]] = [
            [], Self.frame(0x01, [7, 7]), Self.frame(0x82, [1]), Self.frame(0x88, [0x03, 0xE8]), Self.frame(0x89, []),
        ]
        for direction in [WebSocketFrameScanner.Direction.fromClient, .fromServer] {
            for round in 0..<4 {
                let scanner = WebSocketFrameScanner(
                    direction: direction, messageLimit: round & 1 == 0 ? 20 : .max, allowsCompression: round & 2 == 0)
                for first in UInt8.min...UInt8.max {
                    for mask in [0, 0x80] as [UInt8] {
                        for surplus in -1...1 {
                            let count = max(0, length + (mask == 0 ? 0 : 4) + surplus)
                            let frame = [first, mask | UInt8(length)] + [UInt8](repeating: 3, count: count)
                            for start in before {
                                let whole = Self.facts([start, frame], scanner)
                                let cut = Self.facts([start, [first], Array(frame.dropFirst())], scanner)
                                #expect(whole.code == cut.code && whole.closeCode == cut.closeCode)
                                if whole.code == nil { #expect(whole == cut) }
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func `Random bytes never trap`() {
        var random = RandomSource(seed: 22)
        for _ in 0..<20_000 {
            let bytes = (0..<random.below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let first: [UInt8] = [0x81, 0x01, 0x88, 0x82]
            _ = Self.facts([[first[random.below(4)]] + bytes], Self.client)
            _ = Self.facts([[first[random.below(4)]] + bytes], Self.server)
        }
    }

    private static func pieces(of bytes: [UInt8], _ random: inout RandomSource) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = random.below(random.below(2) == 0 ? 4 : 30_000)
            result.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return result
    }
}
