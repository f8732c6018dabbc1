package import Net

/// The far end of a simulated connection: a client or an origin. Called by the network as time passes, never from inside a
/// call of the gateway.
package protocol SimulatedPeer: AnyObject {
    func connected(_ connection: SimulatedConnection)
    /// Nobody listens.
    func refused(_ connection: SimulatedConnection)
    func received(_ connection: SimulatedConnection, _ bytes: [UInt8])
    /// The gateway ended its direction; all its bytes were received.
    func ended(_ connection: SimulatedConnection)
    func wasReset(_ connection: SimulatedConnection)
}

/// Makes the far end of connections that the gateway opens.
package protocol SimulatedService: AnyObject {
    var address: SocketAddress { get }
    func accept(_ connection: SimulatedConnection) -> any SimulatedPeer
}
