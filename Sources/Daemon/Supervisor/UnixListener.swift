import Linux
import Net

/// Listening on a path.
///
/// The socket is bound to a temporary name beside the path, gets its mode and owner there, and is then renamed: nobody
/// ever sees a socket with wrong permissions or one that does not listen, and a stale file is replaced in one step.
enum UnixListener {
    static func open(
        _ path: String, _ spec: ListenSpec, backlog: Int32
    ) throws(BindFailure) -> (descriptor: Int32, file: SocketFile.Identity?) {
        try checkFree(path, spec)
        let temporary = temporaryName(beside: path)
        let socket = try reporting(spec) { () throws(Errno) in
            guard max(path.utf8.count, temporary.utf8.count) <= SocketAddress.unixPathLimit else { throw .nameTooLong }
            if case .socket = try SocketFile.kind(temporary) { try SocketFile.remove(temporary) }
            return try Socket.listen(on: .unix(path: temporary), backlog: backlog)
        }
        do throws(BindFailure) {
            try setPermissions(temporary, spec)
            try reporting(spec) { () throws(Errno) in try SocketFile.rename(temporary, to: path) }
        } catch {
            try? SocketFile.remove(temporary)
            throw error
        }
        var file: SocketFile.Identity?
        if case .socket(let identity)? = try? SocketFile.kind(path) { file = identity }
        return (socket.release(), file)
    }

    /// A short name, because the path of a socket has little room.
    private static func temporaryName(beside path: String) -> String {
        let directory = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        return "\(directory).\(Process.id)"
    }

    /// Refuses a path that is something else, or where somebody answers.
    private static func checkFree(_ path: String, _ spec: ListenSpec) throws(BindFailure) {
        let kind = try reporting(spec) { () throws(Errno) in try SocketFile.kind(path) }
        switch kind {
        case .nothing: return
        case .other: throw BindFailure(spec, "there is a file of this name that is not a socket")
        case .socket: break
        }
        var isPending = false
        do throws(Errno) {
            _ = try Socket.connect(to: .unix(path: path), isPending: &isPending)
        } catch {
            // Only a refusal proves that nobody listens there any more.
            if error == .connectionRefused || error == .noEntry { return }
            if error != .again { throw BindFailure(spec, error) }
        }
        throw BindFailure(spec, Errno.addressInUse)
    }

    static func setPermissions(_ path: String, _ spec: ListenSpec) throws(BindFailure) {
        if let mode = spec.mode {
            try reporting(spec, "mode") { () throws(Errno) in try SocketFile.setMode(path, mode) }
        }
        if let owner = spec.owner {
            let user = try user(owner, for: spec)
            try reporting(spec, "owner \(owner)") { () throws(Errno) in try SocketFile.setOwner(path, user) }
        }
    }

    static func user(_ name: String, for spec: ListenSpec) throws(BindFailure) -> SocketFile.User {
        let user = try reporting(spec, "owner \(name)") { () throws(Errno) in try SocketFile.user(named: name) }
        guard let user else { throw BindFailure(spec, "there is no user \(name)") }
        return user
    }

    /// Removes the path if it is still the socket that we put there.
    static func removeFile(_ path: String, _ file: SocketFile.Identity) {
        if let kind = try? SocketFile.kind(path), kind == .socket(file) { try? SocketFile.remove(path) }
    }

    private static func reporting<R: ~Copyable>(
        _ spec: ListenSpec, _ what: String? = nil, _ body: () throws(Errno) -> R
    ) throws(BindFailure) -> R {
        do throws(Errno) {
            return try body()
        } catch {
            throw BindFailure(spec, what.map { "\($0): \(error)" } ?? "\(error)")
        }
    }
}
