import Config
import EventLoop
import Linux
import Middleware
import Synchronization
import Telemetry

/// A worker without listeners, on a thread of its own: for clients outside the daemon.
package final class ClientWorker: Sendable {
    package let inbox: Inbox
    private let running = RunningWorkers(count: 1)

    /// Starts the thread.
    ///
    /// - Parameter connectionsLimit: connections that may be open at once.
    package init(connectionsLimit: Int) throws {
        let wakeup = try Wakeup()
        let inbox = Inbox { wakeup.signal() }
        self.inbox = inbox
        let builder = SnapshotBuilder(
            kinds: MiddlewareKinds(), subrequests: NoSubrequests(), connectionsLimit: connectionsLimit)
        let snapshot = try builder.build(GatewayConfig(), previous: nil, numbers: [:], lanes: LogLaneNumbers())
        let context = WorkerContext(
            index: 0, inboxes: [inbox], loads: WorkerLoads(workers: 1), connectionsLimit: connectionsLimit,
            executor: WorkerExecutor { wakeup.signal() })
        let running = running
        try Thread.detach(name: "client") {
            // A worker that cannot start closes its inbox: every call fails.
            EpollWorker.run(
                context: context, wake: wakeup, snapshot: snapshot, running: running, heartbeats: nil, begun: { _ in })
        }
    }

    /// Ends the thread; calls that run fail.
    package func stop() { inbox.post(.stop) }

    package var isStopped: Bool { running.count.load(ordering: .acquiring) == 0 }
}
