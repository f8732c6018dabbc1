import Linux
import Net
import Testing

@testable import Daemon

/// The program as it ships: supervisor, gateway process, signals, sockets.
@Suite struct SupervisionTests {
    private static func config(_ body: String, listen: String = "127.0.0.1:0") -> String {
        """
        listen: "\(listen)"
        access_log: off
        workers: 1
        routes: [ { path: /*, respond: { status: 200, text: "\(body)" } } ]

        """
    }

    @Test("a gateway process that dies is replaced, on the same port and with the published configuration")
    func restart() throws {
        let martlet = try RunningMartlet(Self.config("one"))
        let address = try martlet.address()
        #expect(try martlet.get("/", at: address) == "200 one")
        try martlet.write("this is: no configuration\n")
        var process = try martlet.gateway()
        for _ in 0..<3 {
            Process.send(.kill, to: process)
            // The connection waits in the socket that the supervisor holds.
            #expect(try martlet.get("/", at: address) == "200 one")
            let next = try martlet.gateway()
            #expect(next != process)
            process = next
        }
        martlet.send(.terminate)
        #expect(try martlet.wait() == .exited(code: 0))
    }

    @Test("the supervisor's lines have the form of the gateway's log")
    func supervisorLines() throws {
        let martlet = try RunningMartlet(Self.config("one"))
        let address = try martlet.address()
        func lastWords() throws -> Substring {
            let process = try martlet.gateway()
            let begin = martlet.log.utf8.count
            Process.send(.kill, to: process)
            #expect(try martlet.get("/", at: address).hasPrefix("200"))
            return try martlet.eventually("the supervisor's words") {
                let lines = String(decoding: martlet.log.utf8.dropFirst(begin), as: UTF8.self).split(separator: "\n")
                return lines.first { $0.contains("was ended by signal 9") }
            }
        }
        let time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/
        var line = try lastWords()
        #expect(line.prefixMatch(of: time) != nil, "\(line)")
        #expect(line.hasSuffix("Z error supervisor: the gateway process was ended by signal 9"), "\(line)")
        try martlet.write("log: { format: json }\n" + Self.config("two"))
        martlet.send(.hangup)
        _ = try martlet.eventually("the reload") { martlet.log.contains("reloaded generation=2") ? true : nil }
        line = try lastWords()
        #expect(line.hasPrefix("{\"time\":\"20"), "\(line)")
        #expect(
            line.hasSuffix(
                "\"level\":\"error\",\"message\":\"supervisor: the gateway process was ended by signal 9\"}"),
            "\(line)")
    }

    @Test("a reload publishes the new file, and a restart begins with it")
    func reload() throws {
        let martlet = try RunningMartlet(Self.config("one"))
        let address = try martlet.address()
        try martlet.write(Self.config("two"))
        martlet.send(.hangup)
        _ = try martlet.eventually("the reload") { martlet.log.contains("reloaded generation=2") ? true : nil }
        #expect(try martlet.get("/", at: address) == "200 two")
        Process.send(.kill, to: try martlet.gateway())
        #expect(try martlet.get("/", at: address) == "200 two")
        martlet.send(.terminate)
        #expect(try martlet.wait() == .exited(code: 0))
    }

    @Test("a wrong file changes nothing and is said with line and column")
    func wrongReload() throws {
        let martlet = try RunningMartlet(Self.config("one"))
        let address = try martlet.address()
        try martlet.write(Self.config("two") + "nonsense: 1\n")
        martlet.send(.hangup)
        _ = try martlet.eventually("the failure") {
            martlet.log.contains("reload failed, nothing changed") ? true : nil
        }
        #expect(martlet.log.contains("\(martlet.configPath):5:1: error: unknown key `nonsense`"))
        #expect(try martlet.get("/", at: address) == "200 one")
        martlet.send(.quit)
        #expect(try martlet.wait() == .exited(code: 0))
    }

    @Test("a storm of reloads ends in the last file")
    func storm() throws {
        let martlet = try RunningMartlet(Self.config("0"))
        let address = try martlet.address()
        for number in 1...50 {
            try martlet.write(Self.config("\(number)"))
            martlet.send(.hangup)
        }
        let last = try martlet.eventually("the last file") { () -> String? in
            let answer = try martlet.get("/", at: address)
            return answer == "200 50" ? answer : nil
        }
        #expect(last == "200 50")
        martlet.send(.terminate)
        #expect(try martlet.wait() == .exited(code: 0))
    }

    @Test(
        "a wrong file at the start is exit code 78, and nothing was listened on", arguments: [[], ["--single-process"]])
    func wrongStart(arguments: [String]) throws {
        let martlet = try RunningMartlet("nonsense: 1\n", arguments: arguments)
        #expect(try martlet.wait() == .exited(code: 78))
        #expect(martlet.log.contains("unknown key `nonsense`"))
        #expect(!martlet.log.contains("listening"))
    }

    @Test("an address that is taken ends the start")
    func busy() throws {
        let first = try RunningMartlet(Self.config("one"))
        let address = try first.address()
        let second = try RunningMartlet(Self.config("two", listen: "\(address)"))
        #expect(try second.wait() == .exited(code: 1))
        #expect(second.log.contains("cannot listen on \(address): address already in use"))
        #expect(try first.get("/", at: address) == "200 one")
    }

    @Test("without its supervisor a gateway process ends")
    func orphan() throws {
        let martlet = try RunningMartlet(Self.config("one"))
        _ = try martlet.address()
        let process = try martlet.gateway()
        martlet.send(.kill)
        #expect(try martlet.wait() == .killed(signal: 9))
        _ = try martlet.eventually("the end of the orphan") { () -> Bool? in
            guard let status = try? FileAccess.contents(ofPath: "/proc/\(process)/stat", limit: 4_096) else {
                return true
            }
            let state = String(decoding: status, as: UTF8.self).split(separator: ")").last?.first { $0 != " " }
            return state == "Z" || state == "X" ? true : nil
        }
    }

    @Test("one process serves, reloads and drains without a supervisor")
    func singleProcess() throws {
        let martlet = try RunningMartlet(Self.config("one"), arguments: ["--single-process"])
        let address = try martlet.address()
        #expect(try martlet.get("/", at: address) == "200 one")
        try martlet.write(Self.config("two"))
        martlet.send(.hangup)
        _ = try martlet.eventually("the reload") { martlet.log.contains("reloaded generation=2") ? true : nil }
        #expect(try martlet.get("/", at: address) == "200 two")
        martlet.send(.terminate)
        #expect(try martlet.wait() == .exited(code: 0))
    }

    @Test("a Unix socket listens under its mode, moves with a reload and is removed at the end")
    func unixSocket() throws {
        let path = "/tmp/martlet-test-\(Process.id)-\(Clock.randomSeed()).sock"
        func config(_ mode: String) -> String {
            "listen: [ \"127.0.0.1:0\", { unix: \(path), mode: \"\(mode)\" } ]\naccess_log: off\n"
                + "routes: [ { path: /*, respond: { status: 200, text: unix } } ]\n"
        }
        let martlet = try RunningMartlet(config("0600"))
        _ = try martlet.eventually("the socket") { martlet.log.contains("listening on unix:\(path)") ? true : nil }
        #expect(try SocketFile.mode(path) == 0o600)
        #expect(try martlet.get("/", at: .unix(path: path)) == "200 unix")
        try martlet.write(config("0666"))
        martlet.send(.hangup)
        _ = try martlet.eventually("the reload") { martlet.log.contains("reloaded generation=2") ? true : nil }
        _ = try martlet.eventually("the mode") { try SocketFile.mode(path) == 0o666 ? true : nil }
        #expect(try martlet.get("/", at: .unix(path: path)) == "200 unix")
        Process.send(.kill, to: try martlet.gateway())
        #expect(try martlet.get("/", at: .unix(path: path)) == "200 unix")
        martlet.send(.terminate)
        #expect(try martlet.wait() == .exited(code: 0))
        #expect(try SocketFile.kind(path) == .nothing)
    }
}
