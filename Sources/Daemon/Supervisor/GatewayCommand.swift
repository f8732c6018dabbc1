/// How the supervisor starts a gateway process: the same program, with an argument that no user types.
struct GatewayCommand: Sendable, Equatable {
    /// First argument of a gateway process.
    static let marker = "gateway-process"
    /// The numbers under which a gateway process finds its descriptors.
    static let controlDescriptor: Int32 = 3
    static let snapshotDescriptor: Int32 = 4

    /// The program, as the user called it; for `ps` alone.
    var name: String
    /// Path of the configuration file; nil: there is none, the snapshot is all (`martlet proxy`).
    var configPath: String?

    func arguments(hasSnapshot: Bool) -> [String] {
        var arguments = [name, Self.marker, hasSnapshot ? "snapshot" : "file"]
        if let configPath { arguments.append(configPath) }
        return arguments
    }

    /// Reads `arguments(hasSnapshot:)` back; nil when they are something else.
    static func parse(_ arguments: [String]) -> (command: GatewayCommand, hasSnapshot: Bool)? {
        guard arguments.count >= 3, arguments.count <= 4, arguments[1] == marker else { return nil }
        let path = arguments.count == 4 ? arguments[3] : nil
        switch arguments[2] {
        case "snapshot": return (GatewayCommand(name: arguments[0], configPath: path), true)
        case "file" where path != nil: return (GatewayCommand(name: arguments[0], configPath: path), false)
        default: return nil
        }
    }
}
