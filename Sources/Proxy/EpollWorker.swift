import Synchronization
import EventLoop
import Linux

/// Runs a worker on the epoll driver. Here, beside the engine, because only in its own module is the generic worker
/// specialised for the driver (measured on a toy: 63 % more instructions when it is not).
enum EpollWorker {
    static func run(context: WorkerContext, wake: Wakeup, snapshot: Snapshot, running: RunningWorkers) {
        defer { context.inbox.close() }
        defer { running.count.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
        do throws(Errno) {
            let driver = try EpollDriver.make(connections: context.connectionsLimit &* 2, wake: wake)
            var worker = Worker(driver: driver, context: context, snapshot: snapshot, seed: Clock.randomSeed())
            while worker.phase != .stopped { worker.turn() }
        } catch {
            context.failed(error)
        }
    }
}
