import Containers
import WebSocket

/// Frames of one direction of a tunnel: `[settings][how they are cut][bytes]`.
///
/// The scanner's verdict is that of a naive reading of all bytes at once, however they are cut.
enum WebSocketFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        let pattern = parts.byte()
        let bytes = parts.rest()
        let isClient = settings & 1 == 0
        let allowsCompression = settings & 2 != 0
        let limit = settings & 4 != 0 ? Int(settings >> 3) * 9 : Int.max
        let scanner = WebSocketFrameScanner(
            direction: isClient ? .fromClient : .fromServer, messageLimit: limit, allowsCompression: allowsCompression)
        let model = NaiveFrames(
            bytes, isMasked: isClient, limit: limit, allowsCompression: allowsCompression)
        for cut in [[bytes], pieces(of: bytes, cutBy: pattern), pieces(of: bytes, cutBy: 0)] {
            let seen = try scan(cut, scanner)
            try require(seen == model.facts, "\(seen) by the scanner, \(model.facts) by a naive reading")
        }
    }

    private static func scan(
        _ pieces: [[UInt8]], _ scanner: WebSocketFrameScanner
    ) throws(FuzzViolation) -> NaiveFrames.Facts {
        var scanner = scanner
        var facts = NaiveFrames.Facts()
        var read = 0
        for piece in pieces {
            do throws(WebSocketFailure) {
                let scan = try scanner.scan(piece.span)
                if let border = scan.lastBorder { facts.border = read + border }
                facts.data += scan.dataFrames
                facts.pings += scan.pings
                facts.pongs += scan.pongs
                facts.sawClose = facts.sawClose || scan.sawClose
                facts.isAtBorder = scan.isAtBorder
            } catch {
                facts.failure = error.code
                if error.relayable > 0 { facts.border = read + error.relayable }
                // What was relayed of the frame at fault depends on the cut; what is told of it must be true.
                try require(
                    error.isAtBorder == (facts.border == read + error.relayable),
                    "\(error) behind \(read) bytes with the last border at \(facts.border)")
                facts.isAtBorder = true
                // How many frames ended in the run at fault is not told.
                facts.data = 0
                facts.pings = 0
                facts.pongs = 0
                facts.sawClose = false
                return facts
            }
            read += piece.count
            try require(facts.isAtBorder == scanner.isAtBorder, "the scanner does not know where it stands")
        }
        facts.closeCode = scanner.closeCode
        return facts
    }
}

/// RFC 6455 section 5 read as it stands there, over all bytes at once.
struct NaiveFrames {
    struct Facts: Equatable {
        var failure: WebSocketCloseCode?
        /// Behind the last whole frame.
        var border = 0
        var isAtBorder = true
        var data = 0
        var pings = 0
        var pongs = 0
        var sawClose = false
        var closeCode: UInt16?
    }

    private(set) var facts = Facts()

    init(_ bytes: [UInt8], isMasked: Bool, limit: Int, allowsCompression: Bool) {
        read(bytes, isMasked, limit, allowsCompression)
    }

    private mutating func read(_ bytes: [UInt8], _ isMasked: Bool, _ limit: Int, _ allowsCompression: Bool) {
        var at = 0
        var isInMessage = false
        var total: UInt64 = 0
        while at < bytes.count {
            if facts.sawClose { return fail(.protocolError) }
            var need = bytes[at...]
            let first = need.removeFirst()
            let opcode = first & 15
            let isControl = opcode >= 8
            let isFinal = first >= 128
            let allowed: UInt8 = allowsCompression && (opcode == 1 || opcode == 2) ? 0x40 : 0
            if first & 0x70 & ~allowed != 0 { return fail(.protocolError) }
            if ![0, 1, 2, 8, 9, 10].contains(opcode) || (isControl && !isFinal) { return fail(.protocolError) }
            if !isControl, (opcode == 0) != isInMessage { return fail(.protocolError) }
            guard let second = need.popFirst() else { return stop() }
            if (second >= 128) != isMasked { return fail(.protocolError) }
            var length = UInt64(second & 127)
            if isControl, length > 125 { return fail(.protocolError) }
            if length > 125 {
                let isWide = length == 127
                let digits = need.prefix(isWide ? 8 : 2)
                if isWide, let top = digits.first, top >= 128 { return fail(.protocolError) }
                guard digits.count == (isWide ? 8 : 2) else { return stop() }
                need = need.dropFirst(digits.count)
                length = digits.reduce(0) { $0 * 256 + UInt64($1) }
                if length < (isWide ? 65_536 : 126) { return fail(.protocolError) }
            }
            if !isControl {
                let (sum, overflow) = (opcode == 0 ? total : 0).addingReportingOverflow(length)
                if overflow || sum > UInt64(limit) { return fail(.messageTooBig) }
                total = sum
                isInMessage = !isFinal
            }
            if opcode == 8, length == 1 { return fail(.protocolError) }
            let key = Array(need.prefix(isMasked ? 4 : 0))
            guard key.count == (isMasked ? 4 : 0) else { return stop() }
            need = need.dropFirst(key.count)
            guard UInt64(need.count) >= length else { return stop() }
            let payload = need.prefix(Int(length))
            at = payload.endIndex
            end(opcode, Array(payload.prefix(2)), key)
            facts.border = at
        }
    }

    private mutating func end(_ opcode: UInt8, _ start: [UInt8], _ key: [UInt8]) {
        switch opcode {
        case 8:
            facts.sawClose = true
            guard start.count == 2 else { return }
            let plain = key.isEmpty ? start : [start[0] ^ key[0], start[1] ^ key[1]]
            facts.closeCode = UInt16(plain[0]) * 256 + UInt16(plain[1])
        case 9: facts.pings += 1
        case 10: facts.pongs += 1
        default: facts.data += 1
        }
    }

    private mutating func stop() { facts.isAtBorder = false }

    private mutating func fail(_ code: WebSocketCloseCode) {
        let border = facts.border
        facts = Facts()
        facts.failure = code
        facts.border = border
    }
}
