private import Config
package import Containers
private import Synchronization

/// Chooses the endpoint for a request: one value per worker and upstream, so that turns need no sharing.
///
/// Order of preference: primaries that are usable, backups that are usable, primaries that are set aside, backups that
/// are set aside. So the last usable endpoint is never set aside, and when all fail all are tried.
package struct Balancer: ~Copyable, Sendable {
    /// Random choices before a scan over all endpoints: only needed while many of them are not usable.
    private static let drawsLimit = 4
    /// Slots that a key may go to while its own endpoint is not usable, before a scan.
    private static let probesLimit: UInt64 = 16

    private enum Kind { case roundRobin, leastRequests, powerOfTwo, random, hash }

    private let kind: Kind
    /// Where the next turn begins, when weights are equal.
    private var cursor: Int
    /// Standing of each endpoint in the smooth weighted turns, when they are not.
    private var standings: [Int]
    /// Sums of the primaries' weights up to each endpoint, for draws by weight.
    private let sums: [Int]

    /// A balancer for the endpoints of `upstream` as they are configured. `random` makes the workers begin at different
    /// ones.
    package init(_ upstream: UpstreamState, random: inout RandomSource) {
        kind =
            switch upstream.config.balance {
            case .roundRobin: .roundRobin
            case .leastRequests: .leastRequests
            case .powerOfTwo: .powerOfTwo
            case .random: .random
            case .hash: .hash
            }
        let count = upstream.endpoints.count
        cursor = count > 0 ? random.below(count) : 0
        standings = Array(repeating: 0, count: count)
        var sum = 0
        var sums: [Int] = []
        for index in 0..<count {
            if !upstream.backups.contains(index) { sum += upstream.weights[index] }
            sums.append(sum)
        }
        self.sums = sums
        guard count > 0, !upstream.hasEqualWeights else { return }
        let primaries = Self.all(upstream, backups: false, EndpointSet())
        for _ in 0..<random.below(count) { _ = turn(upstream, primaries) }
    }

    /// Index of the endpoint for the next request; nil when none is left that has an address and is not in `tried`.
    ///
    /// `key` only matters for `hash`. The endpoint's trial, if it is due, is the caller's from here on: it reports with
    /// `noteSuccess` or `noteConnectFailure`.
    package mutating func pick(
        _ upstream: UpstreamState, now: Instant, random: inout RandomSource, key: UInt64, tried: TriedEndpoints
    ) -> Int? {
        nextFree(upstream, tried) ?? pickAmong(upstream, now: now, random: &random, key: key, tried: tried)
    }

    /// The turn of an endpoint with which all is well: one load of what the workers share.
    @inline(__always)
    private mutating func nextFree(_ upstream: UpstreamState, _ tried: TriedEndpoints) -> Int? {
        guard kind == .roundRobin, upstream.hasEqualWeights else { return nil }
        let index = cursor < upstream.endpoints.count ? cursor : 0
        guard index < upstream.endpoints.count, !upstream.backups.contains(index), !tried.contains(index),
            upstream.endpoints[index].isFree
        else { return nil }
        cursor = index &+ 1
        return index
    }

    @inline(never)
    private mutating func pickAmong(
        _ upstream: UpstreamState, now: Instant, random: inout RandomSource, key: UInt64, tried: TriedEndpoints
    ) -> Int? {
        var excluded = tried
        while let index = choose(upstream, now: now, random: &random, key: key, excluded) {
            if upstream.endpoints[index].isFree || upstream.endpoints[index].claim(now: now) { return index }
            // Another worker has just begun its trial.
            excluded.insert(index)
        }
        excluded = Self.union(Self.unresolved(upstream), tried)
        return chooseAside(upstream, random: &random, key: key, excluded)
    }

    /// A usable endpoint, primaries before backups.
    private mutating func choose(
        _ upstream: UpstreamState, now: Instant, random: inout RandomSource, key: UInt64, _ excluded: EndpointSet
    ) -> Int? {
        if let index = chooseQuickly(upstream, now: now, random: &random, key: key, excluded) { return index }
        let primaries = Self.usable(upstream, now: now, backups: false, excluded)
        if !primaries.isEmpty { return choose(upstream, primaries, random: &random, key: key) }
        let backups = Self.usable(upstream, now: now, backups: true, excluded)
        if !backups.isEmpty { return choose(upstream, backups, random: &random, key: key) }
        return nil
    }

    /// The way of nearly every request: looks at one or two endpoints instead of all. Nil says nothing but that it
    /// failed.
    @inline(__always)
    private mutating func chooseQuickly(
        _ upstream: UpstreamState, now: Instant, random: inout RandomSource, key: UInt64, _ excluded: EndpointSet
    ) -> Int? {
        switch kind {
        case .roundRobin:
            guard upstream.hasEqualWeights else { return nil }
            return nextInTurn(upstream, now: now, excluded)
        case .random:
            return drawUsable(upstream, now: now, random: &random, excluded)
        case .powerOfTwo:
            guard let first = drawUsable(upstream, now: now, random: &random, excluded) else { return nil }
            var others = excluded
            others.insert(first)
            guard let second = drawUsable(upstream, now: now, random: &random, others) else { return first }
            return Self.isLessBusy(upstream, second, than: first) ? second : first
        case .hash:
            for attempt in 0..<Self.probesLimit {
                guard let index = upstream.table?.endpoint(key: key, attempt: attempt) else { return nil }
                if Self.isUsable(upstream, index, now: now, excluded) { return index }
            }
            return nil
        case .leastRequests:
            return nil
        }
    }

    private mutating func nextInTurn(_ upstream: UpstreamState, now: Instant, _ excluded: EndpointSet) -> Int? {
        let count = upstream.endpoints.count
        var index = cursor
        for _ in 0..<count {
            if index >= count { index = 0 }
            if !upstream.backups.contains(index) && Self.isUsable(upstream, index, now: now, excluded) {
                cursor = index &+ 1
                return index
            }
            index &+= 1
        }
        return nil
    }

    private func drawUsable(
        _ upstream: UpstreamState, now: Instant, random: inout RandomSource, _ excluded: EndpointSet
    ) -> Int? {
        guard let total = sums.last, total > 0 else { return nil }
        for _ in 0..<Self.drawsLimit {
            let index = draw(random.below(total))
            if Self.isUsable(upstream, index, now: now, excluded) { return index }
        }
        return nil
    }

    /// The primary in whose share of the weights `point` lies: the first whose sum is larger.
    private func draw(_ point: Int) -> Int {
        var low = 0
        var high = sums.count &- 1
        while low < high {
            let middle = (low &+ high) >> 1
            if sums[middle] > point { high = middle } else { low = middle &+ 1 }
        }
        return low
    }

    /// One of the set aside, because there is no other.
    @inline(never)
    private mutating func chooseAside(
        _ upstream: UpstreamState, random: inout RandomSource, key: UInt64, _ excluded: EndpointSet
    ) -> Int? {
        let primaries = Self.all(upstream, backups: false, excluded)
        if !primaries.isEmpty { return choose(upstream, primaries, random: &random, key: key) }
        let backups = Self.all(upstream, backups: true, excluded)
        if !backups.isEmpty { return choose(upstream, backups, random: &random, key: key) }
        return nil
    }

    /// One of `candidates`, of which there is at least one.
    @inline(never)
    private mutating func choose(
        _ upstream: UpstreamState, _ candidates: EndpointSet, random: inout RandomSource, key: UInt64
    ) -> Int? {
        switch kind {
        case .roundRobin: return turn(upstream, candidates)
        case .leastRequests: return turn(upstream, Self.leastBusy(upstream, candidates))
        case .random: return drawByWeight(upstream, candidates, random: &random)
        case .powerOfTwo:
            guard let first = drawByWeight(upstream, candidates, random: &random),
                let second = drawByWeight(upstream, candidates, random: &random)
            else { return nil }
            return Self.isLessBusy(upstream, second, than: first) ? second : first
        case .hash: return bestScore(candidates, key: key)
        }
    }

    /// Turns by weight, spread evenly (A A B A rather than A A A B): each candidate gains its weight, the highest
    /// standing wins and pays the sum.
    private mutating func turn(_ upstream: UpstreamState, _ candidates: EndpointSet) -> Int? {
        if upstream.hasEqualWeights {
            let index = candidates.first(from: cursor) ?? candidates.first(from: 0)
            if let index { cursor = index &+ 1 }
            return index
        }
        var total = 0
        var best: Int?
        var next = candidates.first(from: 0)
        while let index = next {
            let weight = upstream.weights[index]
            total &+= weight
            standings[index] &+= weight
            if best.map({ standings[index] > standings[$0] }) ?? true { best = index }
            next = candidates.first(from: index &+ 1)
        }
        if let best { standings[best] &-= total }
        return best
    }

    private func drawByWeight(
        _ upstream: UpstreamState, _ candidates: EndpointSet, random: inout RandomSource
    ) -> Int? {
        var total = 0
        var next = candidates.first(from: 0)
        while let index = next {
            total &+= upstream.weights[index]
            next = candidates.first(from: index &+ 1)
        }
        guard total > 0 else { return nil }
        var point = random.below(total)
        next = candidates.first(from: 0)
        while let index = next {
            point &-= upstream.weights[index]
            if point < 0 { return index }
            next = candidates.first(from: index &+ 1)
        }
        return nil
    }

    /// Where a key goes when its own endpoints are not usable: to the candidate that scores best for it.
    private func bestScore(_ candidates: EndpointSet, key: UInt64) -> Int? {
        var best: (index: Int, score: UInt64)?
        var next = candidates.first(from: 0)
        while let index = next {
            let score = RendezvousTable.mix(key, UInt64(truncatingIfNeeded: index))
            if best.map({ score > $0.score }) ?? true { best = (index, score) }
            next = candidates.first(from: index &+ 1)
        }
        return best?.index
    }
}

extension Balancer {
    @inline(__always)
    private static func isUsable(
        _ upstream: UpstreamState, _ index: Int, now: Instant, _ excluded: EndpointSet
    ) -> Bool {
        !excluded.contains(index) && upstream.endpoints[index].isUsable(now: now)
    }

    private static func usable(
        _ upstream: UpstreamState, now: Instant, backups: Bool, _ excluded: EndpointSet
    ) -> EndpointSet {
        var set = EndpointSet()
        for index in 0..<upstream.endpoints.count
        where upstream.backups.contains(index) == backups && isUsable(upstream, index, now: now, excluded) {
            set.insert(index)
        }
        return set
    }

    private static func all(_ upstream: UpstreamState, backups: Bool, _ excluded: EndpointSet) -> EndpointSet {
        var set = EndpointSet()
        for index in 0..<upstream.endpoints.count
        where upstream.backups.contains(index) == backups && !excluded.contains(index) {
            set.insert(index)
        }
        return set
    }

    private static func unresolved(_ upstream: UpstreamState) -> EndpointSet {
        var set = EndpointSet()
        for index in 0..<upstream.endpoints.count where !upstream.endpoints[index].isResolved { set.insert(index) }
        return set
    }

    private static func union(_ left: EndpointSet, _ right: EndpointSet) -> EndpointSet {
        var set = left
        var next = right.first(from: 0)
        while let index = next {
            set.insert(index)
            next = right.first(from: index &+ 1)
        }
        return set
    }

    /// Whether `left` has fewer requests in flight for its weight than `right`.
    private static func isLessBusy(_ upstream: UpstreamState, _ left: Int, than right: Int) -> Bool {
        load(upstream, left) &* upstream.weights[right] < load(upstream, right) &* upstream.weights[left]
    }

    /// Requests in flight, bounded so that a product with a weight cannot overflow.
    @inline(__always)
    private static func load(_ upstream: UpstreamState, _ index: Int) -> Int {
        min(max(0, upstream.endpoints[index].inFlight.load(ordering: .relaxed)), 1 << 40)
    }

    /// The candidates with the fewest requests in flight for their weight.
    private static func leastBusy(_ upstream: UpstreamState, _ candidates: EndpointSet) -> EndpointSet {
        var least = EndpointSet()
        var bestLoad = 0
        var bestWeight = 1
        var next = candidates.first(from: 0)
        while let index = next {
            let load = load(upstream, index)
            let weight = upstream.weights[index]
            let left = load &* bestWeight
            let right = bestLoad &* weight
            if least.isEmpty || left < right {
                least.removeAll()
                bestLoad = load
                bestWeight = weight
                least.insert(index)
            } else if left == right {
                least.insert(index)
            }
            next = candidates.first(from: index &+ 1)
        }
        return least
    }
}
