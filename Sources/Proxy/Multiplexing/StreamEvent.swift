import Containers
import EventLoop
import HTTP

/// What happened to a stream, or to a connection because of its frames.
enum StreamEvent: ~Copyable {
    /// What any socket could bring.
    case socket(IOEvent)
    /// A client has opened a stream; the driver's `section` has the head of its request. `owner` is the connection's session.
    case request(SocketID, owner: SlabKey, isEnd: Bool)
    /// The same for a request that is valid and must not be served.
    case refused(SocketID, owner: SlabKey, ErrorCode)
    /// `section` has trailers. The end that they stand before is told by itself, behind the content.
    case trailers(SocketID)
    /// The peer broke the rules, or ended the connection: nothing more comes. What had to be said is queued.
    case over(owner: SlabKey, isServer: Bool, isFlood: Bool)
    /// The peer opens no more streams, or takes no more.
    case goingAway(owner: SlabKey, isServer: Bool)
    /// The head of an answer; the driver's `section` has it.
    case response(SocketID, isEnd: Bool)
    case interim(SocketID)
    /// A head or trailers that are more than is allowed.
    case tooLarge(SocketID, ErrorCode)
    /// A connection of ours may take more streams than before.
    case roomier(owner: SlabKey)
}
