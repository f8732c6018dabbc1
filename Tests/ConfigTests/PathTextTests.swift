import Testing

@testable import Config

@Suite struct PathTextTests {
    /// `lit`, `{p}`, `{p:regex}`, `{p...}`, joined by slashes.
    static func flat(_ path: RouteConfig.Path) -> String {
        let segments = path.segments.map { segment in
            switch segment {
            case .literal(let text): text
            case .parameter(let name): "<\(name)>"
            case .constrained(let name, let pattern): "<\(name)~\(pattern.source)>"
            case .tail(let name): "<\(name ?? "")...>"
            }
        }
        return segments.joined(separator: " ") + (path.hasTrailingSlash ? " /" : "")
    }

    @Test(arguments: [
        ("/", " /"), ("/a", "a"), ("/a/", "a /"), ("/*", "<...>"), ("/a/*", "a <...>"), ("/{id}", "<id>"),
        ("/u/{id}/p/{post}", "u <id> p <post>"), ("/{id:[0-9]{3}}", "<id~[0-9]{3}>"),
        (#"/{id:\{\d\}}/x"#, #"<id~\{\d\}> x"#),
        ("/f/{rest...}", "f <rest...>"), ("/%7euser/%2f/%c3%a9", "~user %2F %C3%A9"), ("/caf\u{e9}", "caf%C3%A9"),
        ("/a;b=c/@x:y", "a;b=c @x:y"), ("/{id-2}/{_x}", "<id-2> <_x>"), ("/...", "..."),
    ])
    func pathsAreRead(_ text: String, _ expected: String) throws {
        let path = try PathText.parse(text)
        #expect(Self.flat(path) == expected)
        #expect(path.source == text)
    }

    @Test(arguments: [
        "", "a", "//", "/a//b", "/*/a", "/{rest...}/", "/a*", "/{", "/}", "/{}", "/{:x}", "/{...}", "/{a}{b}", "/{1}",
        "/x{a}",
        "/{a}/{a}", "/%", "/%4", "/%zz", "/%00", "/%5C", "/.", "/a/..", "/%2e", "/ ", "/\u{1}", "/a?b", "/a#b",
        "/{a:(}", "/\\", "/<",
        "/{a:\\",
    ])
    func otherTextsAreNoPaths(_ text: String) {
        #expect(throws: PathText.Failure.self) { try PathText.parse(text) }
    }

    @Test func parametersAreCounted() {
        let path = { (count: Int) in (0..<count).map { "/{p\($0)}" }.joined() }
        #expect(throws: Never.self) { try PathText.parse(path(PathText.parametersMax)) }
        #expect(throws: PathText.Failure.self) { try PathText.parse(path(PathText.parametersMax + 1)) }
    }

    @Test func everyPrefixAndEveryChangedByteReadsOrFailsInside() {
        let text = Array("/u/{id:[0-9]{3}}/%c3%a9/{rest...}".unicodeScalars)
        for end in text.indices {
            for scalar in ["{", "}", "/", "*", "%", "\\", ":", ".", "é"] as [Unicode.Scalar] {
                var changed = text
                changed[end] = scalar
                for candidate in [Array(text[..<end]), changed] {
                    var view = String.UnicodeScalarView()
                    view.append(contentsOf: candidate)
                    do throws(PathText.Failure) {
                        _ = try PathText.parse(String(view))
                    } catch {
                        #expect(error.offset >= 0 && error.offset <= candidate.count)
                    }
                }
            }
        }
    }
}
