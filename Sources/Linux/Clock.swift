public import CLinux
public import Containers

/// The machine's clocks. Only drivers and the daemon read them; everything else is told the time.
@usableFromInline
package enum Clock {
    @inlinable
    package static var monotonic: Instant {
        Instant(nanoseconds: cl_monotonic_ns())
    }

    /// Seconds since 1970 and nanoseconds behind them.
    package static var wall: (seconds: Int64, nanoseconds: Int64) {
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        // SAFETY: the call writes two integers that live here.
        unsafe cl_wall_clock(&seconds, &nanoseconds)
        return (seconds, nanoseconds)
    }

    /// A number nobody can guess, for seeds and keys.
    package static func randomSeed() -> UInt64 {
        var seed: UInt64 = 0
        // SAFETY: the call writes eight bytes into an integer that lives here.
        let written = unsafe cl_random(&seed, 8)
        return written == 8 ? seed : UInt64(bitPattern: cl_monotonic_ns())
    }
}
