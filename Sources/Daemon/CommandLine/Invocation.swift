/// Forms of the command line that are read by hand, before anything heavy is touched.
///
/// A supervisor stays for months: the memory that a command line parser leaves behind would stay with it. So `martlet run`
/// in its plain forms goes straight to the supervisor; every other form is parsed in full and, where it needs a
/// supervisor, replaces itself by one of these.
enum Invocation: Equatable {
    /// A gateway process that a supervisor starts.
    case gateway(GatewayCommand, GatewayCommand.Start)
    /// A supervisor for a configuration file.
    case supervisor(GatewayCommand)
    /// A supervisor for a sealed configuration that was left open under this number.
    case snapshotSupervisor(GatewayCommand, descriptor: Int32)
    case other

    static let defaultConfigPath = "/etc/martlet/martlet.yaml"
    /// First argument of `snapshotSupervisor`.
    static let snapshotMarker = "snapshot-supervisor"

    init(_ arguments: [String]) {
        let name = arguments.first ?? "martlet"
        if let (command, start) = GatewayCommand.parse(arguments) {
            self = .gateway(command, start)
            return
        }
        switch (arguments.count, arguments.dropFirst().first) {
        case (2, "run"):
            self = .supervisor(GatewayCommand(name: name, configPath: Self.defaultConfigPath))
        case (4, "run") where ["--config", "-c"].contains(arguments[2]) && !arguments[3].hasPrefix("-"):
            self = .supervisor(GatewayCommand(name: name, configPath: arguments[3]))
        case (3, Self.snapshotMarker):
            guard let descriptor = Int32(arguments[2]), descriptor > 2 else { fallthrough }
            self = .snapshotSupervisor(GatewayCommand(name: name, configPath: nil), descriptor: descriptor)
        default:
            self = .other
        }
    }

    /// The plain form of `martlet run`.
    static func runArguments(name: String, configPath: String) -> [String] {
        [name, "run", "--config", configPath]
    }

    static func snapshotArguments(name: String, descriptor: Int32) -> [String] {
        [name, snapshotMarker, "\(descriptor)"]
    }
}
