import Config
import Linux

/// A process that supervises (`martlet run`).
enum SupervisorProgram {
    /// - Parameter snapshot: descriptor of a sealed configuration to serve instead of a file.
    static func run(_ command: GatewayCommand, snapshot: Int32? = nil) -> Int32 {
        Process.raiseOpenFileLimit()
        if let snapshot {
            Descriptors.setCloseOnExec(snapshot)
            guard MemoryFile.isSealed(snapshot) else {
                SupervisorLog().write(.error, "descriptor \(snapshot) is no sealed configuration")
                return ExitStatus.usage
            }
        }
        do {
            return try Supervisor(command: command, snapshot: snapshot.map { FileDescriptor(owning: $0) }).run()
        } catch {
            SupervisorLog().write(.error, "cannot read signals: \(error)")
            return ExitStatus.system
        }
    }
}
