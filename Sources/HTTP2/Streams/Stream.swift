/// One stream that is not closed (RFC 9113 section 5.1).
struct Stream: Sendable {
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        /// The peer has ended its direction.
        static var remoteEnded: Flags { Flags(rawValue: 1) }
        /// We have ended ours.
        static var localEnded: Flags { Flags(rawValue: 2) }
        /// A server's: the final response was begun; a client's: it has come.
        static var answered: Flags { Flags(rawValue: 4) }
        /// The request was HEAD: no content answers it.
        static var isHead: Flags { Flags(rawValue: 8) }
        /// An extended CONNECT (RFC 8441).
        static var isTunnel: Flags { Flags(rawValue: 16) }
    }

    let id: UInt32
    /// May be below zero after a change of the peer's settings.
    var sendWindow: Int32
    var receiveWindow: Int32
    /// Bytes that were taken and not yet given back.
    var unreturned: Int32 = 0
    var flags: Flags = []
    /// Content that has to come still; -1 when nobody said how much.
    var contentLeft = -1
    /// Since when there is content and no window; `Int64.max` when it is not so.
    var stalledSince = Int64.max

    init(id: UInt32, sendWindow: Int, receiveWindow: Int) {
        self.id = id
        self.sendWindow = Int32(truncatingIfNeeded: sendWindow)
        self.receiveWindow = Int32(truncatingIfNeeded: receiveWindow)
    }
}
