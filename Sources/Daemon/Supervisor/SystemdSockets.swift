import Linux

/// Listening sockets that systemd opened for us (sd_listen_fds(3)).
struct SystemdSockets {
    /// Most sockets that are taken over.
    private static let limit = 256
    /// Most bytes of session keys.
    private static let keysLimit = 65_536
    private(set) var byName: [String: [Int32]] = [:]
    /// What `ServiceManager` had the manager keep when we were here before.
    private(set) var sessionKeys: [UInt8] = []

    init() {}

    /// Takes over what the environment names and removes the variables, so that no child believes that it is meant.
    static func fromEnvironment() -> SystemdSockets {
        let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        let values = variables.map { Process.environment($0) }
        for name in variables { Process.unsetEnvironment(name) }
        var sockets = SystemdSockets()
        guard let pid = values[0].flatMap(Int32.init), pid == Process.id else { return sockets }
        for (name, number) in assignments(count: values[1], names: values[2]) {
            Descriptors.setCloseOnExec(number)
            if name == ServiceManager.sessionKeysName {
                // What nobody sealed is not from us.
                sockets.sessionKeys = (try? MemoryFile.contents(of: number, limit: keysLimit)).flatMap { $0 } ?? []
                Descriptors.close(number)
                continue
            }
            guard Descriptors.isListening(number) else { continue }
            Descriptors.setNonBlocking(number)
            sockets.byName[name, default: []].append(number)
        }
        return sockets
    }

    /// Name and number of each descriptor; those without a name are called `unknown`, as systemd does.
    static func assignments(count: String?, names: String?) -> [(name: String, number: Int32)] {
        guard let count = count.flatMap(Int32.init), count > 0, count <= limit else { return [] }
        let names = (names ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        return (0..<count).map { index in
            let name = Int(index) < names.count ? names[Int(index)] : ""
            return (name.isEmpty ? "unknown" : name, 3 + index)
        }
    }
}
