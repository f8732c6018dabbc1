import Containers
import Testing

@Suite struct RingQueueTests {
    @Test(arguments: 0..<16) func `random use agrees with an array`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        var queue = RingQueue<Int>(capacity: random.below(40))
        var model: [Int] = []
        for round in 0..<2_000 {
            switch random.below(5) {
            case 0, 1:
                queue.append(round)
                model.append(round)
            case 2:
                queue.prepend(round)
                model.insert(round, at: 0)
            default:
                let element = queue.popFirst()
                #expect(element == (model.isEmpty ? nil : model.removeFirst()))
            }
            let (first, count, isEmpty) = (queue.first, queue.count, queue.isEmpty)
            guard first == model.first, count == model.count, isEmpty == model.isEmpty else {
                Issue.record("seed \(seed): queue and array differ")
                return
            }
        }
    }
}
