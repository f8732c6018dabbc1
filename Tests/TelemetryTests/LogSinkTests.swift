import Config
import Containers
import HTTP
import Linux
import Testing

@testable import Telemetry

/// Lanes of one worker over one access log.
private func makeLanes(_ format: AccessLogConfig.Format, _ output: LogOutput, _ sinks: LogSinks) throws -> LogLanes {
    var config = GatewayConfig()
    config.accessLog?.format = format
    config.accessLog?.output = output
    let log = AccessLog(sinks)
    let numbers = try log.numbers(for: config)
    #expect(numbers.number(of: .inherit) == 0)
    return LogLanes(log)
}

extension LogLanes {
    fileprivate mutating func append(_ sample: Sample, _ number: Int = 0, now: Instant = Instant(nanoseconds: 0)) {
        let texts = ExchangeTexts(
            head: sample.head.span, responseHead: sample.responseHead.span, requestID: sample.requestID.span,
            route: sample.route.span, upstream: sample.upstream.span, endpoint: sample.endpoint.span,
            identity: sample.identity.span)
        append(number, sample.record, texts, now: now)
    }
}

/// Lets the writer go on until it is so far.
private func wait(until condition: () -> Bool) async {
    while !condition() { await Task.yield() }
}

@Suite("Log sinks")
struct LogSinkTests {
    @Test("a line waits for others, at most 200 ms, and then reaches the file")
    func delay() async throws {
        let file = TemporaryPath("log")
        let sinks = LogSinks()
        var lanes = try makeLanes(.pattern("%s"), .file(file.path), sinks)
        #expect((lanes.deadline) == .never)
        lanes.append(Sample(), now: Instant(nanoseconds: 1_000))
        lanes.append(Sample(), now: Instant(nanoseconds: 9_000))
        #expect(lanes.deadline == Instant(nanoseconds: 200_001_000))
        lanes.endTurn(now: Instant(nanoseconds: 200_000_999))
        let sink = try sinks.sink(for: .file(file.path))
        #expect(sink.writtenLines == 0)
        lanes.endTurn(now: Instant(nanoseconds: 200_001_000))
        #expect(lanes.deadline == .never)
        await wait { sink.writtenLines == 2 }
        #expect(try file.lines() == ["200", "200", ""])
        #expect(sinks.stop())
    }

    @Test("lines of many workers arrive whole and once")
    func manyWorkers() async throws {
        let file = TemporaryPath("log")
        let sinks = LogSinks()
        var config = GatewayConfig()
        config.accessLog?.format = .pattern("%s %{User-Agent}i")
        config.accessLog?.output = .file(file.path)
        let log = AccessLog(sinks)
        _ = try log.numbers(for: config)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var lanes = LogLanes(log)
                    for number in 0..<2_000 {
                        lanes.append(
                            Sample(userAgent: Array("\(worker)-\(number)-".utf8) + Array(repeating: 0x61, count: 50)))
                    }
                    lanes.flush()
                }
            }
        }
        #expect(sinks.stop())
        #expect(sinks.droppedLines == 0)
        let lines = try file.lines().dropLast()
        let expected = (0..<4).flatMap { worker in
            (0..<2_000).map { "200 \(worker)-\($0)-" + String(repeating: "a", count: 50) }
        }
        #expect(Set(lines) == Set(expected))
        #expect(lines.count == 8_000)
    }

    @Test(
        "a pipe that nobody reads blocks no worker: lines beyond 8 MiB are dropped and counted, the others arrive whole"
    )
    func blockedPipe() async throws {
        let pipe = NamedPipe()
        let sinks = LogSinks()
        var lanes = try makeLanes(.pattern("%{User-Agent}i"), .file(pipe.file.path), sinks)
        let agent = Array(repeating: UInt8(0x61), count: 2_000)
        let count = 8_000
        let sample = Sample(userAgent: agent)
        for _ in 0..<count { lanes.append(sample) }
        lanes.flush()
        let dropped = sinks.droppedLines
        #expect(dropped > 3_000 && dropped < 5_000, "16 MB were written, 8 MiB are kept")
        let sink = try sinks.sink(for: .file(pipe.file.path))
        var received: [UInt8] = []
        await wait {
            received += pipe.read()
            return sink.writtenLines + sink.droppedLines == count
        }
        #expect(sinks.stop())
        received += pipe.read()
        let lines = received.split(separator: 0x0A)
        #expect(sink.droppedLines == dropped)
        #expect(lines.count == count - dropped)
        #expect(lines.allSatisfy { $0.count == 2_000 })
    }

    @Test("a pipe that nobody ever reads again does not keep the daemon from ending")
    func stopWhileBlocked() throws {
        let pipe = NamedPipe()
        let sinks = LogSinks()
        var lanes = try makeLanes(.pattern("%{User-Agent}i"), .file(pipe.file.path), sinks)
        let sample = Sample(userAgent: Array(repeating: 0x61, count: 2_000))
        for _ in 0..<100 { lanes.append(sample) }
        lanes.flush()
        #expect(sinks.stop(milliseconds: 10_000))
        let sink = try sinks.sink(for: .file(pipe.file.path))
        #expect(sink.droppedLines > 0)
        #expect(sink.droppedLines + sink.writtenLines == 100)
        lanes.append(sample)
        lanes.flush()
        #expect(sink.droppedLines + sink.writtenLines == 101, "lines after the end are counted")
    }

    @Test("on a full disk lines are dropped and counted, and nothing else happens")
    func fullDisk() async throws {
        let sinks = LogSinks()
        var lanes = try makeLanes(.json, .file("/dev/full"), sinks)
        for _ in 0..<1_000 { lanes.append(Sample()) }
        lanes.flush()
        await wait { sinks.droppedLines == 1_000 }
        lanes.append(Sample())
        lanes.flush()
        #expect(sinks.stop())
        #expect(sinks.droppedLines == 1_001)
    }

    @Test("after a rename and reopen nothing is lost, and new lines are in the new file")
    func rotation() async throws {
        let file = TemporaryPath("log")
        let sinks = LogSinks()
        var lanes = try makeLanes(.pattern("%s"), .file(file.path), sinks)
        let sink = try sinks.sink(for: .file(file.path))
        lanes.append(Sample())
        lanes.flush()
        await wait { sink.writtenLines == 1 }
        try SocketFile.rename(file.path, to: file.path + ".1")
        #expect(sinks.reopen().isEmpty)
        lanes.append(Sample())
        lanes.append(Sample())
        lanes.flush()
        #expect(sinks.stop())
        #expect(try file.lines(".1") == ["200", ""])
        #expect(try file.lines() == ["200", "200", ""])
    }

    @Test("a file that cannot be opened is an error with its reason, when configured and when reopened")
    func unopenable() throws {
        let sinks = LogSinks()
        let output = LogOutput.file("/nonexistent/folder/log")
        #expect(throws: LogOutputError(output: output, reason: .noEntry)) { try sinks.sink(for: output) }
        let file = TemporaryPath("log")
        let sink = try LogSink(.file(file.path + "x"))
        #expect(throws: Never.self) { try sink.reopen() }
        try SocketFile.remove(file.path + "x")
        #expect(sink.stop())
    }

    @Test("an output that no configuration names any more is closed, and opened again for a late line")
    func retired() async throws {
        let file = TemporaryPath("log")
        let sinks = LogSinks()
        var lanes = try makeLanes(.pattern("%s"), .file(file.path), sinks)
        lanes.append(Sample())
        lanes.flush()
        sinks.settle(on: [])
        let sink = try sinks.sink(for: .file(file.path))
        await wait { sink.writtenLines == 1 }
        try SocketFile.rename(file.path, to: file.path + ".1")
        lanes.append(Sample())
        lanes.flush()
        await wait { sink.writtenLines == 2 }
        #expect(sinks.stop())
        // Whether the file was closed before the rename is the writer's choice; the line is in one of the two.
        let old = try file.lines(".1").count
        if old != 3 { #expect(try file.lines() == ["200", ""]) }
    }

    @Test("journald gets one datagram for each line, and after its restart again")
    func journal() async throws {
        let socket = TemporaryPath("journal")
        var receiver = DatagramReceiver(socket.path)
        let sinks = LogSinks(journalPath: socket.path)
        var lanes = try makeLanes(.pattern("%r"), .journald, sinks)
        lanes.append(Sample(path: Array("a\nPRIORITY=0".utf8)))
        lanes.append(Sample(path: Array("b".utf8)))
        lanes.flush()
        #expect(receiver.receive() == "PRIORITY=6\nSYSLOG_IDENTIFIER=martlet\nMESSAGE=GET a\\x0aPRIORITY=0 HTTP/1.1\n")
        #expect(receiver.receive() == "PRIORITY=6\nSYSLOG_IDENTIFIER=martlet\nMESSAGE=GET b HTTP/1.1\n")
        try SocketFile.remove(socket.path)
        receiver = DatagramReceiver(socket.path)
        lanes.append(Sample(path: Array("c".utf8)))
        lanes.flush()
        #expect(receiver.receive().hasSuffix("MESSAGE=GET c HTTP/1.1\n"))
        #expect(sinks.stop())
        #expect(sinks.droppedLines == 0)
    }

    @Test("numbers of access logs stay over reloads, and outputs are shared")
    func numbers() throws {
        let one = TemporaryPath("log")
        let two = TemporaryPath("log")
        let sinks = LogSinks()
        let log = AccessLog(sinks)
        var config = GatewayConfig()
        config.accessLog?.output = .file(one.path)
        var own = AccessLogConfig()
        own.format = .common
        own.output = .file(two.path)
        var route = RouteConfig(
            name: "r", path: .init(segments: [], hasTrailingSlash: true, source: "/"), action: .upstream("u"),
            location: Location(file: "f", line: 1, column: 1))
        route.accessLog = .own(own)
        config.routes = [route]
        let first = try log.numbers(for: config)
        #expect(first.number(of: .inherit) == 0)
        #expect(first.number(of: .own(own)) == 1)
        #expect(first.number(of: .off) == -1)
        #expect(AccessLog.outputs(of: config) == [.file(one.path), .file(two.path)])
        config.accessLog = own
        let second = try log.numbers(for: config)
        #expect(second.number(of: .inherit) == 1)
        config.accessLog = nil
        #expect(try log.numbers(for: config).number(of: .inherit) == -1)
        var lanes = LogLanes(log)
        lanes.append(Sample(), 0)
        lanes.append(Sample(), 1)
        lanes.append(Sample(), -1)
        lanes.append(Sample(), 7)
        lanes.flush()
        #expect(sinks.stop())
        #expect(try one.lines().count == 2)
        #expect(try two.lines().count == 2)
    }

    @Test("the names that api_key takes keys from are redacted")
    func configuredNames() throws {
        let file = TemporaryPath("log")
        let sinks = LogSinks()
        var config = GatewayConfig()
        config.accessLog?.output = .file(file.path)
        var key = APIKeyConfig()
        key.source = .query("tenantpass")
        config.middleware = [
            NamedMiddleware(name: "k", kind: .apiKey(key), location: Location(file: "f", line: 1, column: 1))
        ]
        let log = AccessLog(sinks)
        _ = try log.numbers(for: config)
        var lanes = LogLanes(log)
        lanes.append(Sample(query: Array("tenantpass=s3cret".utf8)))
        lanes.flush()
        #expect(sinks.stop())
        let members = readJSON(try file.contents())
        #expect(members?["query"] == "tenantpass=***")
    }

    @Test("without a log, lanes take lines and do nothing")
    func noLog() {
        var lanes = LogLanes()
        lanes.append(Sample(), 0)
        lanes.endTurn(now: Instant(nanoseconds: 1))
        #expect(lanes.deadline == .never)
    }
}
