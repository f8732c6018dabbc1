import Linux

/// The supervisor's few words on standard error. It does without a log library, so that it stays small.
enum SupervisorLog {
    enum Level: String {
        case warning, error
    }

    static func write(_ level: Level, _ text: String) {
        FileAccess.printError("\(level.rawValue) supervisor: \(text)\n")
    }
}
