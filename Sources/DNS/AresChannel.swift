internal import CAres
internal import Containers
internal import Glibc
internal import Linux
internal import Net

/// A c-ares channel: questions in flight with their sockets. Used by one thread, and freed with everything that is
/// still asked.
@safe
final class AresChannel {
    enum Outcome {
        /// Sorted, each once, at least one; with the shortest time to live in seconds.
        case addresses([IPAddress], seconds: Int)
        case failure(ResolutionFailure)
    }

    struct Answer {
        let name: String
        let outcome: Outcome
    }

    /// Addresses that are taken from one answer.
    private static let addressesLimit = 256
    private static let isInitialised = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS

    private let channel: ares_channel
    private var answers: [Answer] = []
    private var questions = 0

    /// Nil when c-ares cannot be set up (no memory) or `servers` is not valid.
    convenience init?(servers: String?, timing: ResolverTiming) {
        self.init(lookups: "b", timing: timing)
        guard let servers else { return }
        // SAFETY: the channel is open, the string lives during the call.
        if unsafe ares_set_servers_ports_csv(channel, servers) != ARES_SUCCESS { return nil }
    }

    private init?(lookups: String, timing: ResolverTiming) {
        guard Self.isInitialised else { return nil }
        var options = unsafe ares_options()
        unsafe options.timeout = timing.timeout
        unsafe options.tries = timing.tries
        var opened: ares_channel?
        let mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS
        var letters = lookups.utf8CString.map { $0 }
        let status = unsafe letters.withUnsafeMutableBufferPointer { letters in
            // SAFETY: c-ares copies the options during the call.
            unsafe options.lookups = letters.baseAddress
            return unsafe ares_init_options(&opened, &options, mask)
        }
        guard status == ARES_SUCCESS, let opened = unsafe opened else { return nil }
        unsafe channel = opened
    }

    deinit {
        // SAFETY: opened in `init`. Calls the callbacks of all open questions, each of which releases what it holds.
        unsafe ares_destroy(channel)
    }

    var isIdle: Bool { questions == 0 && answers.isEmpty }

    func takeAnswers() -> [Answer] {
        defer { answers = [] }
        return answers
    }

    /// What the hosts file says, `localhost` included.
    static func hosts(_ name: String) -> Outcome? {
        guard let channel = AresChannel(lookups: "f", timing: ResolverTiming()) else { return nil }
        channel.ask(name)
        return channel.takeAnswers().first?.outcome
    }

    /// Asks for the addresses of both families. The answer comes with `takeAnswers`, perhaps already now.
    func ask(_ name: String) {
        questions += 1
        var hints = ares_addrinfo_hints()
        hints.ai_family = AF_UNSPEC
        // Both a datagram and a stream entry would come for each address.
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = ARES_AI_NOSORT
        let question = unsafe Unmanaged.passRetained(Question(name: name, channel: self)).toOpaque()
        // SAFETY: the callback is called exactly once for each question, at the latest from `ares_destroy`; it takes
        // over the reference.
        unsafe ares_getaddrinfo(
            channel, name, nil, &hints,
            { context, status, _, result in
                defer { unsafe ares_freeaddrinfo(result) }
                guard let context = unsafe context else { return }
                let question = unsafe Unmanaged<Question>.fromOpaque(context).takeRetainedValue()
                unsafe question.channel?.note(question.name, status, result)
            }, question)
    }

    /// Weak, because a channel that goes away answers its last questions while it does.
    private final class Question {
        let name: String
        weak var channel: AresChannel?

        init(name: String, channel: AresChannel) {
            self.name = name
            self.channel = channel
        }
    }

    private func note(_ name: String, _ status: Int32, _ result: UnsafeMutablePointer<ares_addrinfo>?) {
        questions -= 1
        answers.append(Answer(name: name, outcome: unsafe Self.outcome(status, result)))
    }

    private static func outcome(_ status: Int32, _ result: UnsafeMutablePointer<ares_addrinfo>?) -> Outcome {
        switch status {
        case ARES_SUCCESS:
            var found: Set<IPAddress> = []
            var seconds = Int.max
            // SAFETY: the list belongs to the result, which is freed after this.
            var node = unsafe result?.pointee.nodes
            while let current = unsafe node {
                if let address = unsafe address(current.pointee), found.count < addressesLimit {
                    found.insert(address)
                    seconds = unsafe min(seconds, Int(max(0, current.pointee.ai_ttl)))
                }
                unsafe node = current.pointee.ai_next
            }
            if found.isEmpty { return .failure(.notFound) }
            return .addresses(found.sorted(by: precedes), seconds: seconds)
        case ARES_ENOTFOUND, ARES_ENODATA, ARES_EBADNAME: return .failure(.notFound)
        case ARES_ETIMEOUT: return .failure(.timeout)
        default:
            // SAFETY: the text is a constant of the library.
            return .failure(.server(unsafe String(cString: ares_strerror(status))))
        }
    }

    private static func address(_ node: ares_addrinfo_node) -> IPAddress? {
        guard let raw = unsafe UnsafeRawPointer(node.ai_addr) else { return nil }
        // SAFETY: c-ares gives an address structure of the size that belongs to the family.
        switch unsafe (node.ai_family, Int(node.ai_addrlen)) {
        case (AF_INET, MemoryLayout<sockaddr_in>.size...):
            let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
            return .v4(UInt32(bigEndian: address.sin_addr.s_addr))
        case (AF_INET6, MemoryLayout<sockaddr_in6>.size...):
            var address = unsafe raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
            return unsafe withUnsafeBytes(of: &address) { bytes in
                .v6(
                    UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                    UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
        default: return nil
        }
    }

    private static func precedes(_ left: IPAddress, _ right: IPAddress) -> Bool {
        switch (left, right) {
        case (.v4(let left), .v4(let right)): left < right
        case (.v4, .v6): true
        case (.v6, .v4): false
        case (.v6(let leftHigh, let leftLow), .v6(let rightHigh, let rightLow)):
            (leftHigh, leftLow) < (rightHigh, rightLow)
        }
    }
}

// MARK: Waiting

extension AresChannel {
    /// Sockets of one channel that c-ares can tell of.
    private static let socketsLimit = 16

    /// Waits for answers, the wake-up or the moment, and works on what came.
    func wait(until moment: Instant, wakeUp: Int32) {
        var sockets = [ares_socket_t](repeating: -1, count: Self.socketsLimit)
        // SAFETY: the array has as many places as the call is told.
        let mask = unsafe UInt32(bitPattern: ares_getsock(channel, &sockets, Int32(Self.socketsLimit)))
        var polled = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
        for index in 0..<Self.socketsLimit {
            var events: Int32 = 0
            if mask >> UInt32(index) & 1 != 0 { events |= POLLIN }
            if mask >> UInt32(index + Self.socketsLimit) & 1 != 0 { events |= POLLOUT }
            if events != 0 { polled.append(pollfd(fd: sockets[index], events: Int16(events), revents: 0)) }
        }
        Self.poll(&polled, milliseconds: min(Self.milliseconds(until: moment), timeout))
        for entry in polled.dropFirst() where entry.revents != 0 {
            let isReadable = entry.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0
            let isWritable = entry.revents & Int16(POLLOUT) != 0
            // SAFETY: the channel is open; c-ares checks whether the sockets are still its own.
            unsafe ares_process_fd(channel, isReadable ? entry.fd : -1, isWritable ? entry.fd : -1)
        }
        // SAFETY: as above; without sockets, only what took too long is looked at.
        unsafe ares_process_fd(channel, -1, -1)
    }

    /// Waits for the wake-up or the moment.
    static func wait(until moment: Instant, wakeUp: Int32) {
        var polled = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
        poll(&polled, milliseconds: milliseconds(until: moment))
    }

    /// Milliseconds until c-ares has a question to ask again or to give up.
    private var timeout: Int32 {
        var time = timeval()
        // SAFETY: the call fills a structure that lives here, or says that there is no limit.
        guard unsafe ares_timeout(channel, nil, &time) != nil else { return .max }
        let milliseconds = Int(time.tv_sec) * 1000 + Int(time.tv_usec) / 1000 + 1
        return Int32(truncatingIfNeeded: min(max(milliseconds, 0), Int(Int32.max)))
    }

    private static func milliseconds(until moment: Instant) -> Int32 {
        if moment == .never { return .max }
        let left = max(0, moment.since(Clock.monotonic))
        return Int32(truncatingIfNeeded: min(left / 1_000_000 + 1, Int64(Int32.max)))
    }

    private static func poll(_ polled: inout [pollfd], milliseconds: Int32) {
        // SAFETY: the array lives during the call. An interrupted call is one that found nothing.
        unsafe _ = Glibc.poll(&polled, nfds_t(polled.count), milliseconds == .max ? -1 : milliseconds)
    }
}
