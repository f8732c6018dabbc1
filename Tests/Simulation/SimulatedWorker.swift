import EventLoop
import Proxy

/// One worker of a simulated gateway, as its thread would run it.
final class SimulatedWorker {
    var worker: Worker<SimulatedDriver>
    let inbox: Inbox
    private(set) var isStopped = false

    private let network: SimulatedNetwork

    init(_ worker: consuming Worker<SimulatedDriver>, inbox: Inbox, network: SimulatedNetwork) {
        self.network = network
        self.worker = worker
        self.inbox = inbox
    }

    /// One turn, if there is anything to do. False: there is not.
    func turn() -> Bool {
        guard !isStopped, worker.driver.base.isReady() else { return false }
        worker.turn()
        if worker.phase == .stopped {
            isStopped = true
            for descriptor in inbox.close() { network.discard(descriptor) }
            worker.driver.base.end()
        }
        return true
    }
}
