/// Problems of a configuration, for people.
enum ProblemText {
    /// All of them with a closing count.
    static func all(_ problems: [String]) -> String {
        problems.map { $0.hasSuffix("\n") ? $0 : $0 + "\n" }.joined() + count(problems) + "\n"
    }

    static func count(_ problems: [String]) -> String {
        problems.count == 1 ? "1 problem" : "\(problems.count) problems"
    }
}
