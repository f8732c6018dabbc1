import Containers
import Linux

/// What the service manager that started us is told (sd_notify(3)), and what it keeps for us while we are not there.
///
///     starting ──ready──▶ READY=1                 SIGHUP ──▶ RELOADING=1 ──published, or refused──▶ READY=1
///     a stop ──▶ STOPPING=1, EXTEND_TIMEOUT_USEC   all workers turn ──▶ WATCHDOG=1     session keys ──▶ FDSTORE=1
///
/// Without one (`NOTIFY_SOCKET` is not set) nothing is said.
struct ServiceManager {
    /// Under this name the keys of TLS sessions come back after a restart of the service.
    static let sessionKeysName = "martlet-session-keys"
    /// Nanoseconds beyond the time for draining until the manager may end us.
    private static let stopReserve: Int64 = 10_000_000_000
    /// A worker turns once a second at least; so many nanoseconds without a turn are no accident.
    private static let stillLimit: Int64 = 2_000_000_000

    /// Path of its socket; nil: there is none.
    private let address: String?
    /// Nanoseconds from one sign of life to the next: half of what the manager waits. Nil: it wants none.
    private let watchdogPause: Int64?
    private var watchdogAt: Instant?
    /// Turns of the workers at the last look, when that was, and since when a worker stands still.
    private var counts: [UInt64] = []
    private var lastLook = Instant(nanoseconds: 0)
    private var stillSince: Instant?
    private var isReloading = false
    private var generation: UInt64 = 0
    /// Gets what could not be said.
    private let report: (Errno) -> Void

    /// - Parameters:
    ///   - variables: the process's environment.
    ///   - processID: whom the watchdog has to mean.
    init(_ variables: [String: String], processID: Int32, report: @escaping (Errno) -> Void) {
        self.report = report
        let path = variables["NOTIFY_SOCKET"] ?? ""
        address = path.hasPrefix("/") || path.hasPrefix("@") ? path : nil
        let isMeant = variables["WATCHDOG_PID"].map { Int32($0) == processID } ?? true
        let limit = variables["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogPause = address != nil && isMeant && limit > 0 && limit < 1 << 50 ? limit * 500 : nil
    }

    /// Of this process. The variables are removed: no child shall believe that it is meant.
    static func fromEnvironment(report: @escaping (Errno) -> Void) -> ServiceManager {
        let manager = ServiceManager(Process.environment, processID: Process.id, report: report)
        for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] { Process.unsetEnvironment(name) }
        return manager
    }

    // MARK: States

    /// The gateway serves, for the first time or again.
    mutating func ready(now: Instant) {
        if watchdogAt == nil { watchdogAt = watchdogPause.map { now.advanced(by: $0) } }
        isReloading = false
        say("READY=1", status)
    }

    mutating func reloading(now: Instant) {
        isReloading = true
        say("RELOADING=1", "MONOTONIC_USEC=\(now.nanoseconds / 1_000)", "STATUS=Reloading")
    }

    /// A configuration is in force.
    mutating func published(generation: UInt64) {
        self.generation = generation
        if isReloading {
            isReloading = false
            say("READY=1", status)
        }
    }

    /// A reload changed nothing, and why.
    mutating func reloadFailed(_ reason: String) {
        isReloading = false
        let line = String(reason.prefix { !$0.isNewline })
        say("READY=1", "STATUS=Serving, generation \(generation); the last reload failed: \(line)")
    }

    /// - Parameter drainTime: nanoseconds that requests have to end.
    func stopping(drainTime: Int64) {
        let (time, isTooLong) = drainTime.addingReportingOverflow(Self.stopReserve)
        say("STOPPING=1", "STATUS=Draining", "EXTEND_TIMEOUT_USEC=\((isTooLong ? .max : time) / 1_000)")
    }

    private var status: String { "STATUS=Serving, generation \(generation)" }

    // MARK: Watchdog

    /// When a sign of life is due; nil: none is.
    var next: Instant? { watchdogAt }

    /// Gives a sign of life, unless a worker makes no turns any more: then the manager draws its conclusions.
    ///
    /// - Parameter counts: the heartbeats of the workers that have begun; empty: there is no gateway process now, and another comes.
    mutating func look(_ counts: [UInt64], now: Instant) {
        guard let due = watchdogAt, now >= due, let pause = watchdogPause else { return }
        watchdogAt = now.advanced(by: pause)
        let isStill = zip(self.counts, counts).contains { $0 == $1 && $1 != Heartbeats.ended }
        stillSince = isStill ? stillSince ?? lastLook : nil
        self.counts = counts
        lastLook = now
        if let stillSince, now.since(stillSince) >= Self.stillLimit { return }
        say("WATCHDOG=1")
    }

    // MARK: What it keeps

    /// Keys of TLS sessions, in place of those that it has.
    func keep(sessionKeys: [UInt8]) {
        guard address != nil else { return }
        do throws(Errno) {
            let file = try MemoryFile.sealed(name: Self.sessionKeysName, contents: sessionKeys)
            say("FDSTOREREMOVE=1", "FDNAME=\(Self.sessionKeysName)")
            say("FDSTORE=1", "FDNAME=\(Self.sessionKeysName)", "FDPOLL=0", descriptor: file.number)
        } catch {
            report(error)
        }
    }

    private func say(_ lines: String..., descriptor: Int32? = nil) {
        guard let address else { return }
        do throws(Errno) {
            try Datagram.send(lines.joined(separator: "\n"), to: address, descriptor: descriptor)
        } catch {
            report(error)
        }
    }
}
