/// A mistake of the gateway, planted at its seam with the world, which the simulation has to find: the test of the test.
package enum Mutation: String, CaseIterable, Sendable {
    /// A pooled connection is used without asking whether it is still quiet.
    case neverAsksQuiet
    /// No deadline is ever waited for.
    case sleepsThroughTimers
    /// What `drained` should have started again never starts.
    case missesDrained
    /// A side is read on although the other one is full.
    case ignoresPause
    /// One byte of what is passed on is lost now and then.
    case losesByte
    /// A relay moves a byte that stands behind what it was to move.
    case relaysTooMuch
    /// A relay that has moved all it was to move goes on.
    case forgetsRelay
    /// A connection that broke is taken for one that ended.
    case takesResetForEnd
    /// A broken answer is ended politely.
    case closesInPlaceOfAbort
}
