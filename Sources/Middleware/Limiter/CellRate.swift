/// The generic cell rate algorithm (ITU-T I.371): a rate and a burst held with one number per key, the time at which
/// the key's debt is paid.
struct CellRate: Sendable, Equatable {
    /// Nanoseconds of debt that one request makes; at least 1.
    let interval: Int64
    /// Most debt that a key may have.
    let tolerance: Int64

    /// `count` requests in `period` nanoseconds, `burst` of them at once.
    init(count: Int, period: Int64, burst: Int) {
        interval = max(1, max(period, 1) / Int64(max(count, 1)))
        let (product, overflow) = interval.multipliedReportingOverflow(by: Int64(max(burst, 1)))
        tolerance = overflow ? Self.longest : min(product, Self.longest)
    }

    /// Bounds every sum below: half of what is left above any monotonic clock.
    private static let longest = Int64.max / 4

    enum Decision: Sendable, Equatable {
        /// `paidAt`: the new time. `remaining`: requests that may come now. `reset`: nanoseconds until all of them may.
        case admit(paidAt: Int64, remaining: Int64, reset: Int64)
        /// Nothing is counted. `wait`: nanoseconds until one request may come.
        case refuse(wait: Int64)
    }

    /// What to do with a request at `now` of a key whose debt is paid at `paidAt` (in the past: no debt).
    @inline(__always)
    func decide(paidAt: Int64, now: Int64) -> Decision {
        let start = max(paidAt, now)
        let (next, overflow) = start.addingReportingOverflow(interval)
        let (debt, isFar) = next.subtractingReportingOverflow(now)
        guard !overflow, !isFar, debt <= tolerance else {
            return .refuse(wait: overflow || isFar ? Self.longest : debt - tolerance)
        }
        return .admit(paidAt: next, remaining: (tolerance - debt) / interval, reset: debt)
    }
}
