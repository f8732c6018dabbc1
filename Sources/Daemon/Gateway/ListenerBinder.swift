import Linux

/// Who holds the listening sockets: the supervisor, or this very process.
protocol ListenerBinder: ~Copyable {
    /// Becomes readable when the holder is gone; nil: it cannot go before us.
    var control: Int32? { get }
    /// Sockets of a place, new descriptors that belong to the caller.
    mutating func open(_ spec: ListenSpec) throws(BindFailure) -> [Int32]
    /// What a failed reload opened is not needed.
    mutating func release(_ specs: [ListenSpec])
    /// A configuration is in force that uses these sockets and wants this of the holder.
    mutating func published(_ snapshot: ConfigSnapshot, _ specs: [ListenSpec], settings: SupervisorSettings)
    /// A reload changed nothing, and why.
    mutating func reloadFailed(_ reason: String)
    /// What the process before left; nil: there was none, or it had no TLS sessions.
    mutating func sessionKeys() -> SessionKeys?
    /// Keeps them for the next process.
    mutating func keep(_ keys: SessionKeys)
    /// The first configuration serves.
    mutating func ready()
    /// No socket is needed any more.
    mutating func draining()
}

/// Binds in this process (`--single-process`).
struct LocalBinder: ListenerBinder, ~Copyable {
    private var table: ListenerTable
    private let report: @Sendable (String) -> Void

    /// - Parameter report: gets what could not be done to a socket file.
    init(systemd: SystemdSockets, report: @escaping @Sendable (String) -> Void) {
        table = ListenerTable(systemd: systemd)
        self.report = report
    }

    var control: Int32? { nil }

    mutating func open(_ spec: ListenSpec) throws(BindFailure) -> [Int32] {
        var descriptors: [Int32] = []
        for held in try table.open(spec) {
            do throws(Errno) {
                descriptors.append(try Descriptors.duplicate(held).release())
            } catch {
                for descriptor in descriptors { Descriptors.close(descriptor) }
                throw BindFailure(spec, error)
            }
        }
        return descriptors
    }

    mutating func release(_ specs: [ListenSpec]) { table.close(specs) }

    mutating func published(_ snapshot: ConfigSnapshot, _ specs: [ListenSpec], settings: SupervisorSettings) {
        for failure in table.keep(only: specs) { report(failure.description) }
    }

    mutating func reloadFailed(_ reason: String) {}
    mutating func sessionKeys() -> SessionKeys? { nil }
    mutating func keep(_ keys: SessionKeys) {}
    mutating func ready() {}
    mutating func draining() { table.closeAll() }
}

/// Asks the supervisor.
struct RemoteBinder: ListenerBinder, ~Copyable {
    /// An answer comes at once or never: longer means that the supervisor is stopped.
    private static let patience: Int32 = 10_000

    private let socket: MessageSocket
    private var lastNumber: UInt32 = 0
    private let report: @Sendable (String) -> Void

    init(socket: consuming MessageSocket, report: @escaping @Sendable (String) -> Void) {
        self.socket = socket
        self.report = report
    }

    var control: Int32? { socket.number }

    mutating func open(_ spec: ListenSpec) throws(BindFailure) -> [Int32] {
        lastNumber &+= 1
        let answer: Answer
        do throws(NoAnswer) {
            answer = try ask(.bind(number: lastNumber, spec))
        } catch {
            throw BindFailure(spec, error.reason)
        }
        var received = ReceivedDescriptors(answer.descriptors)
        switch answer.reply {
        case .sockets(lastNumber)?:
            return received.takeAll()
        case .bindFailed(lastNumber, let reason)?:
            throw BindFailure(description: reason)
        default:
            throw BindFailure(spec, "the supervisor answered something else")
        }
    }

    private struct Answer {
        /// Nil: it cannot be read.
        var reply: SupervisorReply?
        var descriptors: [Int32]
    }

    private struct NoAnswer: Error {
        var reason: String
    }

    private func ask(_ request: GatewayRequest) throws(NoAnswer) -> Answer {
        do throws(Errno) {
            try socket.send(request.bytes)
        } catch {
            throw NoAnswer(reason: "the supervisor cannot be asked: \(error)")
        }
        guard !Poll.wait([socket.number], milliseconds: Self.patience).isEmpty else {
            throw NoAnswer(reason: "the supervisor does not answer")
        }
        guard case .message(let bytes, let numbers) = socket.receive() else {
            throw NoAnswer(reason: "the supervisor is gone")
        }
        return Answer(reply: try? SupervisorReply(bytes: bytes), descriptors: numbers)
    }

    mutating func sessionKeys() -> SessionKeys? {
        lastNumber &+= 1
        do throws(NoAnswer) {
            let answer = try ask(.askSessionKeys(number: lastNumber))
            _ = ReceivedDescriptors(answer.descriptors)
            guard case .sessionKeys(lastNumber, let keys)? = answer.reply else {
                throw NoAnswer(reason: "the supervisor answered something else")
            }
            return keys.isEmpty ? nil : SessionKeys(bytes: keys)
        } catch {
            report("TLS sessions of before are not resumed: \(error.reason)")
            return nil
        }
    }

    mutating func keep(_ keys: SessionKeys) { send(.keepSessionKeys(keys.bytes)) }

    mutating func release(_ specs: [ListenSpec]) { send(.release(specs)) }

    mutating func published(_ snapshot: ConfigSnapshot, _ specs: [ListenSpec], settings: SupervisorSettings) {
        send(.settings(settings))
        do throws(Errno) {
            let file = try MemoryFile.sealed(name: "martlet-config", contents: snapshot.bytes)
            try socket.send(
                GatewayRequest.published(generation: snapshot.generation, specs).bytes, descriptors: [file.number])
        } catch {
            report("the supervisor did not get the configuration: \(error)")
        }
    }

    /// A line: the rest is in the log.
    mutating func reloadFailed(_ reason: String) { send(.reloadFailed(String(reason.prefix(500)))) }

    mutating func ready() { send(.ready) }
    mutating func draining() { send(.draining) }

    private func send(_ request: GatewayRequest) {
        do throws(Errno) {
            try socket.send(request.bytes)
        } catch {
            report("the supervisor cannot be told: \(error)")
        }
    }
}
