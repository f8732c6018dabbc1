package import Containers
import Synchronization
import Telemetry

/// Where whoever asks for metrics finds the workers, and what no worker knows: shared by all configurations of a process.
package final class MetricsDesk: Sendable {
    /// What the life cycle tells.
    package struct Facts: Sendable, Equatable {
        package var version = ""
        package var generation: UInt64 = 0
        package var reloadSucceeded = true
        /// Unix seconds of the last start or reload that put a configuration in force.
        package var reloadTime: Int64 = 0
        /// Load balancers may send requests: the gateway serves and nobody asked it to stop.
        package var isReady = false

        package var processID: Int32 = 0
        /// When serving began.
        package var started = Instant(nanoseconds: 0)
        package var listeners: [Listener] = []
        /// The newest last.
        package private(set) var reloads: [ReloadOutcome] = []

        package init() {}

        package mutating func note(_ reload: ReloadOutcome) {
            if reloads.count == MetricsDesk.reloadsLimit { reloads.removeFirst() }
            reloads.append(reload)
        }
    }

    package struct Listener: Sendable, Equatable {
        package var name: String
        package var address: String

        package init(name: String, address: String) {
            self.name = name
            self.address = address
        }
    }

    /// The figures of all workers.
    struct Figures: Sendable {
        var workers: Int
        var report: WorkerReport
    }

    /// Reloads that are remembered.
    static let reloadsLimit = 32
    /// Reloads that clients ask for; nil: nobody would heed them.
    let reloads: ReloadRequests?

    private let inboxes = Mutex<[Inbox]>([])
    private let shared = Mutex(Facts())

    package init(reloads: ReloadRequests? = nil) { self.reloads = reloads }

    package var facts: Facts { shared.withLock { $0 } }

    package func change(_ change: (inout Facts) -> Void) { shared.withLock { change(&$0) } }

    /// The workers have started.
    func open(_ inboxes: [Inbox]) { self.inboxes.withLock { $0 = inboxes } }

    func figures() async -> Figures {
        let all = inboxes.withLock { $0 }
        return Figures(workers: all.count, report: await ReportCollection.sum(of: all))
    }

    /// The figures of all workers, as a scraper reads them.
    func text(_ format: MetricsText.Format, certificates: [CertificateFact]) async -> [UInt8] {
        let figures = await figures()
        var text = MetricsText(format)
        text.append(facts, workers: figures.workers)
        text.append(figures.report)
        text.append(certificates)
        return text.finished()
    }
}

/// A listener's certificate.
struct CertificateFact: Sendable, Equatable {
    let listener: String
    let file: String
    /// Unix seconds.
    let notAfter: Int64
}
