import Config
import Containers
import Linux

/// The process that stays: it holds the listening sockets and the last published configuration, starts the gateway
/// process and starts it again when it dies. It reads nothing from the network, has one thread and no event loop.
///
///     signals ──▶ forwarded to the gateway       gateway ends ──▶ RestartPolicy ──▶ exit or spawn again
///     bind request ──▶ ListenerTable ──▶ descriptors       published ──▶ snapshot kept, unused sockets closed
struct Supervisor: ~Copyable {
    /// This very program, even when its file was replaced.
    static let program = "/proc/self/exe"
    /// After a demand to stop at once, or a broken conversation, a gateway has this long to go by itself.
    private static let killAfter: Int64 = 5_000_000_000

    private let command: GatewayCommand
    private let signals: SignalDescriptor
    private var listeners: ListenerTable
    private var policy = RestartPolicy()
    private var log = SupervisorLog()
    /// The last published configuration; a gateway that starts with it reads no file.
    private var snapshot: FileDescriptor?
    private var control: MessageSocket?
    private var child: Int32?
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
        listeners = ListenerTable(systemd: .fromEnvironment())
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
    }

    /// Milliseconds until something is due; nil: nothing is.
    private func timeout() -> Int32? {
        guard let due = [restartAt, killAt].compactMap({ $0 }).min() else { return nil }
        let nanoseconds = max(0, due.since(Clock.monotonic))
        return Int32(clamping: nanoseconds / 1_000_000 + 1)
    }

    // MARK: The gateway process

    private mutating func spawn() {
        do throws(Errno) {
            let (ours, theirs) = try MessageSocket.pair()
            control = MessageSocket(owning: ours)
            let end = FileDescriptor(owning: theirs)
            var descriptors = [end.number]
            if let number = snapshot?.number { descriptors.append(number) }
            let arguments = command.arguments(hasSnapshot: descriptors.count == 2)
            let child = try Process.spawn(Self.program, arguments, descriptors: descriptors)
            self.child = child
            policy.started(now: Clock.monotonic)
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
        // What it had asked before it ended; without a child this comes to an end.
        while control != nil { readRequest() }
        killAt = nil
        if !policy.isStopping, policy.hasServed, ending != .exited(code: 0) {
            log.write(.error, "the gateway process \(Self.describe(ending))")
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
        }
    }

    private static func describe(_ ending: Process.Ending) -> String {
        switch ending {
        case .exited(let code): "ended with exit code \(code)"
        case .killed(let signal): "was ended by signal \(signal)"
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
            policy.isStopping = true
            guard let child else {
                exitCode = 0
                return
            }
            Process.send(signal, to: child)
            if isUrgent { killAt = Clock.monotonic.advanced(by: Self.killAfter) }
        case .hangup:
            if let child { Process.send(signal, to: child) } else { reloadIsDue = true }
        case .user1:
            if let child { Process.send(signal, to: child) }
        case .kill, .pipe:
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
        case .logs(let config):
            log.config = config
        case .published(_, let specs):
            guard let file = descriptors.takeFirst(), MemoryFile.isSealed(file.number) else { throw MalformedMessage() }
            snapshot = consume file
            for failure in listeners.keep(only: specs) { log.write(.warning, failure.description) }
        case .ready:
            policy.ready()
            Process.releaseMemory()
        case .draining:
            policy.isStopping = true
            listeners.closeAll()
        }
    }

    private mutating func reply(_ reply: SupervisorReply, _ descriptors: [Int32]) {
        do throws(Errno) {
            try control?.send(reply.bytes, descriptors: descriptors)
        } catch {
            hangUp("cannot be answered: \(error)")
        }
    }
}
