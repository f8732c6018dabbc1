import RegularExpression
import Testing

@Suite struct RegularExpressionTests {
    private func matchesFully(_ pattern: String, _ bytes: [UInt8]) throws -> Bool {
        try RegularExpression(pattern).matchesFully(bytes.span)
    }

    private func isFound(_ pattern: String, in bytes: [UInt8]) throws -> Bool {
        try RegularExpression(pattern).isFound(in: bytes.span)
    }

    @Test(arguments: [
        ("[0-9]+", "42", true, true), ("[0-9]+", "4a2", false, true), ("[0-9]+", "", false, false),
        ("", "", true, true),
        ("", "x", false, true), ("^2", "2.1", false, true), ("^2", "1.2", false, false), ("a|ab", "ab", true, true),
        ("a*?", "aaa", true, true), ("b$", "ab\n", false, false), ("(?i)content", "CONTENT", true, true),
        (#"\d{4}"#, "2026", true, true),
        (#"\bfoo\b"#, "a foo b", false, true), ("[^/]+", "a/b", false, true),
    ])
    func fullMatchAndSearchDiffer(pattern: String, text: String, full: Bool, found: Bool) throws {
        let bytes = Array(text.utf8)
        #expect(try matchesFully(pattern, bytes) == full)
        #expect(try isFound(pattern, in: bytes) == found)
    }

    @Test func everyByteIsACharacter() throws {
        #expect(try matchesFully("[^x]", [0xFF]))
        #expect(try matchesFully("a.b", [0x61, 0xC3, 0x62]))
        #expect(try matchesFully(#"\xE9"#, [0xE9]))
        #expect(try isFound("evil", in: [0xFF] + Array("evil".utf8)))
        #expect(try isFound(#"\x00"#, in: [0x61, 0, 0x62]))
    }

    @Test func caseFoldingStaysInsideLatin1() throws {
        #expect(try !isFound("(?i)k", in: Array("\u{212A}".utf8)))
        #expect(try matchesFully("(?i)K", [0x6B]))
    }

    @Test(arguments: ["(", "[a", "a**", "(?<n", "a{2,1}", #"\"#, "(?=a)", #"(a)\1"#, "*", #"\q"#])
    func whatIsNoExpressionSaysWhy(pattern: String) {
        let error = #expect(throws: RegularExpressionError.self) { try RegularExpression(pattern) }
        #expect(error?.message.isEmpty == false)
    }

    @Test func charactersBeyondASCIIAreRefused() {
        #expect(throws: RegularExpressionError.self) { try RegularExpression("[é]") }
    }

    @Test func anExpressionThatNeedsTooMuchMemoryIsRefused() {
        let error = #expect(throws: RegularExpressionError.self) { try RegularExpression("((a{100}){100}){100}") }
        #expect(error?.message.isEmpty == false)
    }

    /// A backtracking engine needs 2^n steps for these; the suite would not end.
    @Test(arguments: ["(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)*(.*)*(.*)*x", "(a|b|ab)*c"])
    func timeIsLinearInTheInput(pattern: String) throws {
        let text = [UInt8](repeating: 0x61, count: 20_000) + [0x21]
        #expect(try !matchesFully(pattern, text))
        #expect(try !isFound(pattern, in: text))
    }

    @Test(arguments: [
        ("[0-9]+", "[a-z]+", true, false), ("[0-9]+", "[0-9a-f]+", false, false), ("[0-9]{4}", "2026", false, false),
        ("a", "b", true, false),
        ("^1", "^2", true, true), ("^1", "2", true, false), ("", "a", true, false), (".*", "a", false, false),
        ("new|edit", "[0-9]+", true, false), ("^a|b", "^c", true, false), ("^?2", "^1", true, false),
    ])
    func disjointExpressionsAreTold(left: String, right: String, fully: Bool, anywhere: Bool) throws {
        let (left, right) = (try RegularExpression(left), try RegularExpression(right))
        #expect(left.isDisjoint(from: right, fully: true) == fully)
        #expect(right.isDisjoint(from: left, fully: true) == fully)
        #expect(left.isDisjoint(from: right, fully: false) == anywhere)
    }

    @Test func copiesOutliveTheOriginalAndMatchOnManyTasks() async throws {
        var original: RegularExpression? = try RegularExpression("a+b")
        let copy = try #require(original)
        original = nil
        await withTaskGroup(of: Bool.self) { group in
            for count in 1...64 {
                group.addTask {
                    let bytes = [UInt8](repeating: 0x61, count: count) + [0x62]
                    return copy.matchesFully(bytes.span)
                }
            }
            for await isMatch in group { #expect(isMatch) }
        }
    }
}
