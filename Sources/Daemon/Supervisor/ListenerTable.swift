import Linux
import Net

/// The listening sockets of this Martlet, held by the process that outlives the gateway.
struct ListenerTable: ~Copyable {
    /// Connections that the kernel completes before we accept them; it cuts this to somaxconn.
    static let backlog: Int32 = 4_096

    private struct Entry {
        var spec: ListenSpec
        let descriptors: [Int32]
        /// What stands at a Unix socket's path because of us.
        var file: SocketFile.Identity?
    }

    private var entries: [ListenSpec.Place: Entry] = [:]
    private let systemd: SystemdSockets

    init(systemd: SystemdSockets) {
        self.systemd = systemd
    }

    deinit {
        // The process ends: the kernel closes the sockets, files are removed by `closeAll`.
    }

    var count: Int { entries.count }

    /// The sockets of a place, opened if they are not yet. They stay this table's.
    mutating func open(_ spec: ListenSpec) throws(BindFailure) -> [Int32] {
        if let entry = entries[spec.place] {
            // Its file changes when the configuration is in force; a name that is no user must fail before.
            if let owner = spec.owner { _ = try UnixListener.user(owner, for: spec) }
            return entry.descriptors
        }
        let entry: Entry
        switch spec.place {
        case .address(let address):
            entry = Entry(spec: spec, descriptors: [try listen(address, spec)])
        case .anyPort(let address, _, _):
            entry = Entry(spec: spec, descriptors: [try listen(.ip(address, port: 0), spec)])
        case .unix(let path):
            let (descriptor, file) = try UnixListener.open(path, spec, backlog: Self.backlog)
            entry = Entry(spec: spec, descriptors: [descriptor], file: file)
        case .systemd(let name):
            guard let descriptors = systemd.byName[name] else {
                throw BindFailure(spec, "systemd passed no listening socket of this name (FileDescriptorName=)")
            }
            entry = Entry(spec: spec, descriptors: descriptors)
        }
        entries[spec.place] = entry
        return entry.descriptors
    }

    private func listen(_ address: SocketAddress, _ spec: ListenSpec) throws(BindFailure) -> Int32 {
        do {
            return try Socket.listen(on: address, backlog: Self.backlog).release()
        } catch {
            throw BindFailure(spec, error)
        }
    }

    /// A configuration is in force: closes what it does not list, and gives socket files the mode and owner it wants.
    /// Returns what could not be changed.
    mutating func keep(only specs: [ListenSpec]) -> [BindFailure] {
        let wanted = Dictionary(specs.map { ($0.place, $0) }, uniquingKeysWith: { first, _ in first })
        var failures: [BindFailure] = []
        for (place, entry) in entries {
            guard let spec = wanted[place] else {
                close(place)
                continue
            }
            guard spec != entry.spec, case .unix(let path) = place else { continue }
            do throws(BindFailure) {
                try UnixListener.setPermissions(path, spec)
                entries[place]?.spec = spec
            } catch {
                failures.append(error)
            }
        }
        return failures
    }

    mutating func close(_ specs: [ListenSpec]) {
        for spec in specs { close(spec.place) }
    }

    mutating func closeAll() {
        for place in Array(entries.keys) { close(place) }
    }

    private mutating func close(_ place: ListenSpec.Place) {
        guard let entry = entries.removeValue(forKey: place) else { return }
        switch place {
        case .systemd:
            return  // Not ours to close: a later configuration may ask for it again.
        case .unix(let path):
            if let file = entry.file { UnixListener.removeFile(path, file) }
        case .address, .anyPort:
            break
        }
        for descriptor in entry.descriptors { Descriptors.close(descriptor) }
    }
}
