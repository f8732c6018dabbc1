/// What the simulated world does to the gateway. Each kind is counted when it really happened.
package enum FaultKind: Int, CaseIterable, Sendable {
    // The network and the kernel; harmless to a correct gateway.
    /// A segment is cut at any byte.
    case partialRead
    /// The kernel takes a part of what was sent.
    case partialWrite
    /// A segment is late.
    case delay
    /// Events of different sockets come in another order.
    case reorder
    /// A ready socket is reported one turn later.
    case heldBackEvent
    /// Time passes before the events are taken, so that many come in one turn.
    case batch
    case spuriousWake
    /// The wall clock is set.
    case wallClockStep
    /// Many clients connect in one instant.
    case acceptBurst
    /// Accepting fails for a while, as when descriptors run out.
    case acceptPause
    /// A new configuration comes into force.
    case reload
    /// Many new configurations at once.
    case reloadStorm
    /// A name has other addresses.
    case dnsChanges
    /// The gateway is told to end as soon as its exchanges have.
    case drain

    // The network and the kernel; exchanges may be lost, but visibly.
    case networkReset
    /// Very few connections, exchanges and calls fit.
    case fewSlots
    /// A name is known only after a while, or has no address for a while.
    case dnsLate
    case dnsGone
    /// A reset throws away bytes that were not read yet.
    case lostOnReset
    case connectThrown
    case connectRefused
    case connectHangs
    /// The worker stood still for up to some seconds.
    case stall
    /// One worker's thread stood still while the others went on.
    case stallOne
    /// The gateway is told to end now.
    case stop
    /// An idle connection was quiet when it was asked and its end arrives just after.
    case closeAfterQuiet

    // Clients.
    case clientPipelines
    case clientSlowBody
    case clientSlowReader
    case clientHalfCloses
    /// Speaks HTTP/1.0.
    case clientIsOld
    case clientAborts
    case clientMalformed
    case clientProxyHeader
    case clientBadProxyHeader
    /// Breaks a rule for frames of HTTP/2.
    case clientBreaksFrames
    /// Takes no more streams, and says so.
    case clientGoesAway

    // Either end of an HTTP/2 connection.
    /// Other settings in the middle.
    case settingsChange
    case streamPadding
    case streamPing
    /// The peer's windows are small, or shut until they are opened.
    case windowSmall
    case windowLate
    /// Windows are given back in small parts.
    case windowDrops

    // TLS, at both ends.
    /// Comes in where TLS is spoken.
    case clientSecure
    /// Comes back with what it was given.
    case clientResumes
    case originResumes
    /// Knows no newer version than 1.2.
    case oldTLS
    case smallRecords
    /// Ends its direction without saying so before.
    case clientNoGoodbye
    case originNoGoodbye
    /// Asks for hosts that have another policy than the one that it named.
    case clientMisdirected
    case clientUntrusting
    case originUntrusted
    /// The two ends have no common one.
    case clientWithoutProtocol
    case originWithoutProtocol
    /// Speaks without TLS where TLS has to be.
    case clientSpeaksPlain
    case originSpeaksPlain
    /// Falls silent, ends or resets at any byte of its handshake.
    case clientBreaksHandshake
    case originBreaksHandshake
    case clientBreaksRecord
    case originBreaksRecord

    // Origins.
    case originInterim
    /// More interim answers than anybody wants.
    case originInterimFlood
    case originUntilClose
    case originSlowAnswer
    case originSlowReader
    case originEarlyAnswer
    case originExtraBytes
    case originTruncates
    case originMalformed
    case originResets
    case originStalls
    /// Accepts a request's head and then reads no more.
    case originStopsReading
    case originClosesAfterAnswer
    case originClosesIdle

    // Origins that speak HTTP/2.
    /// Takes few streams at once.
    case originFewStreams
    case originSettingsLate
    /// Nothing comes for longer than anybody waits.
    case originSettingsMissing
    case originRefusesStream
    /// Takes no more streams, not even those that were opened last.
    case originGoesAway
    case originBreaksFrames

    // The service that `forward_auth` asks, and middleware that decides later.
    case authSlow
    case authRefuses
    case authFails
    case decisionReplies
    /// After the gateway has answered.
    case decisionLate
    case decisionMissing

    // Programs that use the gateway's own client.
    case callSlowReader
    case callCancelled

    // The ends of WebSocket connections.
    case tunnelRefused
    case tunnelWrongKey
    /// A frame that must not be.
    case tunnelClientBreach
    case tunnelOriginBreach
    /// A message that is too long.
    case tunnelTooMuch
    case tunnelClientLeaves
    case tunnelOriginLeaves
    /// Neither end says anything more.
    case tunnelSilence

    /// Whether a correct gateway may fail an exchange because of it. In a seed without any of these every exchange must
    /// succeed, but for those that begin when the gateway is told to end.
    package var isLossy: Bool {
        switch self {
        case .partialRead, .partialWrite, .delay, .reorder, .heldBackEvent, .batch, .spuriousWake, .wallClockStep,
            .acceptBurst, .acceptPause, .reload, .reloadStorm, .dnsChanges, .clientProxyHeader, .drain, .stop,
            .clientPipelines, .clientSlowBody,
            .clientSlowReader, .clientHalfCloses, .clientIsOld, .originInterim, .originUntilClose, .originSlowAnswer,
            .originSlowReader, .authSlow, .authRefuses, .decisionReplies, .callSlowReader, .tunnelRefused,
            .tunnelSilence, .clientGoesAway, .settingsChange, .streamPadding, .streamPing, .windowSmall, .windowLate,
            .windowDrops, .originFewStreams, .originSettingsLate, .clientSecure, .clientResumes, .originResumes,
            .oldTLS,
            .smallRecords, .clientNoGoodbye:
            false
        case .networkReset, .fewSlots, .dnsLate, .dnsGone, .originInterimFlood, .clientBadProxyHeader, .lostOnReset,
            .connectThrown, .connectRefused, .connectHangs, .stall, .stallOne, .closeAfterQuiet, .clientAborts,
            .clientMalformed, .clientBreaksFrames, .originEarlyAnswer, .originExtraBytes,
            .originTruncates, .originMalformed, .originResets, .originStalls, .originStopsReading,
            .originClosesAfterAnswer, .originClosesIdle, .originSettingsMissing, .originRefusesStream, .originGoesAway,
            .originBreaksFrames, .authFails, .decisionLate, .decisionMissing, .callCancelled,
            .tunnelWrongKey, .tunnelClientBreach, .tunnelOriginBreach, .tunnelTooMuch, .tunnelClientLeaves,
            .tunnelOriginLeaves, .originNoGoodbye, .clientMisdirected, .clientUntrusting, .originUntrusted,
            .clientWithoutProtocol, .originWithoutProtocol, .clientSpeaksPlain, .originSpeaksPlain,
            .clientBreaksHandshake, .originBreaksHandshake, .clientBreaksRecord, .originBreaksRecord:
            true
        }
    }

    /// Whether the fault hits exchanges that the world cannot name (a connection nobody uses yet, all of them): those that
    /// lived at that time are excused. The other lossy faults mark their own exchange.
    package var excusesOthers: Bool {
        switch self {
        case .networkReset, .fewSlots, .dnsLate, .dnsGone, .lostOnReset, .connectThrown, .connectRefused, .connectHangs,
            .stall, .stallOne, .closeAfterQuiet, .originClosesAfterAnswer, .originClosesIdle, .originExtraBytes,
            .originSettingsMissing, .originBreaksFrames, .originGoesAway, .originUntrusted, .originWithoutProtocol,
            .originSpeaksPlain, .originBreaksHandshake, .originBreaksRecord:
            true
        default:
            false
        }
    }

    var index: Int { rawValue }
}
