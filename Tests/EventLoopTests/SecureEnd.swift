import EventLoop

/// One end of a TLS connection of a `SecureWorld`, and what it has seen.
final class SecureEnd {
    let socket: SocketID
    let isServer: Bool
    /// Content that it sends.
    let outgoing: [UInt8]
    var sent = 0
    var received: [UInt8] = []
    /// What it sends, and what it receives, are another end's.
    var partner: SecureEnd?
    /// TLS begins with the first bytes, which came without.
    var beginsLate = false
    /// Its end comes behind the other's.
    var endsLast = false

    var isSecured = false
    /// Bytes that TLS adds to each record.
    var overhead = 0
    /// Given back, and to come once more.
    var unread: [UInt8] = []
    var sawEnd = false
    var saidEnd = false
    var failure: IOFailure?
    var isClosed = false
    var resumesAt: Int?

    init(_ socket: SocketID, isServer: Bool, outgoing: [UInt8]) {
        self.socket = socket
        self.isServer = isServer
        self.outgoing = outgoing
    }

    /// All that came, what was given back with it.
    var all: [UInt8] { received + unread }
    var isOver: Bool { isClosed }
    var isTruncated: Bool { failure == .truncated }
}
