import Containers
import Testing

@Suite struct SlabTests {
    @Test(arguments: 0..<32) func `random use agrees with a dictionary`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        let limit = 1 + random.below(200)
        let counter = LifeCounter()
        var model: [SlabKey: Int] = [:]
        var removed: [SlabKey] = []
        do {
            var slab = Slab<Token>(limit: limit)
            for _ in 0..<2_000 {
                switch random.below(7) {
                case 0..<4:
                    let value = random.below(1_000)
                    let key = slab.insert(Token(value, counter))
                    #expect((key == nil) == (model.count == limit))
                    guard let key else { break }
                    #expect(model.updateValue(value, forKey: key) == nil)
                    #expect(key != .none && SlabKey(rawValue: key.rawValue) == key)
                case 4, 5:
                    guard let key = pick(model, &random) else { break }
                    let value = valueOf(slab.remove(key))
                    #expect(value == model.removeValue(forKey: key))
                    removed.append(key)
                default:
                    guard !removed.isEmpty else { break }
                    let key = removed[random.below(removed.count)]
                    let contains = slab.contains(key)
                    let isGone = valueOf(slab.remove(key)) == nil
                    #expect(!contains && isGone)
                }
                #expect(slab.count == model.count && counter.alive == model.count)
            }
            for (key, value) in model where slab[key].value != value { Issue.record("seed \(seed): another value") }
            let walked = slab.indices.compactMap { slab.key(at: $0) }
            #expect(Set(walked) == Set(model.keys) && walked.count == model.count)
            #expect(slab.indices.count <= limit)
        }
        #expect(counter.alive == 0)
    }

    /// Dictionaries have no fixed order between runs; a seed must replay.
    private func pick(_ model: [SlabKey: Int], _ random: inout RandomSource) -> SlabKey? {
        if model.isEmpty { return nil }
        return model.keys.sorted { $0.rawValue < $1.rawValue }[random.below(model.count)]
    }

    @Test func `a place that is used again has another generation`() {
        var slab = Slab<Int>(limit: 1)
        var seen = Set<SlabKey>()
        for round in 0..<1_000 {
            guard let key = slab.insert(round) else {
                Issue.record("the only place is not free")
                return
            }
            #expect(key.index == 0 && seen.insert(key).inserted)
            let removed = slab.remove(key)
            #expect(removed == round)
        }
    }

    @Test func `freed places are used last in, first out`() throws {
        var slab = Slab<Int>(limit: 10)
        let keys = (0..<5).compactMap { slab.insert($0) }
        try #require(keys.count == 5)
        slab.remove(keys[1])
        slab.remove(keys[3])
        let indices = (10...12).map { slab.insert($0)?.index }
        #expect(indices == [keys[3].index, keys[1].index, 5])
    }

    @Test func `unknown keys are not contained`() {
        var slab = Slab<Int>(limit: 3)
        for key in [SlabKey.none, SlabKey(index: 0, generation: 1), SlabKey(index: .max, generation: .max)] {
            let contained = slab.contains(key)
            #expect(!contained)
            let removed = slab.remove(key)
            #expect(removed == nil)
        }
        let keys = [slab.key(at: 0), slab.key(at: -1)]
        #expect(keys == [nil, nil])
    }

    @Test func `an entry does not move when the slab grows`() {
        var slab = Slab<Int>(limit: 10_000)
        guard let first = slab.insert(42) else {
            Issue.record("the slab is full")
            return
        }
        let before = address(&slab[first])
        for value in 0..<9_999 { _ = slab.insert(value) }
        let refused = slab.insert(0) == nil
        let (after, value) = (address(&slab[first]), slab[first])
        #expect(refused && after == before && value == 42)
    }

    private func address(_ value: inout Int) -> UInt {
        unsafe withUnsafePointer(to: &value) { UInt(bitPattern: $0) }
    }
}
