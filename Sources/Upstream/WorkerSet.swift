private import Synchronization

/// A set of workers that all workers may change at once, without a lock.
package struct WorkerSet: ~Copyable, Sendable {
    /// Workers that a gateway may have.
    package static let capacity = 256

    private let words: InlineArray<4, Atomic<UInt64>>
    /// Where the last search ended, so that the next one begins behind it and nobody starves.
    private let last = Atomic<Int>(0)

    package init() {
        words = InlineArray { _ in Atomic(0) }
    }

    package var isEmpty: Bool {
        for word in 0..<words.count where words[word].load(ordering: .sequentiallyConsistent) != 0 { return false }
        return true
    }

    /// Puts a worker into the set. An index that no worker has is ignored.
    package func insert(_ worker: Int) {
        guard worker >= 0 && worker < Self.capacity else { return }
        words[worker >> 6].bitwiseOr(1 << UInt64(worker & 63), ordering: .sequentiallyConsistent)
    }

    package func remove(_ worker: Int) {
        guard worker >= 0 && worker < Self.capacity else { return }
        words[worker >> 6].bitwiseAnd(~(1 << UInt64(worker & 63)), ordering: .sequentiallyConsistent)
    }

    /// Whether it has a member other than `excluded`.
    package func hasMember(besides excluded: Int) -> Bool {
        for word in 0..<words.count {
            var bits = words[word].load(ordering: .sequentiallyConsistent)
            if excluded >= 0 && excluded >> 6 == word { bits &= ~(1 << UInt64(excluded & 63)) }
            if bits != 0 { return true }
        }
        return false
    }

    package func contains(_ worker: Int) -> Bool {
        guard worker >= 0 && worker < Self.capacity else { return false }
        return words[worker >> 6].load(ordering: .sequentiallyConsistent) >> UInt64(worker & 63) & 1 != 0
    }

    /// Takes a worker other than `excluded` out of the set: each in its turn.
    package func take(except excluded: Int = -1) -> Int? {
        let start = (last.load(ordering: .relaxed) + 1) & (Self.capacity - 1)
        // The word in which the search begins is looked at twice: first its upper, last its lower bits.
        for step in 0...words.count {
            let word = (start >> 6 + step) % words.count
            var mask = UInt64.max
            if step == 0 { mask <<= UInt64(start & 63) }
            if step == words.count { mask = ~(UInt64.max << UInt64(start & 63)) }
            if excluded >= 0 && excluded >> 6 == word { mask &= ~(1 << UInt64(excluded & 63)) }
            if let worker = take(word: word, mask: mask) {
                last.store(worker, ordering: .relaxed)
                return worker
            }
        }
        return nil
    }

    private func take(word: Int, mask: UInt64) -> Int? {
        while true {
            let bits = words[word].load(ordering: .sequentiallyConsistent) & mask
            if bits == 0 { return nil }
            let bit = bits & (~bits &+ 1)
            let change = words[word].bitwiseAnd(~bit, ordering: .sequentiallyConsistent)
            if change.oldValue & bit != 0 { return word << 6 | bit.trailingZeroBitCount }
        }
    }
}
