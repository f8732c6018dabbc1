import Containers
import Testing

@Suite struct InstantTests {
    @Test func `moving an instant stops at the ends of the range`() {
        #expect(Instant.never.advanced(by: 1) == .never)
        #expect(Instant(nanoseconds: .min).advanced(by: -1).nanoseconds == .min)
        #expect(Instant(nanoseconds: 40).advanced(by: 2).nanoseconds == 42)
    }

    @Test func `a difference keeps its sign when it does not fit`() {
        #expect(Instant(nanoseconds: 5).since(Instant(nanoseconds: 7)) == -2)
        #expect(Instant(nanoseconds: -5).since(.never) == .min)
        #expect(Instant.never.since(Instant(nanoseconds: -5)) == .max)
    }
}
