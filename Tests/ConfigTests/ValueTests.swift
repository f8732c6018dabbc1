import Testing

@testable import Config

@Suite struct ValueTests {
    @Test(arguments: [
        ("0s", Duration.zero), ("1us", .microseconds(1)), ("250ms", .milliseconds(250)), ("30s", .seconds(30)),
        ("1m30s", .seconds(90)), ("12h", .seconds(43_200)), ("1d12h", .seconds(129_600)), ("90s", .seconds(90)),
        ("1h0m", .seconds(3_600)), ("36500d", .seconds(36_500 * 86_400)),
    ])
    func durationsAreRead(_ text: String, _ duration: Duration) throws {
        #expect(try DurationText.parse(text) == duration)
        #expect(try DurationText.parse(DurationText.write(duration)) == duration)
    }

    @Test(arguments: [
        "", "s", "5", "5 s", "5S", "5sec", "1s1m", "1m1m", "1.5s", "-1s", "+1s", "1e3s", "５s", "99999999999999999999s",
        "36501d",
        "1s ", "ms",
    ])
    func otherTextsAreNoDurations(_ text: String) {
        #expect(throws: TextFailure.self) { try DurationText.parse(text) }
    }

    @Test(arguments: [
        ("0s", Duration.zero), ("90s", .seconds(90)), ("1500ms", .milliseconds(1_500)), ("24h", .seconds(86_400)),
    ])
    func durationsAreWrittenShort(_ text: String, _ duration: Duration) throws {
        let written = ["0s": "0s", "90s": "1m30s", "1500ms": "1s500ms", "24h": "1d"]
        #expect(DurationText.write(duration) == written[text])
    }

    @Test(arguments: [
        ("0B", 0), ("512B", 512), ("1KB", 1_000), ("1kB", 1_000), ("1KiB", 1_024), ("64KiB", 65_536),
        ("10MB", 10_000_000),
        ("10MiB", 10_485_760), ("1GB", 1_000_000_000), ("2GiB", 2_147_483_648), ("1TiB", 1_099_511_627_776),
    ])
    func sizesAreRead(_ text: String, _ bytes: Int) throws {
        #expect(try SizeText.parse(text) == bytes)
        #expect(try SizeText.parse(SizeText.write(bytes)) == bytes)
    }

    @Test(arguments: ["", "10", "10k", "10M", "10 MB", "MB", "-1B", "1.5MB", "010B", "9999999999TiB", "10mib", "10MBB"])
    func otherTextsAreNoSizes(_ text: String) {
        #expect(throws: TextFailure.self) { try SizeText.parse(text) }
    }

    @Test(arguments: [("100/s", 100, 1), ("10/m", 10, 60), ("5000/h", 5_000, 3_600), ("1/d", 1, 86_400)])
    func ratesAreRead(_ text: String, _ count: Int, _ seconds: Int) throws {
        let rate = try Rate.parse(text)
        #expect(rate == Rate(count: count, period: .seconds(seconds)))
        #expect(rate.text == text)
    }

    @Test(arguments: ["", "100", "/s", "100/", "100/x", "0/s", "-1/s", "1/s/s", "1.5/s", "1 /s", "1000000001/s"])
    func otherTextsAreNoRates(_ text: String) {
        #expect(throws: TextFailure.self) { try Rate.parse(text) }
    }

    @Test(
        arguments: [
            ("0", 0), ("7", 7), ("9223372036854775807", Int.max), ("9223372036854775808", nil), ("007", nil),
            ("+1", nil), ("", nil),
            ("1_000", nil), ("٣", nil),
        ] as [(String, Int?)])
    func numbersAreDecimal(_ text: String, _ value: Int?) {
        #expect(DecimalNumber.parse(text) == value)
    }

    @Test(
        arguments: [
            ("timout", ["timeouts", "path"], "timeouts"), ("usres", ["users", "chat"], "users"),
            ("Edge_Limit", ["edge-limit"], "edge-limit"),
            ("warn", ["info", "warning"], "warning"), ("hostname", ["path", "host"], "host"),
            ("orders", ["users", "chat"], nil),
            ("x", ["y"], nil), ("", ["a"], nil), ("ab", ["abcdef"], nil),
            (String(repeating: "a", count: 1_000), ["a"], nil),
        ] as [(String, [String], String?)])
    func theNearestNameIsSuggested(_ name: String, _ candidates: [String], _ nearest: String?) {
        #expect(Suggestion.nearest(to: name, among: candidates) == nearest)
    }

    @Test(arguments: [
        ("a.yaml", "*.yaml", true), ("a.yml", "*.yaml", false), (".a.yaml", "*.yaml", false), (".a", ".*", true),
        ("abc", "a?c", true), ("ac", "a?c", false), ("abcabc", "*abc", true), ("aXbXc", "a*b*c", true),
        ("ab", "a*b*c", false),
        ("", "*", true), ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*c", false),
    ])
    func fileNamesMatchPatterns(_ name: String, _ pattern: String, _ matches: Bool) {
        #expect(Glob.matches(name, pattern) == matches)
    }

    @Test func patternsMayStandInFolders() {
        let tree = [
            "conf": ["b", "a", ".hidden"], "conf/a": ["2.yaml", "1.yaml", "x.txt"], "conf/b": ["3.yaml"], ".": ["conf"],
        ]
        let list: (String) -> [String] = { (tree[$0] ?? []).sorted() }
        #expect(Glob.expand("conf/*/*.yaml", list: list) == ["conf/a/1.yaml", "conf/a/2.yaml", "conf/b/3.yaml"])
        #expect(Glob.expand("c*/a/x.txt", list: list) == ["conf/a/x.txt"])
        #expect(Glob.expand("/none/*", list: list) == [])
    }

    @Test(arguments: [
        ("0", true), ("-1.5e+10", true), ("1E5", true), ("01", false), ("1.", false), (".5", false), ("+1", false),
        ("0x10", false),
        ("1e", false), ("-", false), ("", false), ("NaN", false),
    ])
    func numbersOfJSONAreTold(_ text: String, _ isNumber: Bool) {
        #expect(JSONWriter.isNumber(text) == isNumber)
    }

    @Test func jsonIsEscaped() {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("a\"", "\\ \n\t\u{1} é")
            writer.key("b")
            writer.array { writer in
                writer.raw("1")
                writer.object { _ in }
                writer.array { _ in }
                writer.string("")
            }
        }
        #expect(writer.text == #"{"a\"":"\\ \n\t\u0001 é","b":[1,{},[],""]}"#)
    }

    @Test(arguments: [
        ("$2b$12$ThPw6njNPddP0oTJp6qSBONUhIuURaVIryytesRnkutlCG1Fvm276", true),
        ("$2x$12$ThPw6njNPddP0oTJp6qSBONUhIuURaVIryytesRnkutlCG1Fvm276", false),
        ("$2b$99$ThPw6njNPddP0oTJp6qSBONUhIuURaVIryytesRnkutlCG1Fvm276", false),
        ("$6$salt$" + String(repeating: "a", count: 86), true),
        ("$6$rounds=5000$salt$" + String(repeating: "a", count: 86), true),
        ("$6$rounds=1$salt$" + String(repeating: "a", count: 86), false),
        ("$5$salt$" + String(repeating: "a", count: 43), true), ("$5$salt$" + String(repeating: "a", count: 44), false),
        ("$y$j9T$salt$" + String(repeating: "a", count: 43), true), ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", false),
        ("secret", false), ("", false), ("$$$$", false), ("$6$salt$" + String(repeating: "é", count: 86), false),
    ])
    func passwordHashesAreTold(_ text: String, _ isAccepted: Bool) {
        #expect(PasswordHashText.isAccepted(text) == isAccepted)
    }
}
