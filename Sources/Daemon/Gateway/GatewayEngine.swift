package import Config
package import Net
package import Proxy

/// A socket that listens, on its way from the binder to the engine.
package struct BoundListener: Sendable, Equatable {
    /// Name of the configuration's listener.
    package var name: String
    package var spec: ListenSpec
    /// The engine's own: it closes it once a publication no longer lists it, and at its end.
    package var descriptor: Int32
    /// Where it really listens: with the port that the kernel chose.
    package var address: SocketAddress
}

/// What the life cycle asks of the engine that serves. All calls come from one thread.
package protocol GatewayEngine {
    /// Starts the workers. Called once.
    func start(_ config: GatewayConfig, listeners: [BoundListener]) throws
    /// Puts a configuration in force for every request that begins from now on. Fails only as a whole: then everything
    /// is as it was. Listeners with a descriptor of before go on, missing ones are stopped.
    func publish(_ config: GatewayConfig, listeners: [BoundListener]) throws
    /// Waits, not for ever, until every worker runs new requests under what was published last. How many do not yet.
    func waitForWorkers() -> Int
    /// Tells whoever asks for metrics what happens to the process.
    func tell(_ change: (inout MetricsDesk.Facts) -> Void)
    /// Tells those who asked for a reload how it ended.
    func answer(_ outcome: ReloadOutcome)
    /// Stops listening, lets every exchange end, and closes what is left after `timeout`.
    func drain(timeout: Duration)
    /// Closes everything now.
    func stop()
    /// What its successor needs to take up the TLS sessions of clients; changes with time. Nil: there are none.
    var sessionKeys: SessionKeys? { get }
    /// All connections are gone after `drain` or `stop`.
    var isStopped: Bool { get }
    /// Waits until every worker has ended. Only after `drain` or `stop`.
    func waitUntilStopped()
}
