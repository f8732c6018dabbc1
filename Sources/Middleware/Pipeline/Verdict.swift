/// What a middleware decides on a request.
public enum Verdict: Sendable, Equatable {
    /// Go on with the next one.
    case next
    /// Stop and answer with the reply that was set on the request (`request.reply(…)` does both).
    case reply
    /// Not decided yet; the answer comes through the worker's inbox. Made by the asynchronous adapter only.
    case suspend
}
