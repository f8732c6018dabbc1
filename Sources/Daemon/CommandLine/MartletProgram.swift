import ArgumentParser
import Linux

/// The program `martlet`.
public enum MartletProgram {
    /// Runs the command line of this process and ends it.
    public static func main() -> Never {
        Process.ignoreBrokenPipes()
        MartletCommand.main()
        Process.exitNow(ExitStatus.success)
    }
}
