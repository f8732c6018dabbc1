import Config
import Linux
import Logging
import Testing

@testable import Telemetry

@Suite("The application log")
struct ApplicationLogTests {
    private func entry(_ message: String, _ values: [(key: String, value: String)] = []) -> ApplicationLogEntry {
        ApplicationLogEntry(level: "warning", message: message, values: values, time: (1_795_368_785, 12_000_000))
    }

    @Test(
        "text: values are quoted where they need it, and nothing leaves its line",
        arguments: [
            ("plain", "plain"), ("two words", "\"two words\""), ("", "\"\""), ("a\"b", "\"a\\\"b\""),
            ("a=b", "\"a=b\""),
            ("line\nend", "\"line\\nend\""), ("é", "\"é\""), ("a\u{202E}b", "\"a\\u202eb\""),
            ("\u{1B}[2J", "\"\\u001b[2J\""),
            ("\u{2028}", "\"\\u2028\""), ("\u{E0001}", "\"\\udb40\\udc01\""), ("c:\\x", "\"c:\\\\x\""),
        ])
    func text(value: String, expected: String) {
        var bytes: [UInt8] = []
        entry("hello", [("key", value)]).appendLine(.text, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "2026-11-22T17:33:05.012Z warning hello key=\(expected)")
    }

    @Test("json: one object of strings")
    func json() {
        var bytes: [UInt8] = []
        entry("say \"hi\"\n", [("file", "a b"), ("level", "x")]).appendLine(.json, to: &bytes)
        bytes.append(0x0A)
        #expect(
            readJSON(bytes) == [
                "time": "2026-11-22T17:33:05.012Z", "level": "warning", "message": "say \"hi\"\n", "file": "a b",
                "_level": "x",
            ])
    }

    @Test("loggers follow the configuration, also when it changes")
    func reconfigure() throws {
        let text = TemporaryPath("log")
        let json = TemporaryPath("log")
        let sinks = LogSinks()
        let log = ApplicationLog()
        var logger = log.logger(label: "test")
        logger[metadataKey: "worker"] = "3"
        logger.error("before it is configured, entries go nowhere")
        var config = LogConfig()
        config.output = .file(text.path)
        try log.configure(config, sinks)
        logger.debug("not at this level")
        logger.warning("first", metadata: ["port": "80"])
        config.output = .file(json.path)
        config.format = .json
        config.level = .debug
        try log.configure(config, sinks)
        logger.debug("second")
        config.output = .file("/nonexistent/folder/log")
        #expect(throws: LogOutputError.self) { try log.configure(config, sinks) }
        logger.critical("third")
        #expect(sinks.stop())
        let first = try text.lines()
        #expect(first.count == 2)
        #expect(first[0].hasSuffix("Z warning first port=80 worker=3"))
        let second = try json.lines()
        #expect(second.count == 3)
        #expect(second[0].hasSuffix(#""level":"debug","message":"second","worker":"3"}"#))
        #expect(second[1].contains(#""level":"error","message":"third""#))
    }

    @Test("journald gets priority, message and values as fields")
    func journal() throws {
        let socket = TemporaryPath("journal")
        let receiver = DatagramReceiver(socket.path)
        let sinks = LogSinks(journalPath: socket.path)
        let log = ApplicationLog()
        var config = LogConfig()
        config.output = .journald
        try log.configure(config, sinks)
        log.logger(label: "x").error("bad\nthing", metadata: ["config-file": "/etc/a", "line": "7"])
        #expect(
            receiver.receive()
                == "PRIORITY=3\nSYSLOG_IDENTIFIER=martlet\nMESSAGE=bad\\nthing\n"
                + "MARTLET_CONFIG_FILE=/etc/a\nMARTLET_LINE=7\n"
        )
        #expect(sinks.stop())
    }

    @Test("an entry of a megabyte is cut, not lost and not a trap")
    func huge() throws {
        let file = TemporaryPath("log")
        let sinks = LogSinks()
        let log = ApplicationLog()
        var config = LogConfig()
        config.output = .file(file.path)
        try log.configure(config, sinks)
        log.logger(label: "x").error("\(String(repeating: "x", count: 1 << 20))")
        #expect(sinks.stop())
        #expect(try file.contents().count == LogChunk.capacity)
    }
}

@Suite("Worker counters")
struct WorkerCountersTests {
    @Test("statuses are counted by class, and sums add every number")
    func statuses() {
        var counters = WorkerCounters()
        for status in [101, 200, 204, 302, 404, 499, 503, 0, 999, -1] { counters.note(status: status) }
        let classes = (0..<6).map { counters.statuses[$0] }
        #expect(classes == [3, 1, 2, 1, 2, 1])
        counters.requests = 10
        let sum = counters + counters
        #expect(sum.requests == 20)
        #expect(sum.statuses[4] == 4)
        #expect(sum != counters)
        #expect(counters + WorkerCounters() == counters)
    }
}
