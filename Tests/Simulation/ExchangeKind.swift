/// Which way an exchange goes through the gateway. Each has a route, known by the first letter of the path.
package enum ExchangeKind: Sendable, Equatable {
    case plain
    /// `forward_auth` asks a service first.
    case authorised(Leave)
    /// A middleware of our own decides later.
    case decided(Decision)
    case limited
    case tunnel
    /// Made by a client of the gateway's own.
    case call

    /// What the service says that `forward_auth` asks.
    package enum Leave: Sendable, Equatable {
        case given, refused, loginWanted, redirected
        /// No leave, because the service is broken.
        case failing, reset, stalled, tooLarge

        var isBroken: Bool { self == .failing || self == .reset || self == .stalled || self == .tooLarge }

        /// The status that the client gets; 0: the gateway's own.
        var status: Int {
            switch self {
            case .refused: 403
            case .loginWanted: 401
            case .redirected: 302
            case .given, .failing, .reset, .stalled, .tooLarge: 0
            }
        }
    }

    package enum Decision: Sendable, Equatable {
        case passes, replies
        /// Comes when the gateway does not wait any more.
        case late
        case missing
    }

    var letter: String {
        switch self {
        case .plain: "x"
        case .authorised: "a"
        case .decided: "m"
        case .limited: "l"
        case .tunnel: "w"
        case .call: "c"
        }
    }
}
