/// How long the resolver waits for what.
package struct ResolverTiming: Sendable {
    /// Milliseconds until a question is asked again; doubled for each try.
    package var timeout: Int32 = 2_000
    /// Times that a question is asked.
    package var tries: Int32 = 2
    /// Nanoseconds between which the time to live of an answer is believed.
    package var shortestLife: Int64 = 1_000_000_000
    package var longestLife: Int64 = 3_600_000_000_000
    /// Nanoseconds until a name is asked for again that has no addresses, or could not be asked for.
    package var retry: Int64 = 5_000_000_000
    /// Nanoseconds until the hosts file is looked at again for a name that it has.
    package var hostsLife: Int64 = 60_000_000_000
    /// Answers in a row that a name does not exist, before its last addresses are given up.
    package var negativesLimit = 3
    /// Nanoseconds that who needs the addresses of a new name waits for the first verdict on it. Beyond `timeout`, so that
    /// one answer that is lost, or one server that is dead, is made up for by the next question; and far below the time
    /// until a question is given up, which is longer than a start, or whoever wants to stop one, should wait.
    package var firstVerdict: Int64 = 3_000_000_000

    package init() {}
}
