internal import Containers
internal import Linux
internal import Net

/// The work of the resolver's thread: which name is asked for when, and what an answer means.
struct ResolverLoop {
    private struct Name {
        /// When it is asked for next; `.never` while it is being asked for.
        var due: Instant
        var addresses: [IPAddress] = []
        var isKnown = false
        var failure: ResolutionFailure?
        var negatives = 0

        var isJudged: Bool { isKnown || failure != nil }
    }

    private let shared: ResolverShared
    private let servers: String?
    private let timing: ResolverTiming
    private let onFailure: @Sendable (String, ResolutionFailure) -> Void
    private let onChange: @Sendable (String, [IPAddress]) -> Void
    private var names: [String: Name] = [:]
    /// The last order that was taken.
    private var order: UInt64 = 0
    /// Open while there are questions, so that each round of them sees the resolv.conf of its time.
    private var channel: AresChannel?

    init(
        shared: ResolverShared, servers: String?, timing: ResolverTiming,
        onFailure: @escaping @Sendable (String, ResolutionFailure) -> Void,
        onChange: @escaping @Sendable (String, [IPAddress]) -> Void
    ) {
        self.shared = shared
        self.servers = servers
        self.timing = timing
        self.onFailure = onFailure
        self.onChange = onChange
    }

    mutating func run() {
        LogFile.blockSignals()
        while true {
            let next = shared.takeOrder()
            if next.isStopping { break }
            if next.number != order { take(next) }
            askForWhatIsDue()
            takeAnswers()
            let wait = names.values.reduce(Instant.never) { min($0, $1.due) }
            if let channel {
                channel.wait(until: wait, wakeUp: shared.wakeUpNumber)
                takeAnswers()
                if channel.isIdle { self.channel = nil }
            } else {
                AresChannel.wait(until: wait, wakeUp: shared.wakeUpNumber)
            }
        }
        channel = nil
        shared.noteFinished()
    }

    private mutating func take(_ next: ResolverShared.Order) {
        for name in next.forgotten { names[name] = nil }
        let now = Clock.monotonic
        for name in next.names where names[name] == nil { names[name] = Name(due: now) }
        order = next.number
        shared.noteTaken(next)
    }

    private mutating func askForWhatIsDue() {
        let now = Clock.monotonic
        for name in names.filter({ $0.value.due <= now }).keys.sorted() {
            if case .addresses(let found, _) = AresChannel.hosts(name) {
                note(name, found, life: timing.hostsLife)
                continue
            }
            if channel == nil { channel = AresChannel(servers: servers, timing: timing) }
            guard let channel else {
                note(name, .server("out of memory"))
                continue
            }
            names[name]?.due = .never
            channel.ask(name)
        }
    }

    private mutating func takeAnswers() {
        guard let channel else { return }
        for answer in channel.takeAnswers() {
            switch answer.outcome {
            case .addresses(let found, let seconds):
                let life = min(max(Int64(seconds) * 1_000_000_000, timing.shortestLife), timing.longestLife)
                note(answer.name, found, life: life)
            case .failure(let failure):
                note(answer.name, failure)
            }
        }
    }

    private mutating func note(_ name: String, _ found: [IPAddress], life: Int64) {
        guard var state = names[name] else { return }
        let isFirst = !state.isJudged
        state.due = Clock.monotonic.advanced(by: life)
        state.failure = nil
        state.negatives = 0
        let usable = RoutableAddresses.among(found)
        let isNew = !state.isKnown || state.addresses != usable
        state.addresses = usable
        state.isKnown = true
        names[name] = state
        if isNew { publish(name, usable) }
        if isFirst { shared.noteVerdict(name) }
    }

    private mutating func note(_ name: String, _ failure: ResolutionFailure) {
        guard var state = names[name] else { return }
        let isFirst = !state.isJudged
        state.due = Clock.monotonic.advanced(by: timing.retry)
        let isNews = state.failure != failure
        state.failure = failure
        // That a name is gone is an answer, but one that a server in trouble gives too easily: it has to be said
        // several times.
        state.negatives = failure == .notFound ? state.negatives + 1 : 0
        let isGone = state.negatives >= timing.negativesLimit && !state.addresses.isEmpty
        if isGone { state.addresses = [] }
        names[name] = state
        if isNews { onFailure(name, failure) }
        if isGone { publish(name, []) }
        if isFirst { shared.noteVerdict(name) }
    }

    private func publish(_ name: String, _ addresses: [IPAddress]) {
        shared.note(name, addresses)
        onChange(name, addresses)
    }
}
