import Telemetry
import Config
import Linux
import Logging
import Proxy

/// A process that serves.
enum GatewayProgram {
    /// Where the first configuration comes from.
    enum Source {
        case file(String)
        /// `path` is what a reload reads; nil: there is no file.
        case snapshot(ConfigSnapshot, path: String?)

        var path: String? {
            switch self {
            case .file(let path): path
            case .snapshot(_, let path): path
            }
        }

        var generation: UInt64 {
            switch self {
            case .file: 0
            case .snapshot(let snapshot, _): snapshot.generation
            }
        }
    }

    /// A supervisor that started this process.
    private struct Parent {
        let id: Int32
        /// How the process ended that it had started before; nil: there was none.
        let predecessor: String?
    }

    private static let signals: [Signal] = [.hangup, .interrupt, .quit, .user1, .terminate]

    /// The child of a supervisor.
    static func runSupervised(_ command: GatewayCommand, _ start: GatewayCommand.Start) -> Int32 {
        let supervisor = Process.parentID
        Process.setName("martlet-gateway")
        guard Process.dieWithParent(supervisor), let signals = try? SignalDescriptor(signals) else {
            return ExitStatus.system
        }
        Descriptors.setCloseOnExec(GatewayCommand.controlDescriptor)
        Descriptors.setCloseOnExec(GatewayCommand.heartbeatsDescriptor)
        let control = MessageSocket(owning: GatewayCommand.controlDescriptor)
        let source: Source
        if start.hasSnapshot {
            let file = FileDescriptor(owning: GatewayCommand.snapshotDescriptor)
            guard let snapshot = ConfigSnapshot.read(from: file.number) else {
                FileAccess.printError("error gateway: the stored configuration cannot be read\n")
                return ExitStatus.system
            }
            source = .snapshot(snapshot, path: command.configPath)
        } else if let path = command.configPath {
            source = .file(path)
        } else {
            return ExitStatus.usage
        }
        let logs = TelemetryLogs()
        let logger = logs.logger
        let binder = RemoteBinder(socket: control) { logger.error("\($0)") }
        return serve(
            source, binder: binder, signals: signals, parent: Parent(id: supervisor, predecessor: start.predecessor),
            logs: logs)
    }

    /// The only process (`--single-process`).
    static func runAlone(_ source: Source) -> Int32 {
        guard let signals = try? SignalDescriptor(signals) else { return ExitStatus.system }
        let logs = TelemetryLogs()
        let logger = logs.logger
        let binder = LocalBinder(systemd: .fromEnvironment()) { logger.warning("\($0)") }
        return serve(source, binder: binder, signals: signals, parent: nil, logs: logs)
    }

    private static func serve<Binder: ListenerBinder & ~Copyable>(
        _ source: Source, binder: consuming Binder, signals: consuming SignalDescriptor, parent: Parent?,
        logs: TelemetryLogs
    ) -> Int32 {
        let files = Process.raiseOpenFileLimit()
        let loader = ConfigurationLoader(kinds: RegisteredKinds.current)
        let loaded: LoadedConfiguration
        switch loader.load(source) {
        case .loaded(let configuration):
            loaded = configuration
        case .rejected(let rejected):
            FileAccess.printError(rejected.report)
            return ExitStatus.badConfiguration
        }
        guard let reloads = try? ReloadRequests() else { return ExitStatus.system }
        defer { logs.stop() }
        var binder = binder
        let sessionKeys = binder.sessionKeys()
        let demands = SignalDemands(signals: signals, supervisor: parent?.id, control: binder.control, reloads: reloads)
        let process = GatewayProcess(
            engine: ProxyEngine(
                loaded.config, files: files, kinds: RegisteredKinds.current, log: AccessLog(logs.sinks),
                logger: logs.logger, heartbeats: parent.map { _ in GatewayCommand.heartbeatsDescriptor },
                sessionKeys: sessionKeys, reloads: reloads),
            binder: binder, loader: loader, source: demands, configPath: source.path,
            predecessor: parent?.predecessor, log: logs.logger, logs: logs)
        return process.run(loaded, generation: source.generation)
    }
}

extension ConfigurationLoading {
    fileprivate func load(_ source: GatewayProgram.Source) -> LoadOutcome {
        switch source {
        case .file(let path): load(path: path)
        case .snapshot(let snapshot, _): load(snapshot)
        }
    }
}
