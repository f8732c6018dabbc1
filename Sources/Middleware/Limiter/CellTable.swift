private import Synchronization

/// The debts of all keys of one limit, shared by the workers: exact, bounded, and empty memory while nobody is counted.
///
/// 64 shards, each a short critical section around an open-addressing table. A key lives within `window` slots from
/// where its hash points, so that looking it up is bounded whatever is in the table; slots of keys without debt are
/// reused. A shard doubles when a window is full, up to its limit; from then on the key with the least debt in the
/// window gives way, which forgives that debt and is counted: heavy users stay limited however many keys an attacker
/// invents.
final class CellTable: Sendable {
    static let shardCount = 64
    static let window = 16

    private struct Cell {
        var key = KeyHash(low: 0, high: 0)
        /// No key was ever here while this and the key are 0.
        var paidAt: Int64 = 0

        var isUnused: Bool { paidAt == 0 && key.low == 0 && key.high == 0 }
    }

    private struct Shard {
        var cells: [Cell] = []
        /// Fills the cache line, so that workers on neighbouring shards do not share one.
        var padding = InlineArray<5, UInt64>(repeating: 0)
    }

    private let hasher: SipHash
    private let shards: InlineArray<64, Mutex<Shard>>
    private let slotsLimit: Atomic<Int>
    private let forgivenCount = Atomic<Int>(0)

    init(maxKeys: Int, hasher: SipHash = .random()) {
        self.hasher = hasher
        shards = InlineArray { _ in Mutex(Shard()) }
        slotsLimit = Atomic(Self.slotsLimit(maxKeys))
    }

    /// A reload may change how many keys are remembered. A table that is larger already stays.
    func setMaxKeys(_ maxKeys: Int) {
        slotsLimit.store(Self.slotsLimit(maxKeys), ordering: .relaxed)
    }

    /// Debts that were forgotten because the table was full: so often a limit may have been too generous.
    var forgiven: Int { forgivenCount.load(ordering: .relaxed) }

    /// Slots of one shard: a quarter more than its share of keys, since windows fill unevenly.
    private static func slotsLimit(_ maxKeys: Int) -> Int {
        let share = min(max(maxKeys, 1), 1 << 40) / shardCount
        var slots = window
        while slots < share + share / 4 { slots *= 2 }
        return slots
    }

    /// Counts one request of a key, unless the rate refuses it.
    func take(_ key: Span<UInt8>, rate: CellRate, now: Int64) -> CellRate.Decision {
        take(hasher.hash(key), rate: rate, now: now)
    }

    func take(_ key: KeyHash, rate: CellRate, now: Int64) -> CellRate.Decision {
        let limit = slotsLimit.load(ordering: .relaxed)
        let shard = Int(truncatingIfNeeded: key.high >> 58)
        var forgiven = 0
        let decision = shards[shard].withLock { shard in
            let index = Self.place(key, in: &shard, now: now, limit: limit, &forgiven)
            let isNew = shard.cells[index].key != key
            let decision = rate.decide(paidAt: isNew ? 0 : shard.cells[index].paidAt, now: now)
            if case .admit(let paidAt, _, _) = decision {
                if isNew && shard.cells[index].paidAt > now { forgiven += 1 }
                shard.cells[index] = Cell(key: key, paidAt: paidAt)
            }
            return decision
        }
        if forgiven > 0 { forgivenCount.add(forgiven, ordering: .relaxed) }
        return decision
    }

    /// The slot of a key, or the one that it may take.
    private static func place(
        _ key: KeyHash, in shard: inout Shard, now: Int64, limit: Int, _ forgiven: inout Int
    ) -> Int {
        while true {
            let count = shard.cells.count
            if count > 0 {
                let found = search(key, shard.cells.span, now: now)
                if found.isFree || count >= limit { return found.index }
            }
            grow(&shard, now: now, &forgiven)
        }
    }

    private struct Place {
        let index: Int
        /// The key's own slot, or one that holds no debt.
        let isFree: Bool
    }

    @inline(__always)
    private static func search(_ key: KeyHash, _ cells: Span<Cell>, now: Int64) -> Place {
        let mask = cells.count &- 1
        let start = Int(truncatingIfNeeded: key.low)
        var best = start & mask
        for step in 0..<min(window, cells.count) {
            let index = (start &+ step) & mask
            if cells[index].key == key { return Place(index: index, isFree: true) }
            // Nothing was ever put behind a slot that was never used.
            if cells[index].isUnused { return Place(index: cells[best].paidAt <= now ? best : index, isFree: true) }
            if cells[index].paidAt < cells[best].paidAt { best = index }
        }
        return Place(index: best, isFree: cells[best].paidAt <= now)
    }

    /// Doubles a shard; keys without debt are left behind.
    private static func grow(_ shard: inout Shard, now: Int64, _ forgiven: inout Int) {
        let old = shard.cells
        shard.cells = Array(repeating: Cell(), count: max(window, old.count * 2))
        for cell in old where cell.paidAt > now {
            let place = search(cell.key, shard.cells.span, now: now)
            if !place.isFree { forgiven += 1 }
            guard place.isFree || shard.cells[place.index].paidAt < cell.paidAt else { continue }
            shard.cells[place.index] = cell
        }
    }

    /// Slots in all shards; for tests.
    var slotCount: Int {
        var count = 0
        for index in 0..<Self.shardCount { count += shards[index].withLock { $0.cells.count } }
        return count
    }
}
