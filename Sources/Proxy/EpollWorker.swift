import Synchronization
import EventLoop
import Linux

/// Runs a worker on the epoll driver. Here, beside the engine, because only in its own module is the generic worker
/// specialised for the driver (measured on a toy: 63 % more instructions when it is not).
enum EpollWorker {
    /// - Parameters:
    ///   - heartbeats: descriptor of the `Heartbeats` that a supervisor looks at; nil: nobody does.
    ///   - begun: told once that the worker serves, or why it cannot.
    static func run(
        context: WorkerContext, wake: Wakeup, snapshot: Snapshot, running: RunningWorkers, heartbeats: Int32?,
        begun: (Errno?) -> Void
    ) {
        defer {
            for descriptor in context.inbox.close() { _ = FileDescriptor(owning: descriptor) }
        }
        defer { running.count.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
        do throws(Errno) {
            let heartbeats = try Heartbeats(mapping: heartbeats, worker: context.index)
            let driver = try EpollDriver.make(connections: context.connectionsLimit &* 2, wake: wake)
            var worker = Worker(driver: driver, context: context, snapshot: snapshot, seed: Clock.randomSeed())
            begun(nil)
            var turns: UInt64 = 0
            while worker.phase != .stopped {
                turns &+= 1
                heartbeats.beat(turns)
                worker.turn()
            }
            heartbeats.beat(Heartbeats.ended)
        } catch {
            begun(error)
        }
    }
}
