/// Deadlines of many owners in O(1): a hierarchical wheel of four levels with 64 slots each.
///
///     level 0: 64 ticks of 8 ms     (0.5 s)
///     level 1: 64 slots of 0.5 s    (34 s)
///     level 2: 64 slots of 34 s     (36 min)
///     level 3: 64 slots of 36 min   (39 h; later deadlines wait here and are sorted in again)
///
/// An owner is a number below the capacity and has at most one deadline. A timer never fires early; it fires at most one
/// tick late. Entries live in arrays linked by index, so that setting and moving a deadline allocates nothing.
package struct TimerWheel: ~Copyable {
    /// log2 of a tick's nanoseconds.
    private static let tickShift: Int64 = 23
    private static let levelBits = 6
    private static let levels = 4

    private struct Entry {
        var deadline: Instant = .never
        var next: Int32 = -1
        var previous: Int32 = -1
        /// Slot whose list the entry is in, -1: none.
        var slot: Int32 = -1
    }

    private var entries: [Entry] = []
    private var slots: [Int32]
    /// Bit per slot that is not empty, a word per level.
    private var occupied: [UInt64]
    private var tick: Int64
    /// Deadlines that are set.
    package private(set) var count = 0

    package init(now: Instant) {
        tick = now.nanoseconds >> Self.tickShift
        slots = Array(repeating: -1, count: Self.levels << Self.levelBits)
        occupied = Array(repeating: 0, count: Self.levels)
    }

    /// The owner's deadline, `.never` when it has none.
    package func deadline(of owner: Int) -> Instant {
        owner < entries.count ? entries[owner].deadline : .never
    }

    /// Sets or moves the owner's deadline. `.never` removes it.
    package mutating func set(_ owner: Int, to deadline: Instant) {
        precondition(owner >= 0)
        while entries.count <= owner { entries.append(Entry()) }
        if entries[owner].deadline == deadline { return }
        if deadline == .never {
            remove(owner)
            return
        }
        let wasSet = entries[owner].slot >= 0
        // A later deadline keeps its place: when that place comes up, the entry is sorted in again.
        if wasSet, deadline > entries[owner].deadline {
            entries[owner].deadline = deadline
            return
        }
        if wasSet { unlink(owner) } else { count += 1 }
        entries[owner].deadline = deadline
        link(owner)
    }

    /// Removes the owner's deadline.
    package mutating func remove(_ owner: Int) {
        guard owner >= 0, owner < entries.count, entries[owner].slot >= 0 else { return }
        unlink(owner)
        entries[owner].deadline = .never
        count -= 1
    }

    /// The earliest instant at which `advance` may have something to do, `.never` when nothing is set.
    package var next: Instant {
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = Self.levelBits * level
            let position = (tick >> Int64(shift)) & 63
            // Slots behind the current position of this level, the current one last: it was emptied on arrival.
            let behind = (position + 1) & 63
            let rotated = occupied[level] >> UInt64(behind) | (behind == 0 ? 0 : occupied[level] << UInt64(64 - behind))
            let distance = Int64(rotated.trailingZeroBitCount) + 1
            let slotTick = ((tick >> Int64(shift)) + distance) << Int64(shift)
            return Instant(nanoseconds: slotTick << Self.tickShift)
        }
        return .never
    }

    /// Moves the wheel to `now` and returns one owner whose deadline has passed, whose deadline is then removed;
    /// nil when there is no more. Call it until nil.
    package mutating func popExpired(now: Instant) -> Int? {
        let target = now.nanoseconds >> Self.tickShift
        while true {
            let slot = Int(tick & 63)
            while slots[slot] >= 0 {
                let owner = Int(slots[slot])
                unlink(owner)
                if entries[owner].deadline <= now {
                    entries[owner].deadline = .never
                    count -= 1
                    return owner
                }
                link(owner, notBefore: tick + 1)
            }
            guard tick < target else { return nil }
            if count == 0 {
                tick = target
                return nil
            }
            step(towards: target)
        }
    }

    /// One step of the wheel: to the next occupied tick of level 0 or the next border of a higher level.
    private mutating func step(towards target: Int64) {
        let position = tick & 63
        let rest = position == 63 ? 0 : occupied[0] >> UInt64(position + 1)
        let border = (tick | 63) + 1
        tick = min(rest == 0 ? border : tick + 1 + Int64(rest.trailingZeroBitCount), target)
        guard tick & 63 == 0 else { return }
        // At a border the next slot of each higher level that begins here is sorted in again.
        for level in 1..<Self.levels {
            let shift = Int64(Self.levelBits * level)
            let slot = level << Self.levelBits + Int((tick >> shift) & 63)
            while slots[slot] >= 0 {
                let owner = Int(slots[slot])
                unlink(owner)
                link(owner)
            }
            if (tick >> shift) & 63 != 0 { break }
        }
    }

    private mutating func link(_ owner: Int, notBefore earliest: Int64 = .min) {
        // Rounded up: a timer must not fire early.
        let deadline = entries[owner].deadline.nanoseconds
        let due = max((deadline >> Self.tickShift) + 1, tick, earliest)
        let slot = slot(for: due)
        let first = slots[slot]
        entries[owner].slot = Int32(truncatingIfNeeded: slot)
        entries[owner].previous = -1
        entries[owner].next = first
        if first >= 0 { entries[Int(first)].previous = Int32(truncatingIfNeeded: owner) }
        slots[slot] = Int32(truncatingIfNeeded: owner)
        occupied[slot >> Self.levelBits] |= 1 << UInt64(slot & 63)
    }

    private func slot(for due: Int64) -> Int {
        var level = 0
        while level < Self.levels - 1 {
            let shift = Int64(Self.levelBits * level)
            if (due >> shift) - (tick >> shift) < 64 { break }
            level += 1
        }
        let shift = Int64(Self.levelBits * level)
        let distance = min((due >> shift) - (tick >> shift), 63)
        return level << Self.levelBits + Int(((tick >> shift) + distance) & 63)
    }

    private mutating func unlink(_ owner: Int) {
        let entry = entries[owner]
        let slot = Int(entry.slot)
        if entry.previous >= 0 { entries[Int(entry.previous)].next = entry.next } else { slots[slot] = entry.next }
        if entry.next >= 0 { entries[Int(entry.next)].previous = entry.previous }
        if slots[slot] < 0 { occupied[slot >> Self.levelBits] &= ~(1 << UInt64(slot & 63)) }
        entries[owner].slot = -1
    }
}
