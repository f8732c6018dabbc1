package import Containers

/// One worker's ways to all access logs, by the numbers that `AccessLog` gives out.
package struct LogLanes: ~Copyable {
    private let log: AccessLog?
    private var lanes: [LogLane] = []
    /// When `endTurn` has something to do; the worker need not wait longer. `.never` while nothing waits.
    package private(set) var deadline = Instant.never

    /// Without a log, lines go nowhere.
    package init(_ log: AccessLog? = nil) {
        self.log = log
    }

    /// Writes the line of an exchange to access log `number`; nothing for a negative one.
    package mutating func append(
        _ number: Int, _ record: borrowing ExchangeRecord, _ texts: borrowing ExchangeTexts, now: Instant
    ) {
        guard isOpen(number) else { return }
        lanes[number].append(record, texts, now: now)
        deadline = min(deadline, lanes[number].deadline)
    }

    /// Whether access log `number` reads the response's head.
    package mutating func needsResponseFields(_ number: Int) -> Bool {
        isOpen(number) && lanes[number].format.needsResponseFields
    }

    /// Hands over lines that have waited long enough. To be called once a turn: one comparison while nothing is due.
    package mutating func endTurn(now: Instant) {
        guard deadline <= now else { return }
        deadline = .never
        for index in 0..<lanes.count {
            lanes[index].endTurn(now: now)
            deadline = min(deadline, lanes[index].deadline)
        }
    }

    /// Hands over all lines: before the worker ends.
    package mutating func flush() {
        for index in 0..<lanes.count { lanes[index].flush() }
        deadline = .never
    }

    private mutating func isOpen(_ number: Int) -> Bool {
        if number >= 0 && number < lanes.count { return true }
        guard number >= 0, let log else { return false }
        while lanes.count <= number, let lane = log.lane(lanes.count) { lanes.append(lane) }
        return number < lanes.count
    }
}
