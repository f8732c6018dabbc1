import Containers
import Linux
import Net
import Testing

@testable import Daemon

/// The program itself, started with a configuration of its own; ended and cleaned up with this value.
final class RunningMartlet {
    /// Nothing in these tests takes as long; a test that waits in vain fails.
    static let patience: Int64 = 60_000_000_000

    let configPath: String
    let logPath: String
    let id: Int32
    private var ending: Process.Ending?

    init(_ config: String, arguments: [String] = []) throws {
        let stem = "/tmp/martlet-test-\(Process.id)-\(Clock.randomSeed())"
        configPath = stem + ".yaml"
        logPath = stem + ".log"
        try FileAccess.replaceFile(configPath, with: Array(config.utf8))
        // The products stand beside the test bundle.
        let bundle = try #require(Process.executablePath)
        let program = bundle[..<(bundle.lastIndex(of: "/") ?? bundle.endIndex)] + "/martlet"
        // The shell gives the program its log, and becomes it.
        let script = "exec \"$0\" \"$@\" 2>'\(logPath)'"
        id = try Process.spawn(
            "/bin/sh", ["sh", "-c", script, String(program), "run", "--config", configPath] + arguments, descriptors: []
        )
    }

    deinit {
        if ending == nil {
            Process.send(.kill, to: id)
            _ = try? wait()
        }
        try? SocketFile.remove(configPath)
        try? SocketFile.remove(logPath)
    }

    func write(_ config: String) throws {
        try FileAccess.replaceFile(configPath, with: Array(config.utf8))
    }

    func send(_ signal: Signal) { Process.send(signal, to: id) }

    var log: String {
        (try? FileAccess.contents(ofPath: logPath, limit: 1 << 24)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Waits until `look` finds something.
    func eventually<Found>(_ what: String, _ look: () throws -> Found?) throws -> Found {
        let deadline = Clock.monotonic.advanced(by: Self.patience)
        while Clock.monotonic < deadline {
            if let found = try look() { return found }
            Process.sleep(nanoseconds: 5_000_000)
        }
        throw WaitedInVain(what: what, log: log)
    }

    /// Where the first listener listens, once it does.
    func address() throws -> SocketAddress {
        try eventually("listening") { try addresses().first }
    }

    /// Every address that was said to be listened on, in order.
    func addresses() throws -> [SocketAddress] {
        try log.split(separator: "\n").compactMap { line in
            guard let range = line.firstRange(of: "listening on http://"), !line.contains("no longer") else {
                return nil
            }
            return try SocketAddress(parsing: String(line[range.upperBound...].prefix { $0 != " " }))
        }
    }

    /// The process that serves.
    func gateway() throws -> Int32 {
        try eventually("a gateway process") {
            let bytes = try FileAccess.contents(ofPath: "/proc/\(id)/task/\(id)/children", limit: 4_096)
            let text = String(decoding: bytes, as: UTF8.self)
            return text.split(separator: " ").compactMap { Int32($0) }.first
        }
    }

    func wait() throws -> Process.Ending {
        if let ending { return ending }
        let found = try eventually("the end of the process") { Process.reap(id) }
        ending = found
        return found
    }

    /// Status and body of an answer to a GET over a new connection.
    func get(_ path: String, at address: SocketAddress) throws -> String {
        let connection = try BlockingConnection.connect(to: address, timeoutMilliseconds: 30_000)
        try connection.send(Array("GET \(path) HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n".utf8))
        let answer = String(decoding: try readAll(connection), as: UTF8.self)
        let body = answer.firstRange(of: "\r\n\r\n").map { answer[$0.upperBound...] } ?? ""
        return "\(answer.dropFirst(9).prefix(3)) \(body)"
    }
}

struct WaitedInVain: Error, CustomStringConvertible {
    let what: String
    let log: String
    var description: String { "waited in vain for \(what); the log:\n\(log)" }
}
