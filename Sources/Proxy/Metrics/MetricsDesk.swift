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

        package init() {}
    }

    private let inboxes = Mutex<[Inbox]>([])
    private let shared = Mutex(Facts())

    package init() {}

    package var facts: Facts { shared.withLock { $0 } }

    package func change(_ change: (inout Facts) -> Void) { shared.withLock { change(&$0) } }

    /// The workers have started.
    func open(_ inboxes: [Inbox]) { self.inboxes.withLock { $0 = inboxes } }

    /// The figures of all workers, as a scraper reads them.
    func text(_ format: MetricsText.Format, certificates: [CertificateFact]) async -> [UInt8] {
        let all = inboxes.withLock { $0 }
        let report = await ReportCollection.sum(of: all)
        var text = MetricsText(format)
        text.append(facts, workers: all.count)
        text.append(report)
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
