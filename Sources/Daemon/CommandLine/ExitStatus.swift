/// What the program's exit says (sysexits(3) where it has a word for it).
enum ExitStatus {
    static let success: Int32 = 0
    static let failure: Int32 = 1
    /// The command line is wrong.
    static let usage: Int32 = 64
    /// The gateway process died again and again.
    static let keepsDying: Int32 = 70
    /// The operating system refused something that always works.
    static let system: Int32 = 71
    /// The configuration is wrong: restarting will not help.
    static let badConfiguration: Int32 = 78
}
