import Config
import Containers
import Linux

/// The process that stays: it holds the listening sockets and the last published configuration, starts the gateway
/// process and starts it again when it dies. It reads nothing from the network, has one thread and no event loop.
///
///     signals ──▶ forwarded to the gateway       gateway ends ──▶ RestartPolicy ──▶ exit or spawn again
///     no turns ──▶ HangWatch ──▶ SIGABRT, SIGKILL         a worker's turn ──▶ Heartbeats
///     bind request ──▶ ListenerTable ──▶ descriptors       published ──▶ snapshot kept, unused sockets closed
struct Supervisor: ~Copyable {
    /// This very program, even when its file was replaced.
    static let program = "/proc/self/exe"
    /// After a demand to stop at once, or a broken conversation, a gateway has this long to go by itself.
    private static let killAfter: Int64 = 5_000_000_000
    /// And one that hangs so long to write down where.
    private static let traceTime: Int64 = 3_000_000_000
    /// Milliseconds that a gateway may leave an answer unread when others follow.
    private static let replyPatience: Int32 = 1_000

    private let command: GatewayCommand
    private let signals: SignalDescriptor
    private var listeners: ListenerTable
    private var policy = RestartPolicy()
    private var log = SupervisorLog()
    /// The last published configuration; a gateway that starts with it reads no file.
    private var snapshot: FileDescriptor?
    /// What the next gateway process needs to take up the TLS sessions of this one; secret, and nowhere but here.
    private var sessionKeys: [UInt8] = []
    private var control: MessageSocket?
    private var child: Int32?
    private var watch = HangWatch()
    private var heartbeats: Heartbeats?
    private var manager: ServiceManager
    /// It was said that a debugger keeps the gateway from running.
    private var hasMentionedDebugger = false
    /// How the last gateway process ended, if one did that should not have.
    private var lastEnding: String?
    private var restartAt: Instant?
    private var killAt: Instant?
    /// A SIGHUP came while no gateway ran.
    private var reloadIsDue = false
    private var exitCode: Int32?

    /// - Parameter snapshot: a sealed configuration to start with instead of a file.
    init(command: GatewayCommand, snapshot: consuming FileDescriptor?) throws(Errno) {
        self.command = command
        self.snapshot = snapshot
        signals = try SignalDescriptor([.hangup, .interrupt, .quit, .user1, .terminate, .child])
        let systemd = SystemdSockets.fromEnvironment()
        sessionKeys = systemd.sessionKeys
        listeners = ListenerTable(systemd: systemd)
        let log = SupervisorLog()
        manager = .fromEnvironment { log.write(.warning, "cannot tell the service manager: \($0)") }
        // Swift's own backtraces take a crashing process seconds, in which nobody accepts. Who wants them sets the variable.
        if Process.environment("SWIFT_BACKTRACE") == nil { Process.setEnvironment("SWIFT_BACKTRACE", "enable=no") }
    }

    /// Runs until the gateway has ended for good; the exit code.
    consuming func run() -> Int32 {
        spawn()
        while exitCode == nil { turn() }
        listeners.closeAll()
        return exitCode ?? 1
    }

    private mutating func turn() {
        var descriptors = [signals.number]
        if let number = control?.number { descriptors.append(number) }
        let ready = Poll.wait(descriptors, milliseconds: timeout())
        // Requests before signals: what the gateway said before it died still counts.
        if ready.contains(index: 1) { readRequest() }
        while let (signal, _) = signals.next() { handle(signal) }
        let now = Clock.monotonic
        if let due = killAt, now >= due, let child {
            killAt = nil
            log.write(.error, "the gateway process \(child) does not end by itself: killed")
            Process.send(.kill, to: child)
        }
        if let due = restartAt, now >= due {
            restartAt = nil
            spawn()
        }
        if let due = watch.next, now >= due { look(now) }
        if let due = manager.next, now >= due { manager.look(child == nil ? [] : workerCounts(), now: now) }
    }

    /// Milliseconds until something is due; nil: nothing is.
    private func timeout() -> Int32? {
        guard let due = [restartAt, killAt, watch.next, manager.next].compactMap({ $0 }).min() else { return nil }
        let nanoseconds = max(0, due.since(Clock.monotonic))
        return Int32(clamping: nanoseconds / 1_000_000 + 1)
    }

    // MARK: The gateway process

    private mutating func spawn() {
        do throws(Errno) {
            let (ours, theirs) = try MessageSocket.pair()
            control = MessageSocket(owning: ours)
            let end = FileDescriptor(owning: theirs)
            let page = try Heartbeats.file()
            heartbeats = try Heartbeats(mapping: page.number)
            var descriptors = [end.number, page.number]
            if let number = snapshot?.number { descriptors.append(number) }
            let start = GatewayCommand.Start(hasSnapshot: descriptors.count == 3, predecessor: lastEnding)
            let child = try Process.spawn(Self.program, command.arguments(start), descriptors: descriptors)
            self.child = child
            let now = Clock.monotonic
            policy.started(now: now)
            watch.begin(takesOver: policy.hasServed, now: now)
            hasMentionedDebugger = false
            if reloadIsDue {
                // The signal waits, blocked, until the process reads it.
                reloadIsDue = false
                Process.send(.hangup, to: child)
            }
        } catch {
            control = nil
            log.write(.error, "cannot start a gateway process: \(error)")
            follow(policy.ended(.exited(code: 71), now: Clock.monotonic))
        }
    }

    private mutating func ended(_ ending: Process.Ending) {
        child = nil
        watch.end()
        // What it had asked before it ended; without a child this comes to an end.
        while control != nil { readRequest() }
        killAt = nil
        if !policy.isStopping, policy.hasServed, ending != .exited(code: 0) {
            let description = Self.describe(ending)
            lastEnding = description
            log.write(.error, "the gateway process \(description)")
        }
        follow(policy.ended(ending, now: Clock.monotonic))
    }

    private mutating func follow(_ decision: RestartPolicy.Decision) {
        switch decision {
        case .exit(let code):
            exitCode = code
        case .restart(let pause):
            restartAt = Clock.monotonic.advanced(by: pause)
            let time = pause == 0 ? "now" : "in \(pause / 1_000_000) ms"
            log.write(.warning, "a new gateway process starts \(time) with the last published configuration")
        case .giveUp:
            let seconds = RestartPolicy.window / 1_000_000_000
            log.write(
                .error, "the gateway process ended \(RestartPolicy.endsLimit) times within \(seconds) s: giving up")
            exitCode = ExitStatus.keepsDying
        }
    }

    private static func describe(_ ending: Process.Ending) -> String {
        switch ending {
        case .exited(let code): "ended with exit code \(code)"
        case .killed(let signal): "was ended by signal \(signal)"
        }
    }

    // MARK: Hangs

    /// Turns of the workers that have begun.
    private func workerCounts() -> [UInt64] {
        var counts: [UInt64] = []
        while counts.count < Heartbeats.limit, let count = heartbeats?.count(counts.count), count != Heartbeats.never {
            counts.append(count)
        }
        return counts
    }

    private mutating func look(_ now: Instant) {
        guard let finding = watch.look(workerCounts(), now: now), let child else { return }
        let standstill = Process.standstill(of: child)
        let what: String
        switch finding {
        case .worker(let worker, let silence):
            let reason = standstill?.isStopped == true ? ", for it is stopped" : ""
            what =
                "the gateway process \(child) hangs: worker \(worker) made no turn for \(silence / 1_000_000) ms\(reason)"
        case .start(let silence):
            what = "the gateway process \(child) does not come to serve in \(silence / 1_000_000_000) s"
        }
        if standstill?.isTraced == true {
            // Somebody looks at it.
            watch.forgive()
            if !hasMentionedDebugger { log.write(.warning, "\(what); a debugger is attached, so it is left alone") }
            hasMentionedDebugger = true
            return
        }
        log.write(.error, "\(what); it is ended")
        watch.end()
        if standstill?.isStopped == true {
            // It takes no other signal, and if it went on for that it would accept connections and die with them.
            Process.send(.kill, to: child)
        } else {
            Process.send(.abort, to: child)
            killAt = [killAt, now.advanced(by: Self.traceTime)].compactMap { $0 }.min()
        }
    }

    // MARK: Signals

    private mutating func handle(_ signal: Signal) {
        switch signal {
        case .child:
            while let (id, ending) = Process.reap() {
                if id == child { ended(ending) }
            }
        case .terminate, .interrupt, .quit:
            let isUrgent = policy.isStopping || signal == .quit
            if !policy.isStopping { manager.stopping(drainTime: log.settings.drainTime) }
            policy.isStopping = true
            guard let child else {
                exitCode = 0
                return
            }
            Process.send(signal, to: child)
            if isUrgent { killAt = Clock.monotonic.advanced(by: Self.killAfter) }
        case .hangup:
            manager.reloading(now: Clock.monotonic)
            if let child { Process.send(signal, to: child) } else { reloadIsDue = true }
        case .user1:
            if let child { Process.send(signal, to: child) }
        case .kill, .abort, .pipe, .fileSize:
            break
        }
    }

    // MARK: Requests

    private mutating func readRequest() {
        // A broken conversation must not block us: there is something to read, or we do not read.
        guard let number = control?.number else { return }
        guard Poll.wait([number], milliseconds: 0).contains(index: 0) else {
            if child == nil { control = nil }
            return
        }
        switch control?.receive() {
        case .message(let bytes, let descriptors):
            var received = ReceivedDescriptors(descriptors)
            do throws(MalformedMessage) {
                try serve(GatewayRequest(bytes: bytes), &received)
            } catch {
                hangUp("sent a request that is none")
            }
        case .end:
            control = nil
            if killAt == nil { killAt = Clock.monotonic.advanced(by: Self.killAfter) }
        case .failed(let error):
            hangUp("cannot be heard: \(error)")
        case nil:
            break
        }
    }

    private mutating func hangUp(_ reason: String) {
        control = nil
        log.write(.error, "the gateway process \(reason)")
        if let child { Process.send(.kill, to: child) }
    }

    private mutating func serve(
        _ request: GatewayRequest, _ descriptors: inout ReceivedDescriptors
    ) throws(MalformedMessage) {
        switch request {
        case .bind(let number, let spec):
            do throws(BindFailure) {
                reply(.sockets(number: number), try listeners.open(spec))
            } catch {
                reply(.bindFailed(number: number, reason: error.description), [])
            }
        case .release(let specs):
            listeners.close(specs)
        case .settings(let settings):
            log.settings = settings
            watch.limit = settings.hangTimeout
        case .reloadFailed(let reason):
            manager.reloadFailed(reason)
        case .published(let generation, let specs):
            guard let file = descriptors.takeFirst(), MemoryFile.isSealed(file.number) else { throw MalformedMessage() }
            snapshot = consume file
            for failure in listeners.keep(only: specs) { log.write(.warning, failure.description) }
            manager.published(generation: generation)
        case .keepSessionKeys(let keys):
            sessionKeys = keys
            manager.keep(sessionKeys: keys)
        case .askSessionKeys(let number):
            reply(.sessionKeys(number: number, sessionKeys), [])
        case .ready:
            policy.ready()
            watch.served()
            manager.ready(now: Clock.monotonic)
            Process.releaseMemory()
        case .draining:
            policy.isStopping = true
            listeners.closeAll()
        }
    }

    private mutating func reply(_ reply: SupervisorReply, _ descriptors: [Int32]) {
        guard let number = control?.number else { return }
        guard Poll.waitWritable(number, milliseconds: Self.replyPatience) else {
            hangUp("does not read what it is answered")
            return
        }
        do throws(Errno) {
            try control?.send(reply.bytes, descriptors: descriptors)
        } catch {
            hangUp("cannot be answered: \(error)")
        }
    }
}
