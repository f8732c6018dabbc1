import Config
import Containers
import Linux
import Logging
import Net
import Proxy
import Synchronization

@testable import Daemon

/// What happened, in order.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])
    func write(_ entry: String) { entries.withLock { $0.append(entry) } }
    var all: [String] { entries.withLock { $0 } }
}

struct EngineFailure: Error, CustomStringConvertible {
    let description = "the engine refuses"
}

final class FakeEngine: GatewayEngine {
    let journal: Journal
    /// Names of listeners with which the engine refuses to go on.
    var refused: Set<String> = []
    /// Looks at `isStopped` that say no after `drain`.
    var looksUntilDrained = 0
    /// By turns, the last one from then on.
    var allSessionKeys: [SessionKeys] = []
    /// Workers that do not hear of a configuration in time.
    var lateWorkers = 0
    /// What the life cycle tells for metrics.
    private(set) var facts = MetricsDesk.Facts()
    private var isEnding = false
    private var descriptors: [String: Int32] = [:]

    init(journal: Journal) { self.journal = journal }

    func start(_ config: GatewayConfig, listeners: [BoundListener]) throws {
        try take(listeners, "start")
    }

    func publish(_ config: GatewayConfig, listeners: [BoundListener]) throws {
        try take(listeners, "publish")
    }

    private func take(_ listeners: [BoundListener], _ verb: String) throws {
        if listeners.contains(where: { refused.contains($0.name) }) { throw EngineFailure() }
        let next = Dictionary(listeners.map { ("\($0.spec)", $0.descriptor) }, uniquingKeysWith: { first, _ in first })
        let kept = next.filter { descriptors[$0.key] == $0.value }.keys.sorted()
        journal.write("engine \(verb) \(next.keys.sorted().joined(separator: " ")) kept \(kept.joined(separator: " "))")
        for (name, descriptor) in descriptors where next[name] != descriptor { Descriptors.close(descriptor) }
        descriptors = next
    }

    func waitForWorkers() -> Int {
        journal.write("engine waits for its workers")
        return lateWorkers
    }

    func tell(_ change: (inout MetricsDesk.Facts) -> Void) { change(&facts) }

    func answer(_ outcome: ReloadOutcome) {
        journal.write("answer \(outcome.succeeded) \(outcome.generation) \(outcome.report)")
    }

    func drain(timeout: Duration) {
        journal.write("engine drain \(timeout)")
        isEnding = true
    }

    func stop() {
        journal.write("engine stop")
        isEnding = true
        looksUntilDrained = 0
    }

    var sessionKeys: SessionKeys? {
        allSessionKeys.count > 1 ? allSessionKeys.removeFirst() : allSessionKeys.first
    }

    var isStopped: Bool {
        guard isEnding else { return false }
        if looksUntilDrained == 0 { return true }
        looksUntilDrained -= 1
        return false
    }

    func waitUntilStopped() {
        for descriptor in descriptors.values { Descriptors.close(descriptor) }
        journal.write("engine ended")
    }
}

/// Refuses the file `/refused`.
struct FakeLogs: GatewayLogs {
    let journal: Journal

    func prepare(_ config: GatewayConfig) throws {
        if config.log.output == .file("/refused") { throw Errno.noPermission }
    }

    func apply(_ config: GatewayConfig) { journal.write("log \(config.log.level)") }
    func reopen() { journal.write("logs are opened anew") }
}

struct FakeBinder: ListenerBinder, ~Copyable {
    let journal: Journal
    /// Places that are taken by somebody else.
    var busy: Set<String> = []

    init(journal: Journal, busy: Set<String> = []) {
        self.journal = journal
        self.busy = busy
    }

    var control: Int32? { nil }

    mutating func open(_ spec: ListenSpec) throws(BindFailure) -> [Int32] {
        if busy.contains("\(spec)") {
            journal.write("busy \(spec)")
            throw BindFailure(spec, Errno.addressInUse)
        }
        journal.write("open \(spec)")
        do throws(Errno) {
            return [try MemoryFile.sealed(name: "socket", contents: []).release()]
        } catch {
            throw BindFailure(spec, error)
        }
    }

    mutating func release(_ specs: [ListenSpec]) {
        journal.write("release \(specs.map(\.description).joined(separator: " "))")
    }

    mutating func published(_ snapshot: ConfigSnapshot, _ specs: [ListenSpec], settings: SupervisorSettings) {
        let text = String(decoding: snapshot.record, as: UTF8.self)
        journal.write("published \(snapshot.generation) \(text): \(specs.map(\.description).joined(separator: " "))")
    }

    mutating func reloadFailed(_ reason: String) { journal.write("told of the failure") }
    mutating func sessionKeys() -> SessionKeys? { nil }
    mutating func keep(_ keys: SessionKeys) { journal.write("keep \(keys.bytes)") }
    mutating func ready() { journal.write("ready") }
    mutating func draining() { journal.write("draining") }
}

/// Demands one after the other; each wait with a limit lets that much time pass.
struct ScriptedDemands: DemandSource, ~Copyable {
    let journal: Journal
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    var wallSeconds: Int64 { 1_800_000_000 + now.nanoseconds / 1_000_000_000 }
    private var events: [DemandEvent]

    init(journal: Journal, _ events: [DemandEvent]) {
        self.journal = journal
        self.events = events.reversed()
    }

    mutating func next(milliseconds: Int32?) -> DemandEvent {
        if let milliseconds { now = now.advanced(by: Int64(milliseconds) * 1_000_000) }
        if let event = events.popLast() { return event }
        // A script that ends while the process waits for ever would hang the test.
        if milliseconds == nil {
            journal.write("script is over")
            return .holderGone
        }
        return .demands(Demands())
    }
}

/// Configurations by turns: a space-separated list of addresses each, or `bad`.
final class FakeLoader: ConfigurationLoading {
    private let texts: Mutex<[String]>

    init(_ texts: [String]) { self.texts = Mutex(texts.reversed()) }

    func load(path: String) -> LoadOutcome {
        Self.outcome(texts.withLock { $0.popLast() } ?? "bad")
    }

    func load(_ snapshot: ConfigSnapshot) -> LoadOutcome {
        Self.outcome(String(decoding: snapshot.record, as: UTF8.self))
    }

    func load(_ snapshot: ConfigSnapshot, rereading paths: Set<String>) -> LoadOutcome { load(snapshot) }

    static func outcome(_ text: String) -> LoadOutcome {
        if text == "bad" {
            return .rejected(
                RejectedConfiguration(
                    errors: ["martlet.yaml:1:1: error: bad"], report: "bad\n",
                    summary: "martlet.yaml: 1 error, 0 warnings"))
        }
        return .loaded(configuration(text))
    }

    static func configuration(_ text: String) -> LoadedConfiguration {
        var config = GatewayConfig()
        var expiry: Int64?
        for part in text.split(separator: " ") {
            if part.hasPrefix("workers=") {
                config.workers = .count(Int(part.dropFirst(8)) ?? 1)
                continue
            }
            if part.hasPrefix("expiry=") {
                expiry = Int64(part.dropFirst(7))
                continue
            }
            if part.hasPrefix("delay=") {
                config.drainDelay = .milliseconds(Int(part.dropFirst(6)) ?? 0)
                continue
            }
            if part.hasPrefix("log=") {
                config.log.output = .file(String(part.dropFirst(4)))
                continue
            }
            var listener = ListenerConfig(location: Location(file: "martlet.yaml", line: 1, column: 1))
            listener.name = String(part)
            if let address = try? SocketAddress(parsing: String(part)) { listener.bind = [.address(address)] }
            config.listeners.append(listener)
        }
        var loaded = LoadedConfiguration(
            config: config, warnings: [], snapshot: ConfigSnapshot(record: Array(text.utf8)))
        if let expiry { loaded.lapses = { now in now < expiry ? [] : ["expired at \(expiry), seen at \(now)"] } }
        return loaded
    }
}

/// Writes levels and messages into a journal.
struct JournalLog: LogHandler {
    let journal: Journal
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    init(journal: Journal) { self.journal = journal }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level >= .warning { journal.write("\(event.level): \(event.message)") }
    }
}
