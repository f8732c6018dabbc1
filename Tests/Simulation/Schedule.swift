import Containers

/// What is to happen at a time, in order; what is due at the same time keeps the order in which it was added.
struct Schedule {
    private struct Entry {
        let time: Instant
        let order: Int
        let action: () -> Void

        func isBefore(_ other: Entry) -> Bool { time != other.time ? time < other.time : order < other.order }
    }

    /// A binary heap, the earliest first.
    private var heap: [Entry] = []
    private var added = 0

    var isEmpty: Bool { heap.isEmpty }
    var earliest: Instant { heap.first?.time ?? .never }

    mutating func add(at time: Instant, _ action: @escaping () -> Void) {
        added += 1
        heap.append(Entry(time: time, order: added, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the earliest action when it is due.
    mutating func popDue(_ now: Instant) -> (() -> Void)? {
        guard let first = heap.first, first.time <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            if least == parent { return first.action }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    mutating func removeAll() { heap.removeAll() }
}
