import DNS
import Linux
import Net
import Synchronization

/// Host names of a session and what the resolver found for them. The resolver starts with the first name.
final class NameTable: Sendable {
    /// Names that are kept up to date.
    static let limit = 256

    private typealias Waiter = CheckedContinuation<[IPAddress], any Error>

    private enum Entry {
        case asked([UInt64: Waiter])
        case known([IPAddress])
        /// The resolver asks again by itself.
        case failed
    }

    private struct Names {
        var entries: [String: Entry] = [:]
        var resolver: Resolver?
        var waiters: UInt64 = 0
        var isStopped = false
    }

    private let names = Mutex(Names())
    private let servers: String?

    /// `servers`: `address:port`, several with commas; nil: those of the system.
    init(servers: String?) {
        self.servers = servers
    }

    /// The addresses of a name, at once when they are known. Waits as long as the resolver takes for its first question.
    func addresses(of name: String) async throws -> [IPAddress] {
        let ticket = names.withLock { names in
            names.waiters &+= 1
            return names.waiters
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                do throws(Errno) {
                    if let result = try enter(name, ticket, waiter) { waiter.resume(with: result) }
                } catch {
                    waiter.resume(throwing: ClientError.dnsError)
                }
            }
        } onCancel: {
            leave(name, ticket)
        }
    }

    /// Nil: the waiter is noted and hears later.
    private func enter(
        _ name: String, _ ticket: UInt64, _ waiter: Waiter
    ) throws(Errno) -> Result<[IPAddress], any Error>? {
        if Task.isCancelled { return .failure(CancellationError()) }
        return try names.withLock { names throws(Errno) in
            if names.isStopped { return .failure(ClientError.shutDown) }
            switch names.entries[name] {
            case .known(let addresses): return .success(addresses)
            case .failed: return .failure(ClientError.dnsError)
            case .asked(var waiters):
                waiters[ticket] = waiter
                names.entries[name] = .asked(waiters)
                return nil
            case nil:
                let resolver: Resolver
                if let running = names.resolver { resolver = running } else { resolver = try makeResolver() }
                names.resolver = resolver
                if names.entries.count >= Self.limit { forgetSettled(&names) }
                names.entries[name] = .asked([ticket: waiter])
                resolver.setNames(Set(names.entries.keys))
                return nil
            }
        }
    }

    private func forgetSettled(_ names: inout Names) {
        names.entries = names.entries.filter { entry in
            if case .asked = entry.value { return true }
            return false
        }
    }

    private func makeResolver() throws(Errno) -> Resolver {
        try Resolver(
            servers: servers,
            onFailure: { [weak self] name, _ in self?.settle(name, .failed) },
            onChange: { [weak self] name, addresses in
                self?.settle(name, addresses.isEmpty ? .failed : .known(addresses))
            })
    }

    /// A failure does not take away what is known: it stays in use while servers fail.
    private func settle(_ name: String, _ entry: Entry) {
        let waiters: [UInt64: Waiter] = names.withLock { names in
            switch names.entries[name] {
            case .asked(let waiters):
                names.entries[name] = entry
                return waiters
            case .known, .failed:
                if case .known = entry { names.entries[name] = entry }
                return [:]
            case nil: return [:]
            }
        }
        for waiter in waiters.values {
            if case .known(let addresses) = entry {
                waiter.resume(returning: addresses)
            } else {
                waiter.resume(throwing: ClientError.dnsError)
            }
        }
    }

    private func leave(_ name: String, _ ticket: UInt64) {
        let waiter: Waiter? = names.withLock { names in
            guard case .asked(var waiters) = names.entries[name] else { return nil }
            let waiter = waiters.removeValue(forKey: ticket)
            names.entries[name] = .asked(waiters)
            return waiter
        }
        waiter?.resume(throwing: CancellationError())
    }

    /// Ends the resolver's thread; whoever waits hears that there will be nothing.
    func stop() {
        let entries = names.withLock { names in
            let entries = names.entries
            names.entries = [:]
            names.resolver = nil
            names.isStopped = true
            return entries
        }
        for case .asked(let waiters) in entries.values {
            for waiter in waiters.values { waiter.resume(throwing: ClientError.shutDown) }
        }
    }
}
