/// Problems of a configuration, for people.
enum ProblemText {
    /// All of them with a closing count.
    static func all(_ problems: [String]) -> String {
        problems.map { $0.hasSuffix("\n") ? $0 : $0 + "\n" }.joined() + count(problems.count, "problem") + "\n"
    }

    /// `1 problem`, `2 problems`.
    static func count(_ number: Int, _ what: String) -> String {
        number == 1 ? "1 \(what)" : "\(number) \(what)s"
    }
}
