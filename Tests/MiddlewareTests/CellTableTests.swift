import Containers
import Testing

@testable import Middleware

@Suite struct CellTableTests {
    private static let rate = CellRate(count: 10, period: 1_000_000_000, burst: 10)

    private func isAdmitted(_ decision: CellRate.Decision) -> Bool {
        if case .admit = decision { true } else { false }
    }

    private func key(_ number: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    @Test func `Keys are limited as a dictionary of debts would limit them`() {
        let table = CellTable(maxKeys: 5000, hasher: SipHash(3, 4))
        var model: [Int: Int64] = [:]
        var random = RandomSource(seed: 9)
        var now: Int64 = 1_000_000_000
        var refused = 0
        var mismatches = 0
        for _ in 0..<60_000 {
            now += Int64(random.below(100_000))
            let number = random.below(random.below(2) == 0 ? 20 : 2000)
            let decision = table.take(key(number).span, rate: Self.rate, now: now)
            if decision != Self.rate.decide(paidAt: model[number] ?? 0, now: now) { mismatches += 1 }
            if case .admit(let paidAt, _, _) = decision { model[number] = paidAt } else { refused += 1 }
        }
        #expect(mismatches == 0)
        #expect(refused > 1000)
        #expect(table.forgiven == 0)
    }

    @Test func `Workers together admit exactly the burst`() async {
        for round in 0..<20 {
            let table = CellTable(maxKeys: 1000)
            let keys = (0..<7).map { key($0 + round * 100) }
            let admitted = await withTaskGroup(of: [Int].self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        var admitted = [Int](repeating: 0, count: keys.count)
                        for turn in 0..<400 {
                            let index = (turn + worker) % keys.count
                            let key = keys[index]
                            if isAdmitted(table.take(key.span, rate: Self.rate, now: 1_000_000_000)) {
                                admitted[index] += 1
                            }
                        }
                        return admitted
                    }
                }
                return await group.reduce(into: [Int](repeating: 0, count: keys.count)) { sums, part in
                    for index in 0..<sums.count { sums[index] += part[index] }
                }
            }
            #expect(admitted == [Int](repeating: 10, count: keys.count))
        }
    }

    @Test func `Slots of paid debts are used again, so that memory stays`() {
        let table = CellTable(maxKeys: 1_000_000, hasher: SipHash(5, 6))
        var now: Int64 = 1_000_000_000
        var refused = 0
        for number in 0..<200_000 {
            now += 1_000_000
            if !isAdmitted(table.take(key(number).span, rate: Self.rate, now: now)) { refused += 1 }
        }
        #expect(refused == 0)
        // A debt of one request lasts 100 ms: about 100 keys at a time.
        #expect(table.slotCount <= CellTable.shardCount * 32)
        #expect(table.forgiven == 0)
    }

    @Test func `A full table stays within its bound, counts what it forgets and holds on to heavy users`() {
        let table = CellTable(maxKeys: 1000, hasher: SipHash(7, 8))
        let heavy = key(-1)
        for _ in 0..<10 { #expect(isAdmitted(table.take(heavy.span, rate: Self.rate, now: 1_000_000_000))) }
        var refused = 0
        for number in 0..<20_000
        where !isAdmitted(table.take(key(number).span, rate: Self.rate, now: 1_000_000_000)) { refused += 1 }
        #expect(refused == 0)
        #expect(table.slotCount <= 64 * 32)
        #expect(table.forgiven > 10_000)
        #expect(!isAdmitted(table.take(heavy.span, rate: Self.rate, now: 1_000_000_000)))
    }

    @Test func `An empty table holds no memory, and a larger limit lets it grow`() {
        let table = CellTable(maxKeys: 1)
        #expect(table.slotCount == 0)
        for number in 0..<5000 { _ = table.take(key(number).span, rate: Self.rate, now: 1_000_000_000) }
        #expect(table.slotCount == 64 * 16)
        table.setMaxKeys(10_000)
        for number in 0..<5000 { _ = table.take(key(number).span, rate: Self.rate, now: 1_000_000_000) }
        #expect(table.slotCount > 64 * 16)
    }
}
