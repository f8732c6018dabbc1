import Containers
import Linux
import Proxy

/// What a serving process hears from outside, and its clock.
protocol DemandSource: ~Copyable {
    var now: Instant { get }
    /// Unix seconds.
    var wallSeconds: Int64 { get }
    /// Waits for something to do, at most so long; nil waits for ever.
    mutating func next(milliseconds: Int32?) -> DemandEvent
}

enum DemandEvent: Equatable {
    /// Nothing new when empty.
    case demands(Demands)
    /// Who holds the sockets is gone.
    case holderGone
}

/// Signals, and the supervisor's end of the control socket.
struct SignalDemands: DemandSource, ~Copyable {
    private let signals: SignalDescriptor
    /// The only one whose signals count; nil: everybody's do.
    private let supervisor: Int32?
    /// Readable when the supervisor is gone.
    private let control: Int32?
    /// What clients of the admin API ask for.
    private let reloads: ReloadRequests?

    init(
        signals: consuming SignalDescriptor, supervisor: Int32?, control: Int32?, reloads: ReloadRequests? = nil
    ) {
        self.reloads = reloads
        self.signals = signals
        self.supervisor = supervisor
        self.control = control
    }

    var now: Instant { Clock.monotonic }
    var wallSeconds: Int64 { Clock.wall.seconds }

    mutating func next(milliseconds: Int32?) -> DemandEvent {
        var descriptors = [signals.number]
        if let reloads { descriptors.append(reloads.descriptor) }
        // Last, so that its place is known.
        if let control { descriptors.append(control) }
        let ready = Poll.wait(descriptors, milliseconds: milliseconds)
        if control != nil, ready.contains(index: descriptors.count - 1) { return .holderGone }
        var demands = Demands()
        while let (signal, sender) = signals.next() { demands.add(signal, from: sender, supervisor: supervisor) }
        if let reloads, reloads.take() { demands.reload = true }
        return .demands(demands)
    }
}
