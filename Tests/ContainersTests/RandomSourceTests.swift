import Containers
import Testing

@Suite struct RandomSourceTests {
    @Test func `the same seed gives the same numbers and another seed others`() {
        var (first, second, other) = (RandomSource(seed: 1), RandomSource(seed: 1), RandomSource(seed: 2))
        let numbers = (0..<100).map { _ in first.next() }
        #expect(numbers == (0..<100).map { _ in second.next() })
        #expect(numbers != (0..<100).map { _ in other.next() })
        #expect(Set(numbers).count == 100)
    }

    @Test(arguments: [1, 2, 3, 10, 97, 1_000]) func `numbers below a bound are spread evenly`(bound: Int) {
        var random = RandomSource(seed: UInt64(bound))
        var counts = [Int](repeating: 0, count: bound)
        let expected = 1_000
        for _ in 0..<(expected * bound) { counts[random.below(bound)] += 1 }
        // Chi-squared has mean `bound - 1` and variance twice that: six deviations.
        let square = counts.reduce(0.0) { $0 + Double(($1 - expected) * ($1 - expected)) / Double(expected) }
        let freedom = Double(bound - 1)
        #expect(abs(square - freedom) <= 6 * (2 * freedom).squareRoot() + 1)
    }

    @Test func `seeds that differ in one bit give unrelated numbers`() {
        for bit in 0..<64 {
            var (first, second) = (RandomSource(seed: 99), RandomSource(seed: 99 ^ 1 << UInt64(bit)))
            let different = (0..<64).reduce(0) { sum, _ in sum + (first.next() ^ second.next()).nonzeroBitCount }
            // 4,096 bits of which half differ: 2,048 ± 32 a deviation.
            #expect(abs(different - 2_048) < 250)
        }
    }
}
