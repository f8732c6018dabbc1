/// What a peer does, out of an input's bytes: they are sent as they are but for 0xFE, behind which stands what else to do.
///
///     FE c  what follows arrives later        FE w  two seconds pass          FE FE  the byte itself
///     FE e  ends its direction                FE r  resets the connection     FE q   waits for the next request
struct PeerScript {
    enum Step: Equatable {
        case send([UInt8])
        case pause(Int64)
        case end, reset, awaitRequest
    }

    private(set) var steps: [Step] = []
    /// All that is sent, without what interrupts it.
    private(set) var bytes: [UInt8] = []

    static let mark: UInt8 = 0xFE

    init(_ input: [UInt8], isBytewise: Bool = false) {
        var run: [UInt8] = []
        var rest = input[...]
        while let byte = rest.popFirst() {
            guard byte == Self.mark, let code = rest.popFirst() else {
                run.append(byte)
                if isBytewise { flush(&run) }
                continue
            }
            switch code {
            case UInt8(ascii: "c"):
                flush(&run)
                steps.append(.pause(1_000_000))
            case UInt8(ascii: "w"):
                flush(&run)
                steps.append(.pause(2_000_000_000))
            case UInt8(ascii: "e"):
                flush(&run)
                steps.append(.end)
                return
            case UInt8(ascii: "r"):
                flush(&run)
                steps.append(.reset)
                return
            case UInt8(ascii: "q"):
                flush(&run)
                steps.append(.awaitRequest)
            default:
                run.append(code)
            }
        }
        flush(&run)
    }

    private mutating func flush(_ run: inout [UInt8]) {
        guard !run.isEmpty else { return }
        bytes += run
        steps.append(.send(run))
        run = []
    }

    /// Whether all bytes go out in one piece and nothing else happens.
    var isOnePiece: Bool { steps.count == 1 }
}
