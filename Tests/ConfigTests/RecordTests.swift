import Testing
import YAML

@testable import Config

/// A restarted process loads what an earlier one took, without disk and environment.
@Suite struct RecordTests {
    static let text = """
        include: [r/*.yaml]
        listen: 127.0.0.1:${env:PORT}
        middleware: { a: { headers: { request: { set: { A: "${file:secret}", B: "${credential:c}" } } } } }
        routes: [{ path: /a, middleware: [a], respond: 200 }]
        """

    static func first() -> ConfigResult {
        ConfigLoader.load(
            path: "etc/m.yaml", environment: ["PORT": "80", "OTHER": "not used"], credentialsDirectory: "/c",
            files: .memory([
                "etc/m.yaml": Array(text.utf8), "etc/r/1.yaml": Array("routes: [{ path: /b, respond: 200 }]\n".utf8),
                "etc/secret": Array("s\n".utf8), "/c/c": [0x63], "etc/unused": [1],
            ]))
    }

    @Test func aRecordLoadsTheSame() throws {
        let first = Self.first()
        #expect(first.report() == "")
        let bytes = first.record.encoded()
        let record = try #require(ConfigRecord(decoding: bytes))
        #expect(record == first.record)
        let again = ConfigLoader.load(record: record)
        #expect(again.config == first.config)
        #expect(again.config?.routes.count == 2)
        #expect(again.record == first.record)
        #expect(again.files == ["etc/m.yaml", "etc/r/1.yaml"])
    }

    @Test func aRecordHoldsWhatWasUsedAndNothingElse() {
        let record = Self.first().record
        #expect(record.environment == ["PORT": "80"])
        #expect(record.files.keys.sorted() == ["/c/c", "etc/m.yaml", "etc/r/1.yaml", "etc/secret"])
        #expect(record.directories == ["etc/r": ["1.yaml"]])
    }

    @Test func cutOrChangedRecordsAreRefusedOrRead() {
        let bytes = Self.first().record.encoded()
        for end in bytes.indices { #expect(ConfigRecord(decoding: Array(bytes[..<end])) == nil) }
        #expect(ConfigRecord(decoding: bytes + [0]) == nil)
        for index in bytes.indices {
            for value in [UInt8(0), 0x39, 0xFF] {
                var changed = bytes
                changed[index] = value
                _ = ConfigRecord(decoding: changed)
            }
        }
    }
}
