import Containers
import Testing

/// Counts how many of its kind are alive.
final class LifeCounter {
    var alive = 0
}

/// A non-copyable element that is missed when it is dropped twice or never.
struct Token: ~Copyable {
    let value: Int
    let counter: LifeCounter

    init(_ value: Int, _ counter: LifeCounter) {
        self.value = value
        self.counter = counter
        counter.alive += 1
    }

    deinit { counter.alive -= 1 }
}

func valueOf(_ token: consuming Token?) -> Int? {
    guard let token else { return nil }
    return token.value
}

@Suite struct FixedArrayTests {
    @Test(arguments: 0..<32) func `random use agrees with an array`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        let capacity = random.below(40)
        let counter = LifeCounter()
        var model: [Int] = []
        do {
            var array = FixedArray<Token>(capacity: capacity)
            for _ in 0..<500 {
                switch random.below(8) {
                case 0..<4 where !array.isFull:
                    let value = random.below(1_000)
                    array.append(Token(value, counter))
                    model.append(value)
                case 4..<6:
                    let value = valueOf(array.popLast())
                    #expect(value == model.popLast())
                case 6 where random.below(10) == 0:
                    array.removeAll()
                    model.removeAll()
                case 7 where !model.isEmpty:
                    let index = random.below(model.count)
                    let value = random.below(1_000)
                    array[index] = Token(value, counter)
                    model[index] = value
                default: break
                }
                #expect(array.count == model.count && counter.alive == model.count)
                #expect(array.isEmpty == model.isEmpty && array.isFull == (model.count == capacity))
                for index in model.indices where array[index].value != model[index] {
                    Issue.record("seed \(seed): element \(index) differs")
                }
            }
        }
        #expect(counter.alive == 0)
    }

    @Test func `a repeated element fills the whole array`() {
        var array = FixedArray(repeating: 7, count: 5)
        #expect(array.isFull && array.count == 5)
        array[3] += 1
        #expect((0..<5).map { array[$0] } == [7, 7, 7, 8, 7])
    }

    @Test func `an array without room is empty and full`() {
        var array = FixedArray<Int>(capacity: 0)
        #expect(array.isEmpty && array.isFull)
        #expect(array.popLast() == nil)
    }
}
