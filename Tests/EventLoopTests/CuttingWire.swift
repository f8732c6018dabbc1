import Containers
import Linux

/// One direction between two ends of a TLS connection, in the hands of the test: takes what one end's kernel gives and hands it on to
/// the other in pieces, as the dice fall.
final class CuttingWire {
    /// Where a piece ends.
    enum Cut: CaseIterable {
        /// All that is there, several records at once.
        case all
        case byte
        case record
        /// A record's header without what it announces.
        case header
        /// One byte less, or more, than a record.
        case beforeBorder, behindBorder
        case anywhere
        /// Nothing for a while.
        case stall
    }

    /// What happens to the bytes at a place, once.
    enum Fault: Equatable {
        /// The direction ends there, as far as the other end can see.
        case ends(at: Int)
        case changes(at: Int)
        /// Both directions are reset there.
        case resets(at: Int)
        /// The direction ends in time, but without its last record.
        case losesCloseNotify
    }

    private let source: Plug
    private let sink: Plug
    private let cuts: [Cut]
    private let fault: Fault?
    private(set) var hasFaultHappened = false
    /// Bytes that came and were not handed on, at most.
    private let limit: Int

    private var held: [UInt8] = []
    /// Bytes that were handed on.
    private(set) var passed = 0
    private(set) var records = RecordBorders()
    private var stalledTurns = 0
    private var lastCut = Cut.all
    private var sawEnd = false
    private var saidEnd = false

    init(from source: Plug, to sink: Plug, cuts: [Cut], fault: Fault?, limit: Int) {
        self.source = source
        self.sink = sink
        self.cuts = cuts
        self.fault = fault
        self.limit = limit
    }

    /// Nothing is on its way, and nothing is being waited for on purpose.
    var isIdle: Bool { held.isEmpty && stalledTurns == 0 }

    /// True: bytes, or an end, have moved.
    func turn(_ random: inout RandomSource) -> Bool {
        let hasTaken = take()
        if stalledTurns > 0 {
            stalledTurns -= 1
            return hasTaken
        }
        var hasMoved = hasTaken
        // What follows may come before the driver looks, the end too; but what a record lacks comes behind that.
        repeat {
            guard step(&random) else { return hasMoved }
            hasMoved = true
        } while lastCut != .beforeBorder && (sawEnd && held.isEmpty || random.below(3) > 0)
        return true
    }

    private func step(_ random: inout RandomSource) -> Bool {
        if isDue {
            strike()
            return true
        }
        guard !held.isEmpty else { return finish() }
        let cut = cuts[random.below(cuts.count)]
        lastCut = cut
        guard cut == .stall else { return hand(pieceCount(cut, &random)) }
        stalledTurns = random.below(12)
        return false
    }

    private func take() -> Bool {
        guard !sawEnd, held.count < limit else { return false }
        var buffer = Buffer(capacity: limit)
        switch source.receive(into: &buffer, limit: limit - held.count) {
        case .bytes:
            let bytes = DriverScene.bytes(buffer)
            records.note(bytes)
            held += bytes
            return true
        case .wouldBlock: return false
        case .end, .failed:
            sawEnd = true
            if fault == .losesCloseNotify, records.isCloseNotifyLast, held.count >= records.lastCount {
                hasFaultHappened = true
                held.removeLast(records.lastCount)
            }
            return true
        }
    }

    /// Takes what is left when nobody waits for it any more.
    func swallow() {
        while take() { held = [] }
    }

    private func pieceCount(_ cut: Cut, _ random: inout RandomSource) -> Int {
        let border = records.next(behind: passed) - passed
        switch cut {
        case .all, .stall: return held.count
        case .byte: return 1
        case .record: return border
        case .header: return border > 5 ? min(border - 1, 5) : border + 5
        case .beforeBorder: return max(1, border - 1)
        case .behindBorder: return border + 1
        case .anywhere: return 1 + random.below(min(held.count, 4_000))
        }
    }

    private func hand(_ count: Int) -> Bool {
        var piece = Array(held.prefix(max(1, count)))
        // What may be its last record is kept until that shows.
        if fault == .losesCloseNotify, !sawEnd, records.isCloseNotifyLast, passed + piece.count > records.lastStart {
            piece.removeLast(min(piece.count, passed + piece.count - records.lastStart))
            if piece.isEmpty { return false }
        }
        switch fault {
        case .ends(let place), .resets(let place): piece.removeLast(max(0, passed + piece.count - place))
        case .changes(let place) where !hasFaultHappened && passed + piece.count > place:
            piece[place - passed] ^= 1 << UInt8(place % 8)
        default: break
        }
        switch sink.write(piece) {
        case .taken(0): return false
        case .taken(let count):
            if case .changes(let place) = fault, passed <= place, passed + count > place { hasFaultHappened = true }
            passed += count
            held.removeFirst(count)
        case .closed:
            held = []
            saidEnd = true
        }
        return true
    }

    /// Whether all that comes before the fault has been handed on.
    private var isDue: Bool {
        switch fault {
        case .ends(let place), .resets(let place): passed >= place && !(hasFaultHappened && held.isEmpty)
        case .changes, .losesCloseNotify, nil: false
        }
    }

    private func strike() {
        // What still comes is lost, but its sender need not wait.
        held = []
        if hasFaultHappened { return }
        hasFaultHappened = true
        saidEnd = true
        if case .resets = fault {
            sawEnd = true
            source.abort()
            sink.abort()
        } else {
            sink.end()
        }
    }

    /// The last record says that this was all, and was handed on.
    var hasPassedCloseNotify: Bool { records.isCloseNotifyLast && passed >= records.total }

    private func finish() -> Bool {
        guard sawEnd, !saidEnd else { return false }
        saidEnd = true
        sink.end()
        return true
    }
}

/// The test's end of a connection whose other end is the driver's.
final class Plug {
    enum Outcome {
        case taken(Int)
        case closed
    }

    private var descriptor: FileDescriptor?

    init(_ descriptor: consuming FileDescriptor) { self.descriptor = consume descriptor }

    private var number: Int32 { descriptor?.number ?? -1 }

    func receive(into buffer: inout Buffer, limit: Int) -> Socket.ReceiveResult {
        descriptor == nil ? .end : Socket.receive(number, into: &buffer, limit: limit)
    }

    /// Writes what the kernel takes, and says how much that is.
    func write(_ bytes: [UInt8]) -> Outcome {
        guard descriptor != nil else { return .closed }
        var buffer = Buffer(capacity: max(1, bytes.count))
        buffer.append(bytes)
        switch Socket.send(number, buffer) {
        case .bytes(let count): return .taken(count)
        case .wouldBlock: return .taken(0)
        case .failed: return .closed
        }
    }

    func end() { if descriptor != nil { Socket.shutdownWrite(number) } }

    func abort() { descriptor.take()?.abort() }
}
