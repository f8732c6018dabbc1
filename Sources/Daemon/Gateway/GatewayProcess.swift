import Config
import Containers
import Linux
import Logging
import Net
import Proxy

/// The life of a process that serves, on its main thread:
///
///     bind ─▶ start ─▶ serving ──SIGTERM──▶ delaying ──drain_delay──▶ closing ─▶ draining ─▶ end
///      │ busy: 1        │  ▲ SIGHUP: load, bind, publish; any failure changes nothing
///                       └─▶ SIGQUIT, a second SIGTERM: end at once
struct GatewayProcess<
    Engine: GatewayEngine, Binder: ListenerBinder & ~Copyable, Source: DemandSource & ~Copyable
>: ~Copyable {
    private enum Phase {
        case serving
        /// Still accepting, so that load balancers notice first.
        case delaying(until: Instant)
        /// No new handshakes; those that have begun are completed and accepted.
        case closing(until: Instant)
        case draining
        case ended(code: Int32)
    }

    /// Nanoseconds.
    private static var minute: Int64 { 60_000_000_000 }
    private static var day: Int64 { 1_440 * minute }
    /// While draining we look this often whether the engine is done.
    private let drainPoll: Int32 = 10
    /// Nanoseconds that a handshake takes at most between neighbours, and the accepting of what waits.
    private let closingTime: Int64 = 50_000_000

    private let engine: Engine
    private var binder: Binder
    let loader: any ConfigurationLoading
    private var source: Source
    /// nil: there is no file to read again.
    private let configPath: String?
    let log: Logger
    private var phase = Phase.serving
    private var listeners = ListenerSet()
    private var config = GatewayConfig()
    /// As the engine was started with.
    private var workers = GatewayConfig.WorkerCount.auto
    private(set) var snapshot = ConfigSnapshot(record: [])
    /// Of the configuration in force, in a line each.
    private(set) var warnings: [String] = []
    private(set) var certificateFiles: [String: [UInt8]] = [:]
    private var watch = CertificateWatch()
    private var lapses: (@Sendable (_ now: Int64) -> [String])?
    /// When to say again what there is to say of certificates; nil: there are none.
    private var lapsesDue: Instant?
    /// As the holder has them.
    private var sessionKeys: SessionKeys?
    /// When to look whether they have changed; nil: there are none.
    private var sessionKeysDue: Instant?
    private let logs: any GatewayLogs
    /// How the gateway process before this one ended; nil: there was none.
    private let predecessor: String?

    /// - Parameters:
    ///   - configPath: what a reload reads; nil: the configuration came without a file.
    ///   - predecessor: how the gateway process before this one ended; nil: there was none.
    init(
        engine: Engine, binder: consuming Binder, loader: any ConfigurationLoading, source: consuming Source,
        configPath: String?, predecessor: String? = nil, log: Logger, logs: any GatewayLogs
    ) {
        self.predecessor = predecessor
        self.engine = engine
        self.binder = binder
        self.loader = loader
        self.source = source
        self.configPath = configPath
        self.log = log
        self.logs = logs
    }

    /// Serves until the end; the exit code.
    ///
    /// - Parameter generation: of the configuration, when another process had published it before.
    consuming func run(_ first: LoadedConfiguration, generation: UInt64) -> Int32 {
        if let code = start(first, generation: generation) { return code }
        while true {
            turn()
            if case .ended(let code) = phase { return code }
        }
    }

    /// nil, or the exit code when serving cannot begin.
    private mutating func start(_ loaded: LoadedConfiguration, generation: UInt64) -> Int32? {
        do {
            try logs.prepare(loaded.config)
            logs.apply(loaded.config)
            // On standard error the supervisor has said so itself.
            if let predecessor, loaded.config.log.output != .stderr {
                log.error("the gateway process before this one \(predecessor)")
            }
            for warning in loaded.warnings { log.warning("\(warning)") }
            listeners = try listeners.next(for: loaded.config, binder: &binder)
            try engine.start(loaded.config, listeners: listeners.bound)
        } catch {
            log.error("cannot start: \(error)")
            // The log may be what cannot be opened, or a file that whoever starts us does not look into.
            if loaded.config.log.output != .stderr { FileAccess.printError("error: cannot start: \(error)\n") }
            binder.release(listeners.specs)
            return ExitStatus.failure
        }
        workers = loaded.config.workers
        adopt(loaded, generation: max(generation, 1))
        let now = source.now
        engine.tell { $0.started = now }
        tellSuccess()
        watchCertificates(loaded)
        for listener in listeners.bound { log.info("\(Self.announcement(of: listener, in: config))") }
        binder.ready()
        Process.forgetCode()
        log.info("ready generation=\(snapshot.generation) routes=\(config.routes.count) pid=\(Process.id)")
        return nil
    }

    private mutating func watchCertificates(_ loaded: LoadedConfiguration) {
        watch.begin(
            loaded.certificateFiles.keys, known: loaded.identities, interval: config.watchCertificates?.nanoseconds,
            now: source.now)
    }

    /// A certificate that is forgotten is remembered once a day, in the words of the load.
    private mutating func reportLapses() {
        guard let due = lapsesDue, let lapses, source.now >= due else { return }
        lapsesDue = source.now.advanced(by: Self.day)
        for lapse in lapses(source.wallSeconds) { log.warning("\(lapse)") }
    }

    private mutating func adopt(_ loaded: LoadedConfiguration, generation: UInt64) {
        config = loaded.config
        warnings = loaded.warnings
        certificateFiles = loaded.certificateFiles
        lapses = loaded.lapses
        lapsesDue = lapses.map { _ in source.now.advanced(by: Self.day) }
        snapshot = loaded.snapshot
        snapshot.generation = generation
        handOverSessionKeys()
        let addresses = listeners.bound.map { MetricsDesk.Listener(name: $0.name, address: "\($0.address)") }
        engine.tell { facts in
            facts.version = Version.current
            facts.generation = generation
            facts.isReady = true
            facts.processID = Process.id
            facts.listeners = addresses
        }
        binder.published(snapshot, listeners.specs, settings: SupervisorSettings(config))
    }

    /// A start or a reload put the file's configuration in force. Certificates that are taken from the disk do not: they say nothing
    /// of a reload that failed before.
    private func tellSuccess() {
        let now = source.wallSeconds
        engine.tell { facts in
            facts.reloadSucceeded = true
            facts.reloadTime = now
        }
    }

    /// A new key seals every hour: what the holder has is never much older.
    private mutating func handOverSessionKeys() {
        guard let keys = engine.sessionKeys else { return }
        sessionKeysDue = source.now.advanced(by: Self.minute)
        guard keys != sessionKeys else { return }
        binder.keep(keys)
        sessionKeys = keys
    }

    // MARK: Waiting

    private mutating func turn() {
        switch source.next(milliseconds: timeout()) {
        case .demands(let demands):
            serve(demands)
        case .holderGone:
            // Nobody holds the sockets any more, and another Martlet may want them.
            log.error("the supervisor is gone: stopping at once")
            stopNow(code: ExitStatus.failure)
        }
        if case .serving = phase {
            if watch.look(now: source.now) { takeCertificates() }
            reportLapses()
            if let due = sessionKeysDue, source.now >= due { handOverSessionKeys() }
        }
        advance()
    }

    private func timeout() -> Int32? {
        switch phase {
        case .serving:
            guard let next = [watch.next, lapsesDue, sessionKeysDue].compactMap({ $0 }).min() else { return nil }
            return milliseconds(until: next)
        case .ended: return nil
        case .draining: return drainPoll
        case .delaying(let until), .closing(let until): return milliseconds(until: until)
        }
    }

    private func milliseconds(until: Instant) -> Int32 {
        Int32(clamping: max(0, until.since(source.now)) / 1_000_000 + 1)
    }

    private mutating func serve(_ demands: Demands) {
        for stranger in demands.strangers {
            log.notice("signal of process \(stranger) ignored: the supervisor takes them")
        }
        if demands.reopenLogs { logs.reopen() }
        if demands.stopNow {
            log.notice("stopping at once")
            if demands.reload { refuseReload() }
            stopNow(code: 0)
        } else if demands.stop {
            if demands.reload { refuseReload() }
            stop()
        } else if demands.reload {
            reload()
        }
    }

    // MARK: Reload

    private mutating func reload() {
        guard case .serving = phase else {
            log.notice("no reload: the gateway is draining")
            refuseReload()
            binder.reloadFailed("the gateway is draining")
            return
        }
        let began = source.now
        var outcome = ReloadOutcome()
        outcome.time = source.wallSeconds
        if let report = takeFile() {
            outcome.report = report
            binder.reloadFailed(Self.reason(in: report))
        } else {
            outcome.succeeded = true
            outcome.report = warnings.map { $0 + "\n" }.joined()
            if config.workers != workers {
                log.warning("the number of workers changes only with a restart")
                outcome.restart.append("workers")
            }
        }
        outcome.generation = snapshot.generation
        outcome.milliseconds = source.now.since(began) / 1_000_000
        if outcome.succeeded {
            tellSuccess()
            log.info(
                "reloaded generation=\(snapshot.generation) routes=\(config.routes.count) ms=\(outcome.milliseconds)")
        }
        engine.tell { facts in
            if !outcome.succeeded { facts.reloadSucceeded = false }
            facts.note(outcome)
        }
        engine.answer(outcome)
    }

    /// The first error, in a line: warnings stand between the errors.
    private static func reason(in report: String) -> String {
        let lines = report.split(separator: "\n")
        return String(lines.first { $0.contains(": error: ") } ?? lines.first ?? "")
    }

    /// Tells those who ask while the process is on its way out.
    private func refuseReload() {
        var outcome = ReloadOutcome()
        outcome.time = source.wallSeconds
        outcome.generation = snapshot.generation
        outcome.report = "no reload: the gateway is draining\n"
        engine.answer(outcome)
    }

    /// Reads the file and puts it in force. What is wrong, as `check` says it; then nothing changed.
    private mutating func takeFile() -> String? {
        let loaded: LoadedConfiguration
        switch configPath.map(loader.load(path:)) ?? loader.load(snapshot) {
        case .loaded(let configuration):
            loaded = configuration
        case .rejected(let rejected):
            for error in rejected.errors { log.error("reload: \(error)") }
            log.error("reload failed, nothing changed: \(rejected.summary)")
            return rejected.report
        }
        for warning in loaded.warnings { log.warning("\(warning)") }
        do {
            try publish(loaded)
        } catch {
            log.error("reload failed, nothing changed: \(error)")
            return "\(error)\n"
        }
        watchCertificates(loaded)
        return nil
    }

    /// Puts a configuration in force, or changes nothing.
    mutating func publish(_ loaded: LoadedConfiguration) throws {
        try logs.prepare(loaded.config)
        let next = try listeners.next(for: loaded.config, binder: &binder)
        do {
            try engine.publish(loaded.config, listeners: next.bound)
        } catch {
            listeners.discard(next, binder: &binder)
            throw error
        }
        announce(next, of: loaded.config)
        listeners = next
        logs.apply(loaded.config)
        adopt(loaded, generation: snapshot.generation &+ 1)
        // Who reads that it is in force may count on it.
        let late = engine.waitForWorkers()
        if late > 0 { log.warning("\(late) of the workers do not serve with the new configuration yet") }
    }

    private static func announcement(of listener: BoundListener, in config: GatewayConfig) -> String {
        let isSecure = config.listeners.contains { $0.name == listener.name && $0.tls != nil }
        let scheme = listener.address.ipAddress == nil ? "" : isSecure ? "https://" : "http://"
        return "listening on \(scheme)\(listener.address) listener=\(listener.name)"
    }

    private func announce(_ next: ListenerSet, of config: GatewayConfig) {
        let before = Set(listeners.bound.map(\.descriptor))
        let after = Set(next.bound.map(\.descriptor))
        for listener in next.bound where !before.contains(listener.descriptor) {
            log.info("\(Self.announcement(of: listener, in: config))")
        }
        for listener in listeners.bound where !after.contains(listener.descriptor) {
            log.info("no longer listening on \(listener.address) listener=\(listener.name)")
        }
    }

    // MARK: The end

    private mutating func stop() {
        guard case .serving = phase else {
            log.notice("asked again: stopping at once")
            stopNow(code: 0)
            return
        }
        log.notice("draining, at most \(config.drainTimeout)")
        engine.tell { $0.isReady = false }
        phase = .delaying(until: source.now.advanced(by: config.drainDelay.nanoseconds))
    }

    private mutating func advance() {
        switch phase {
        case .delaying(let until) where source.now >= until:
            refuseConnections()
            binder.draining()
            phase = .closing(until: source.now.advanced(by: closingTime))
        case .closing(let until) where source.now >= until:
            engine.drain(timeout: config.drainTimeout)
            phase = .draining
        case .draining where engine.isStopped:
            engine.waitUntilStopped()
            log.notice("drained")
            phase = .ended(code: 0)
        case .serving, .delaying, .closing, .draining, .ended:
            break
        }
    }

    private func refuseConnections() {
        for listener in listeners.bound {
            switch listener.spec.place {
            case .address, .anyPort: Descriptors.refuseNewConnections(listener.descriptor)
            // The path is removed by the binder.
            case .unix: break
            // Goes on listening without us: what waits there is for our successor.
            case .systemd: break
            }
        }
    }

    private mutating func stopNow(code: Int32) {
        binder.draining()
        engine.stop()
        engine.waitUntilStopped()
        phase = .ended(code: code)
    }
}
