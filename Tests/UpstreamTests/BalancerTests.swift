import Config
import Containers
import Net
import Testing

@testable import Upstream

@Suite("The balancer")
struct BalancerTests {
    @Test("round robin takes equal endpoints one after the other")
    func equalTurns() {
        var picker = Picker(upstream([endpoint(1), endpoint(2), endpoint(3)]))
        let picks = picker.picks(9).compactMap { $0 }
        #expect(Set(picks[0..<3]) == [0, 1, 2])
        #expect(Array(picks[0..<3]) == Array(picks[3..<6]) && Array(picks[3..<6]) == Array(picks[6..<9]))
    }

    @Test("round robin spreads weights evenly: 5, 1, 1 never gives the heavy one three times and the others in a block")
    func smoothTurns() {
        for seed in 1...20 as ClosedRange<UInt64> {
            var picker = Picker(upstream([endpoint(1, weight: 5), endpoint(2), endpoint(3)]), seed: seed)
            let picks = picker.picks(70).compactMap { $0 }
            for start in stride(from: 0, to: 63, by: 7) {
                let counts = (0..<3).map { index in picks[start..<start + 7].filter { $0 == index }.count }
                #expect(counts == [5, 1, 1])
            }
        }
    }

    @Test("workers begin at different endpoints")
    func staggered() {
        let shared = upstream([endpoint(1), endpoint(2), endpoint(3), endpoint(4)])
        var first: Set<Int?> = []
        for seed in 0..<32 as Range<UInt64> {
            var picker = Picker(shared, seed: seed)
            first.insert(picker.pick())
        }
        #expect(first == [0, 1, 2, 3])
    }

    @Test("round robin shares the part of an endpoint that is set aside among all others")
    func skipping() {
        let state = upstream([endpoint(1), endpoint(2), endpoint(3)])
        setAside(state.endpoints[1], at: at(1))
        var picker = Picker(state)
        #expect(picker.histogram(100, now: at(1.5)) == [50, 0, 50])
    }

    @Test("random and power of two follow the weights", arguments: [UpstreamConfig.Balance.random, .powerOfTwo])
    func weightedDraws(balance: UpstreamConfig.Balance) {
        var picker = Picker(
            upstream([endpoint(1, weight: 3), endpoint(2, weight: 1), endpoint(3, weight: 4)], balance))
        let counts = picker.histogram(8_000)
        for (count, expected) in zip(counts, [3_000, 1_000, 4_000]) {
            // Power of two draws twice without putting back, which flattens the shares a little.
            #expect(abs(count - expected) < (balance == .random ? 250 : 900))
        }
    }

    @Test("least requests takes the one with the fewest for its weight")
    func leastRequests() {
        let state = upstream([endpoint(1, weight: 2), endpoint(2), endpoint(3)], .leastRequests)
        for (index, load) in [3, 2, 2].enumerated() {
            for _ in 0..<load { state.beginRequest(endpoint: index) }
        }
        var picker = Picker(state)
        #expect(picker.picks(3) == [0, 0, 0])
        state.endRequest(endpoint: 2)
        #expect(picker.picks(3) == [2, 2, 2])
    }

    @Test("least requests takes idle endpoints in turn, by weight")
    func leastRequestsTies() {
        var equal = Picker(upstream([endpoint(1), endpoint(2), endpoint(3)], .leastRequests))
        #expect(equal.histogram(30) == [10, 10, 10])
        var weighted = Picker(upstream([endpoint(1, weight: 2), endpoint(2)], .leastRequests))
        #expect(weighted.histogram(30) == [20, 10])
    }

    @Test("power of two leaves the busiest alone")
    func powerOfTwo() {
        let state = upstream([endpoint(1), endpoint(2), endpoint(3)], .powerOfTwo)
        for _ in 0..<10 { state.beginRequest(endpoint: 1) }
        var picker = Picker(state)
        let counts = picker.histogram(3_000)
        #expect(counts[0] > 1_000 && counts[2] > 1_000)
        #expect(counts[1] < 60, "only when all draws fell on it")
    }

    @Test("with every policy, backups are used only when no primary is usable", arguments: everyBalance)
    func backups(balance: UpstreamConfig.Balance) {
        let state = upstream([endpoint(1), endpoint(2, backup: true), endpoint(3)], balance)
        var picker = Picker(state)
        #expect(picker.histogram(50)[1] == 0)
        setAside(state.endpoints[0], at: at(1))
        #expect(picker.histogram(50) == [0, 0, 50])
        setAside(state.endpoints[2], at: at(1))
        #expect(picker.histogram(50) == [0, 50, 0])
        state.endpoints[2].noteSuccess()
        #expect(picker.histogram(50) == [0, 0, 50])
    }

    @Test("with every policy, endpoints are used anyway when all are set aside", arguments: everyBalance)
    func lastResort(balance: UpstreamConfig.Balance) {
        let state = upstream([endpoint(1), endpoint(2), endpoint(3, backup: true)], balance)
        for endpoint in state.endpoints { setAside(endpoint, at: at(1)) }
        var picker = Picker(state)
        var seen: Set<Int> = []
        for key in 0..<64 as Range<UInt64> {
            if let index = picker.pick(key: key) { seen.insert(index) }
        }
        #expect(seen == [0, 1])
        #expect(picker.pick(tried: [0]) == 1)
        #expect(picker.pick(tried: [0, 1]) == 2)
        #expect(picker.pick(tried: [0, 1, 2]) == nil)
    }

    @Test("with every policy, the only endpoint is never set aside", arguments: everyBalance)
    func onlyOne(balance: UpstreamConfig.Balance) {
        let state = upstream([endpoint(1)], balance)
        setAside(state.endpoints[0], at: at(1))
        var picker = Picker(state)
        #expect(picker.picks(5) == [0, 0, 0, 0, 0])
    }

    @Test("with every policy, what was tried is not chosen again, down to none", arguments: everyBalance)
    func tried(balance: UpstreamConfig.Balance) {
        let state = upstream((1...70).map { endpoint($0, weight: 1 + $0 % 3) }, balance)
        var picker = Picker(state)
        var tried: [Int] = []
        while let index = picker.pick(key: 99, tried: tried) {
            #expect(!tried.contains(index))
            tried.append(index)
        }
        #expect(tried.count == 70)
    }

    @Test("with every policy, a name without an address is never chosen", arguments: everyBalance)
    func unresolved(balance: UpstreamConfig.Balance) {
        let state = upstream([named("a"), endpoint(2), named("b")], balance)
        var picker = Picker(state)
        #expect(picker.histogram(30) == [0, 30, 0])
        setAside(state.endpoints[1], at: at(1))
        #expect(picker.histogram(30) == [0, 30, 0])
        #expect(picker.pick(tried: [1]) == nil)
        state.setAddresses(of: "a", [.v4(1)])
        #expect(picker.histogram(30) == [30, 0, 0])
        #expect(state.hasResolvedEndpoint)
    }

    @Test("with every policy, no endpoints give none", arguments: everyBalance)
    func none(balance: UpstreamConfig.Balance) {
        var picker = Picker(upstream([], balance))
        #expect(picker.pick() == nil)
        var onlyBackup = Picker(upstream([endpoint(1, backup: true)], balance))
        #expect(onlyBackup.pick() == 0)
    }

    @Test("with every policy, exactly one request tries an endpoint whose back-off is over", arguments: everyBalance)
    func trial(balance: UpstreamConfig.Balance) {
        let state = upstream([endpoint(1), endpoint(2)], balance)
        setAside(state.endpoints[0], at: at(1))
        var counts = [0, 0]
        for seed in 0..<8 as Range<UInt64> {
            var picker = Picker(state, seed: seed)
            for key in 0..<200 as Range<UInt64> {
                if let index = picker.pick(now: at(2.5), key: key) { counts[index] += 1 }
            }
        }
        #expect(counts == [1, 1_599])
    }

    @Test("256 endpoints, the most there may be, are all used", arguments: everyBalance)
    func most(balance: UpstreamConfig.Balance) {
        var picker = Picker(upstream((0..<256).map { endpoint($0) }, balance))
        var seen: Set<Int> = []
        for key in 0..<20_000 as Range<UInt64> {
            if let index = picker.pick(key: KeyHash.shared.hash(key)) { seen.insert(index) }
        }
        #expect(seen.count == 256)
    }
}

@Suite("Balancing by hash")
struct HashBalanceTests {
    private func owners(_ endpoints: [UpstreamConfig.Endpoint], keys: Int = 4_000) -> [String] {
        let state = upstream(endpoints, .hash([]))
        var picker = Picker(state)
        return (0..<keys).map { key in
            picker.pick(key: KeyHash.shared.hash(UInt64(key))).map { state.endpoints[$0].url } ?? ""
        }
    }

    @Test("the same key goes to the same endpoint, on every worker and for every order in the file")
    func stable() {
        let endpoints = [endpoint(1), endpoint(2, weight: 3), endpoint(3), endpoint(4)]
        #expect(owners(endpoints) == owners(endpoints.reversed()))
    }

    @Test("keys are spread by weight")
    func shares() {
        let owners = owners([endpoint(1, weight: 1), endpoint(2, weight: 2), endpoint(3, weight: 5)], keys: 8_000)
        for (number, expected) in [(1, 1_000), (2, 2_000), (3, 5_000)] {
            let count = owners.count { $0 == endpoint(number).url }
            #expect(abs(count - expected) < expected / 8 + 50)
        }
    }

    @Test("an endpoint that leaves moves only its own keys, one that comes takes only its share")
    func movement() {
        let all = (1...8).map { endpoint($0) }
        let before = owners(all)
        let after = owners(Array(all.dropLast()))
        for (old, new) in zip(before, after) where old != endpoint(8).url { #expect(old == new) }
        let moved = zip(before, after).count { $0 != $1 }
        #expect(moved > 350 && moved < 650, "an eighth of 4,000")
    }

    @Test("while an endpoint is set aside only its keys move, spread over all others, and they come back")
    func aside() {
        let state = upstream((1...6).map { endpoint($0) }, .hash([]))
        var picker = Picker(state)
        let keys = (0..<3_000).map { KeyHash.shared.hash(UInt64($0)) }
        let before = keys.map { picker.pick(key: $0) }
        setAside(state.endpoints[2], at: at(1))
        let during = keys.map { picker.pick(now: at(1.5), key: $0) }
        var heirs: [Int: Int] = [:]
        for (old, new) in zip(before, during) {
            if old == 2 { heirs[new ?? -1, default: 0] += 1 } else { #expect(old == new) }
        }
        #expect(Set(heirs.keys) == [0, 1, 3, 4, 5])
        #expect(heirs.values.allSatisfy { $0 > 50 })
        state.endpoints[2].noteSuccess()
        #expect(keys.map { picker.pick(key: $0) } == before)
    }

    @Test("a key whose endpoints are nearly all set aside finds the last one, always the same")
    func nearlyNone() {
        let state = upstream((1...200).map { endpoint($0) }, .hash([]))
        for index in 0..<198 { setAside(state.endpoints[index], at: at(1)) }
        var picker = Picker(state)
        for key in 0..<500 as Range<UInt64> {
            let first = picker.pick(now: at(1.5), key: key)
            #expect(first == 198 || first == 199)
            #expect(picker.pick(now: at(1.5), key: key) == first)
        }
    }
}
