/// How the supervisor starts a gateway process: the same program, with an argument that no user types.
struct GatewayCommand: Sendable, Equatable {
    /// First argument of a gateway process.
    static let marker = "gateway-process"
    /// The numbers under which a gateway process finds its descriptors.
    static let controlDescriptor: Int32 = 3
    static let heartbeatsDescriptor: Int32 = 4
    static let snapshotDescriptor: Int32 = 5

    /// The program, as the user called it; for `ps` alone.
    var name: String
    /// Path of the configuration file; nil: there is none, the snapshot is all (`martlet proxy`).
    var configPath: String?

    /// One start of a gateway process.
    struct Start: Sendable, Equatable {
        /// A sealed configuration is to be had under `snapshotDescriptor`.
        var hasSnapshot: Bool
        /// How the process before ended, for the log; nil: there was none.
        var predecessor: String?
    }

    func arguments(_ start: Start) -> [String] {
        let source = start.hasSnapshot ? "snapshot" : "file"
        var arguments = [name, Self.marker, source, start.predecessor ?? ""]
        if let configPath { arguments.append(configPath) }
        return arguments
    }

    /// Reads `arguments` back; nil when they are something else.
    static func parse(_ arguments: [String]) -> (command: GatewayCommand, start: Start)? {
        guard arguments.count >= 4, arguments.count <= 5, arguments[1] == marker else { return nil }
        let command = GatewayCommand(name: arguments[0], configPath: arguments.count == 5 ? arguments[4] : nil)
        let predecessor = arguments[3].isEmpty ? nil : arguments[3]
        switch arguments[2] {
        case "snapshot": return (command, Start(hasSnapshot: true, predecessor: predecessor))
        case "file" where command.configPath != nil:
            return (command, Start(hasSnapshot: false, predecessor: predecessor))
        default: return nil
        }
    }
}
