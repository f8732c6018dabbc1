/// Identity of a slab's entry: index and generation. A key of an entry that was removed never matches the
/// entry that took its place.
@usableFromInline
package struct SlabKey: Hashable, BitwiseCopyable, Sendable {
    @usableFromInline package let index: UInt32
    @usableFromInline package let generation: UInt32

    @inlinable
    package init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// A key that no entry ever has: generations begin at 1.
    @inlinable package static var none: SlabKey { SlabKey(index: 0, generation: 0) }

    /// Both halves in one word, for epoll's user data.
    @inlinable
    package var rawValue: UInt64 { UInt64(generation) << 32 | UInt64(index) }

    @inlinable
    package init(rawValue: UInt64) {
        index = UInt32(truncatingIfNeeded: rawValue)
        generation = UInt32(truncatingIfNeeded: rawValue >> 32)
    }
}

/// Entries at stable places, found by a key that says when its entry is gone.
///
/// Memory grows by chunks, so that an entry never moves and growth copies nothing. Freed places are reused last in
/// first out. Complexity of every operation: O(1).
@safe
@usableFromInline
package struct Slab<Element: ~Copyable>: ~Copyable {
    @inlinable static var chunkShift: Int { 6 }
    @inlinable static var chunkCount: Int { 64 }
    /// In `links`: the place is in use. Other values: index of the next free place, or `lastFree`.
    @inlinable static var inUse: Int32 { -2 }
    @inlinable static var lastFree: Int32 { -1 }

    @usableFromInline let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
    @usableFromInline let generations: UnsafeMutablePointer<UInt32>
    @usableFromInline let links: UnsafeMutablePointer<Int32>
    @usableFromInline var chunkCountUsed = 0
    /// Places ever used; all below have a generation and a link.
    @usableFromInline var placeCount = 0
    @usableFromInline var firstFree: Int32 = -1
    /// Entries in use.
    @usableFromInline package internal(set) var count = 0
    /// Entries that may be in use at once.
    @usableFromInline package let limit: Int

    @inlinable
    package init(limit: Int) {
        precondition(limit > 0 && limit < Int(Int32.max))
        self.limit = limit
        // SAFETY: three tables for the whole limit, owned by this value; untouched pages cost no memory.
        unsafe chunks = .allocate(capacity: (limit + Self.chunkCount - 1) >> Self.chunkShift)
        unsafe generations = .allocate(capacity: limit)
        unsafe links = .allocate(capacity: limit)
    }

    @inlinable
    deinit {
        for index in 0..<placeCount {
            // SAFETY: a place whose link says `inUse` holds an initialised element.
            if unsafe links[index] == Self.inUse { unsafe address(index).deinitialize(count: 1) }
        }
        for chunk in 0..<chunkCountUsed {
            // SAFETY: each chunk below `chunkCountUsed` was allocated in `insert`.
            unsafe chunks[chunk].deallocate()
        }
        unsafe chunks.deallocate()
        unsafe generations.deallocate()
        unsafe links.deallocate()
    }

    /// The memory of a place below `placeCount`.
    @inlinable
    @inline(__always)
    func address(_ index: Int) -> UnsafeMutablePointer<Element> {
        unsafe chunks[index >> Self.chunkShift] + (index & (Self.chunkCount &- 1))
    }

    /// Stores an element and returns its key, nil (and the element is dropped) when the limit is reached.
    @inlinable
    package mutating func insert(_ element: consuming Element) -> SlabKey? {
        guard let index = takePlace() else { return nil }
        // SAFETY: the place is free, so its memory is uninitialised.
        unsafe address(index).initialize(to: element)
        return occupy(index)
    }

    /// Stores what `make` makes and returns its key, nil when the limit is reached. A large element is made in its place and not
    /// moved there.
    @inlinable
    @inline(__always)
    package mutating func insert(made make: () -> Element) -> SlabKey? {
        guard let index = takePlace() else { return nil }
        // SAFETY: the place is free, so its memory is uninitialised.
        unsafe address(index).initialize(to: make())
        return occupy(index)
    }

    /// A place without an entry, off the free list; nil when the limit is reached.
    @inlinable
    mutating func takePlace() -> Int? {
        let index: Int
        if firstFree >= 0 {
            index = Int(firstFree)
            // SAFETY: an index on the free list is below `placeCount`.
            firstFree = unsafe links[index]
        } else {
            guard placeCount < limit else { return nil }
            index = placeCount
            if index >> Self.chunkShift == chunkCountUsed {
                // SAFETY: the table has room for every chunk up to the limit.
                unsafe chunks[chunkCountUsed] = .allocate(capacity: Self.chunkCount)
                chunkCountUsed += 1
            }
            // SAFETY: below the limit that the tables were made for.
            unsafe generations[index] = 1
            placeCount += 1
        }
        return index
    }

    /// Counts a place whose memory was initialised just now.
    @inlinable
    mutating func occupy(_ index: Int) -> SlabKey {
        // SAFETY: `takePlace` gave the place, so both tables have it.
        unsafe links[index] = Self.inUse
        count &+= 1
        return unsafe SlabKey(index: UInt32(truncatingIfNeeded: index), generation: generations[index])
    }

    /// Whether the key's entry is still there.
    @inlinable
    package func contains(_ key: SlabKey) -> Bool {
        let index = Int(key.index)
        // A removed entry's generation has moved on, and no key has the new one before `insert` hands it out: the generation
        // alone says whether the entry is there.
        guard index < placeCount else { return false }
        // SAFETY: below `placeCount`, where the table is initialised.
        return unsafe generations[index] == key.generation
    }

    /// The entry of a key that `contains` says is there.
    @inlinable
    package subscript(key: SlabKey) -> Element {
        @inline(__always)
        unsafeAddress {
            precondition(contains(key))
            // SAFETY: in use and of this generation, checked above.
            return unsafe UnsafePointer(address(Int(key.index)))
        }
        @inline(__always)
        unsafeMutableAddress {
            precondition(contains(key))
            // SAFETY: in use and of this generation, checked above.
            return unsafe address(Int(key.index))
        }
    }

    /// Where the key's entry is, nil when it is gone: for one look-up where several would stand. The address holds until the
    /// entry is removed.
    @inlinable
    @inline(__always)
    @unsafe
    package mutating func pointer(_ key: SlabKey) -> UnsafeMutablePointer<Element>? {
        guard contains(key) else { return nil }
        return unsafe address(Int(key.index))
    }

    /// What `field` reads of the key's entry, `missing` when it is gone: one look-up, and nothing of the entry is copied (the
    /// subscript in a method that does not mutate copies the whole of an entry that cannot be copied).
    @inlinable
    @inline(__always)
    package func read<Field: BitwiseCopyable>(
        _ key: SlabKey, or missing: Field, _ field: (borrowing Element) -> Field
    ) -> Field {
        guard contains(key) else { return missing }
        // SAFETY: in use and of this generation, checked above.
        return unsafe field(address(Int(key.index)).pointee)
    }

    /// Removes and returns the key's entry, nil when it is gone already.
    @discardableResult
    @inlinable
    package mutating func remove(_ key: SlabKey) -> Element? {
        guard contains(key) else { return nil }
        let index = Int(key.index)
        // SAFETY: `contains` proved the place; it is marked free before the element is moved out exactly once.
        unsafe generations[index] = generations[index] == .max ? 1 : generations[index] &+ 1
        unsafe links[index] = firstFree
        firstFree = Int32(truncatingIfNeeded: index)
        count &-= 1
        return unsafe address(index).move()
    }

    /// Removes the key's entry without handing it out: nothing is moved. False when it is gone already.
    @discardableResult
    @inlinable
    package mutating func discard(_ key: SlabKey) -> Bool {
        guard contains(key) else { return false }
        let index = Int(key.index)
        // SAFETY: `contains` proved the place; the element ends in place exactly once.
        unsafe generations[index] = generations[index] == .max ? 1 : generations[index] &+ 1
        unsafe links[index] = firstFree
        firstFree = Int32(truncatingIfNeeded: index)
        count &-= 1
        unsafe address(index).deinitialize(count: 1)
        return true
    }

    /// The key of the entry at a place, nil when the place is free: for walks over all entries.
    @inlinable
    package func key(at index: Int) -> SlabKey? {
        // SAFETY: below `placeCount`, where both tables are initialised.
        guard index >= 0, index < placeCount, unsafe links[index] == Self.inUse else { return nil }
        return unsafe SlabKey(index: UInt32(truncatingIfNeeded: index), generation: generations[index])
    }

    /// Places ever used; `key(at:)` takes indices of it.
    @inlinable
    package var indices: Range<Int> { 0..<placeCount }
}
