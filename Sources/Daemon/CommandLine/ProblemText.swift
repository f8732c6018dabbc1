import Config

/// Problems of a configuration, for people.
enum ProblemText {
    /// `1 problem`, `2 problems`.
    static func count(_ number: Int, _ what: String) -> String {
        number == 1 ? "1 \(what)" : "\(number) \(what)s"
    }
}

extension ConfigResult {
    /// `martlet.yaml: 1 error, 0 warnings`.
    var summary: String {
        let errors = problems.count { $0.severity == .error }
        return "\(record.path): \(ProblemText.count(errors, "error")), "
            + ProblemText.count(problems.count - errors, "warning")
    }
}
