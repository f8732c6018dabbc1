import Glibc
import Linux

/// A name in the temporary folder that nobody else has; removed at the end.
final class TemporaryPath: Sendable {
    let path: String

    init(_ kind: String) {
        path = "/tmp/martlet-\(kind)-\(Process.id)-\(String(Clock.randomSeed(), radix: 36))"
    }

    deinit {
        unsafe unlink(path)
        unsafe unlink(path + ".1")
    }

    func contents(_ suffix: String = "") throws -> [UInt8] {
        try FileAccess.contents(ofPath: path + suffix, limit: 1 << 26)
    }

    func lines(_ suffix: String = "") throws -> [String] {
        let bytes = try contents(suffix)
        return bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}

/// A named pipe with a reader that reads only when it is told.
final class NamedPipe: Sendable {
    let file = TemporaryPath("pipe")
    private let reader: Int32

    init() {
        _ = unsafe mkfifo(file.path, 0o600)
        reader = unsafe open(file.path, O_RDONLY | O_NONBLOCK)
    }

    deinit { close(reader) }

    /// What is in the pipe now.
    func read() -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe Glibc.read(reader, &part, part.count)
            if count <= 0 { return all }
            all += part[0..<count]
        }
    }
}

/// A socket as journald's.
final class DatagramReceiver: Sendable {
    private let socket: Int32

    init(_ path: String) {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        unsafe withUnsafePointer(to: &address) { pointer in
            _ = unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    deinit { close(socket) }

    /// The next datagram; waits for it.
    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 300_000)
        let count = unsafe recv(socket, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
