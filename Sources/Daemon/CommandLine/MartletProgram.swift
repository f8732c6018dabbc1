import Linux

/// The program `martlet`.
public enum MartletProgram {
    /// Runs the command line of this process and ends it.
    public static func main() -> Never {
        Process.ignoreBrokenPipes()
        let arguments = CommandLine.arguments
        switch Invocation(arguments) {
        case .other: Process.exitNow(0)
        default: Process.exitNow(0)
        }
    }
}
