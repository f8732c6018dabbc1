public import Containers
import Linux

/// The time of day, told from the monotonic clock: their distance is read now and then instead of the second clock at every
/// wait. It changes only when somebody sets the clock, and a setting shows after `interval` at the latest.
@usableFromInline
struct WallClock {
    static var interval: Int64 { 100_000_000 }
    /// Nanoseconds that reading both clocks takes at most when nothing interrupts it.
    private static var longestReading: Int64 { 20_000 }

    /// Nanoseconds from the monotonic clock's zero to 1970, negated.
    @usableFromInline var distance: Int64
    private var nextLook: Instant

    init(now: Instant) {
        distance = Self.measure()
        nextLook = now.advanced(by: Self.interval)
    }

    /// Looks at the clock again when it is time to.
    @inline(__always)
    mutating func keepUp(with now: Instant) {
        if now >= nextLook { self = WallClock(now: now) }
    }

    /// Two clocks cannot be read at once. A thread that lost its CPU in between reads them again.
    @inline(never)
    private static func measure() -> Int64 {
        var distance: Int64 = 0
        var shortest = Int64.max
        for _ in 0..<4 where shortest > longestReading {
            let before = Clock.monotonic.nanoseconds
            let (seconds, nanoseconds) = Clock.wall
            let reading = Clock.monotonic.nanoseconds &- before
            if reading >= shortest { continue }
            shortest = reading
            distance = seconds &* 1_000_000_000 &+ nanoseconds &- before &- reading / 2
        }
        return distance
    }

    @inlinable
    func seconds(at now: Instant) -> Int64 {
        Int64(nanosecondsSince1970(at: now) / 1_000_000_000)
    }

    @inlinable
    func nanoseconds(at now: Instant) -> Int64 {
        Int64(nanosecondsSince1970(at: now) % 1_000_000_000)
    }

    /// 0 where the clock is set to a time before 1970.
    @inlinable
    func nanosecondsSince1970(at now: Instant) -> UInt64 {
        UInt64(max(0, distance &+ now.nanoseconds))
    }
}
