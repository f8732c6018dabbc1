/// Deadlines of many owners in O(1): a hierarchical wheel of four levels with 64 slots each.
///
///     level 0: 64 ticks of 8.4 ms   (0.5 s)
///     level 1: 64 slots of 0.5 s    (34 s)
///     level 2: 64 slots of 34 s     (37 min)
///     level 3: 64 slots of 37 min   (39 h; later deadlines wait here and are sorted in again)
///
/// An owner is a small number (a slab's index) and has at most one deadline. A timer never fires early; it fires at most
/// one tick late. Entries are linked by index in one table that only grows, so that setting, moving and firing allocate
/// nothing once the highest owner was seen.
///
/// Invariant: the current slot of every level but the lowest is empty. A deadline goes there only as long as it lies
/// ahead, and when the wheel reaches the slot its entries move to lower levels.
@usableFromInline
package struct TimerWheel: ~Copyable {
    /// log2 of a tick's nanoseconds.
    @inlinable static var tickShift: Int64 { 23 }
    private static var levelBits: Int { 6 }
    private static var levels: Int { 4 }
    /// A timer fires less than this many nanoseconds after its deadline.
    @inlinable package static var tickNanoseconds: Int64 { 1 << tickShift }

    @usableFromInline
    struct Entry {
        /// `.never` while linked: removed, and dropped when its slot comes up.
        @usableFromInline var deadline: Instant = .never
        /// The deadline under which the entry was linked.
        @usableFromInline var linked: Instant = .never
        @usableFromInline var next: Int32 = -1
        @usableFromInline var previous: Int32 = -1
        /// Slot whose list the entry is in, -1: none.
        @usableFromInline var slot: Int32 = -1

        init() {}

        @inlinable
        func keepsPlace(for deadline: Instant) -> Bool {
            slot >= 0 && deadline >= linked && deadline != .never
        }
    }

    @usableFromInline var entries = FixedArray<Entry>(capacity: 0)
    @usableFromInline var slots: FixedArray<Int32>
    /// Bit per slot that is not empty, a word per level.
    private var occupied: InlineArray<4, UInt64> = .init(repeating: 0)
    @usableFromInline var tick: Int64
    /// First tick, from the current one on, whose slot holds something on any level; `.max` when all are empty. Kept, since
    /// every turn of a worker asks for it and few change it.
    @usableFromInline var earliest = Int64.max
    /// Deadlines that are set.
    @usableFromInline package internal(set) var count = 0

    package init(now: Instant) {
        tick = now.nanoseconds >> Self.tickShift
        slots = FixedArray(repeating: -1, count: Self.levels << Self.levelBits)
    }

    /// The owner's deadline, `.never` when it has none.
    @inlinable
    package func deadline(of owner: Int) -> Instant {
        owner >= 0 && owner < entries.count ? entries[owner].deadline : .never
    }

    /// Sets or moves the owner's deadline. `.never` removes it.
    @inlinable
    package mutating func set(_ owner: Int, to deadline: Instant) {
        // A deadline that is not before the linked one keeps its place: when that place comes up, the entry is sorted in again.
        // Deadlines that are moved on with each request cost a store.
        guard owner >= 0, owner < entries.count, entries[owner].keepsPlace(for: deadline) else {
            place(owner, deadline)
            return
        }
        if entries[owner].deadline == .never { count &+= 1 }
        entries[owner].deadline = deadline
    }

    /// `set` for a deadline that needs another place in the wheel, or none.
    @usableFromInline
    @inline(never)
    mutating func place(_ owner: Int, _ deadline: Instant) {
        precondition(owner >= 0 && owner < Int(Int32.max))
        if deadline == .never {
            remove(owner)
            return
        }
        if owner >= entries.count { grow(toHold: owner) }
        let old = entries[owner].deadline
        if old == deadline { return }
        if old == .never { count &+= 1 }
        entries[owner].deadline = deadline
        if entries[owner].slot >= 0 { unlink(owner) }
        link(owner)
    }

    /// Removes the owner's deadline.
    @inlinable
    package mutating func remove(_ owner: Int) {
        guard owner >= 0, owner < entries.count, entries[owner].deadline != .never else { return }
        // The entry stays in its slot: most owners set a deadline again before that comes up.
        entries[owner].deadline = .never
        count &-= 1
    }

    /// The earliest instant at which `popExpired` may have something to do, `.never` when nothing is set. Never later than
    /// one tick after the earliest deadline; after `popExpired(now)` said nil it is later than that `now`.
    @inlinable
    package var next: Instant {
        if count == 0 || earliest == .max { return .never }
        return Instant(nanoseconds: earliest << Self.tickShift)
    }

    /// Moves the wheel to `now` and returns one owner whose deadline has passed, whose deadline is then removed;
    /// nil when there is no more. Call it until nil.
    @inlinable
    package mutating func popExpired(now: Instant) -> Int? {
        let target = now.nanoseconds >> Self.tickShift
        // Nothing stands in a slot up to there: the wheel only turns.
        if target < earliest {
            if tick < target { tick = target }
            return nil
        }
        return popReached(now: now, target: target)
    }

    @usableFromInline
    @inline(never)
    mutating func popReached(now: Instant, target: Int64) -> Int? {
        while true {
            let slot = Int(tick & 63)
            while slots[slot] >= 0 {
                let owner = Int(slots[slot])
                unlink(owner)
                if entries[owner].deadline == .never { continue }
                if entries[owner].deadline <= now {
                    entries[owner].deadline = .never
                    count &-= 1
                    return owner
                }
                link(owner, notBefore: tick &+ 1)
            }
            guard tick < target else { return nil }
            step(towards: target)
        }
    }

    /// What `earliest` is.
    private var nextTick: Int64 {
        var first = Int64.max
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = Int64(Self.levelBits * level)
            let current = tick >> shift
            let position = UInt64(truncatingIfNeeded: current & 63)
            let rotated = occupied[level] >> position | occupied[level] << (64 &- position)
            first = min(first, (current &+ Int64(rotated.trailingZeroBitCount)) << shift)
        }
        return first
    }

    /// One step of the wheel: to the next tick that has something to fire or to sort in again. What is jumped over is
    /// empty, so that a long sleep costs no more than a short one.
    private mutating func step(towards target: Int64) {
        tick = min(earliest, target)
        var level = 1
        while level < Self.levels {
            let shift = Int64(Self.levelBits * level)
            guard tick & ((1 << shift) &- 1) == 0 else { return }
            let slot = level << Self.levelBits + Int((tick >> shift) & 63)
            while slots[slot] >= 0 {
                let owner = Int(slots[slot])
                unlink(owner)
                link(owner)
            }
            level &+= 1
        }
    }

    private mutating func link(_ owner: Int, notBefore lowest: Int64 = .min) {
        // Rounded up: a timer must not fire early.
        let due = max((entries[owner].deadline.nanoseconds >> Self.tickShift) &+ 1, tick, lowest)
        let slot = slot(for: due)
        let first = slots[slot]
        entries[owner].linked = entries[owner].deadline
        entries[owner].slot = Int32(truncatingIfNeeded: slot)
        entries[owner].previous = -1
        entries[owner].next = first
        if first >= 0 { entries[Int(first)].previous = Int32(truncatingIfNeeded: owner) }
        slots[slot] = Int32(truncatingIfNeeded: owner)
        occupied[slot >> Self.levelBits] |= 1 << UInt64(slot & 63)
        earliest = min(earliest, start(of: slot))
    }

    private func slot(for due: Int64) -> Int {
        var level = 0
        while level < Self.levels &- 1 {
            let shift = Int64(Self.levelBits * level)
            if (due >> shift) &- (tick >> shift) < 64 { break }
            level &+= 1
        }
        let shift = Int64(Self.levelBits * level)
        let distance = min((due >> shift) &- (tick >> shift), 63)
        return level << Self.levelBits + Int(((tick >> shift) &+ distance) & 63)
    }

    /// The tick at which the wheel reaches a slot.
    private func start(of slot: Int) -> Int64 {
        let shift = Int64(Self.levelBits * (slot >> Self.levelBits))
        let current = tick >> shift
        return (current &+ (Int64(slot) &- current) & 63) << shift
    }

    private mutating func unlink(_ owner: Int) {
        let entry = entries[owner]
        let slot = Int(entry.slot)
        if entry.previous >= 0 { entries[Int(entry.previous)].next = entry.next } else { slots[slot] = entry.next }
        if entry.next >= 0 { entries[Int(entry.next)].previous = entry.previous }
        if slots[slot] < 0 {
            occupied[slot >> Self.levelBits] &= ~(1 << UInt64(slot & 63))
            earliest = nextTick
        }
        entries[owner].slot = -1
    }

    @inline(never)
    private mutating func grow(toHold owner: Int) {
        var larger = FixedArray<Entry>(capacity: max(64, owner + 1, entries.count * 2))
        for index in 0..<entries.count { larger.append(entries[index]) }
        while !larger.isFull { larger.append(Entry()) }
        entries = larger
    }
}
