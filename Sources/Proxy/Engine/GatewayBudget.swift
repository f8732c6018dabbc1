import Synchronization

/// What all listeners and workers may use together, and how much of it is used.
package final class GatewayBudget: Sendable {
    /// How short memory is.
    enum Level: UInt8, Comparable {
        case free
        /// From half of the budget on: who holds more than a fair share gets nothing new.
        case tight
        /// From three quarters on: only who holds nearly nothing does, and accepting slows down.
        case full
        /// Half as much again as the budget: nobody does. (What runs goes on and may grow, each exchange within its bounds.)
        case over

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    private let connections: Atomic<Int>
    private let memory: Atomic<Int>
    private let held = Atomic<Int>(0)
    private let current = Atomic<UInt8>(0)

    package init(connections: Int = .max, memory: Int = .max) {
        self.connections = Atomic(connections)
        self.memory = Atomic(memory)
    }

    /// Another configuration is in force.
    package func change(connections: Int, memory: Int) {
        self.connections.store(connections, ordering: .relaxed)
        self.memory.store(memory, ordering: .relaxed)
        add(0)
    }

    /// A worker holds so many bytes more, or fewer.
    func add(_ bytes: Int) {
        let (_, now) = held.wrappingAdd(bytes, ordering: .relaxed)
        current.store(level(of: now).rawValue, ordering: .relaxed)
    }

    private func level(of bytes: Int) -> Level {
        let limit = memoryLimit
        if bytes < limit / 2 { return .free }
        if bytes < limit / 4 * 3 { return .tight }
        return bytes < limit || bytes - limit < limit / 2 ? .full : .over
    }

    var level: Level { Level(rawValue: levelNumber) ?? .free }
    /// Asked for in each turn.
    @inline(__always) var levelNumber: UInt8 { current.load(ordering: .relaxed) }
    var memoryLimit: Int { memory.load(ordering: .relaxed) }
    var connectionsLimit: Int { connections.load(ordering: .relaxed) }
    /// Bytes that are left until memory is tight, for large buffers.
    var roomForBulk: Int { max(0, memoryLimit / 2 - heldBytes) }
    /// Bytes that the workers hold.
    package var heldBytes: Int { held.load(ordering: .relaxed) }

    /// From nine tenths of a limit on, idle connections make room for new ones.
    static func isPressed(_ open: Int, limit: Int) -> Bool { open >= limit - limit / 10 }
}
