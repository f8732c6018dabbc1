import Containers
import HTTP
import Testing

@Suite struct CanonicalPathTests {
    private typealias Outcome = Result<String, CanonicalPath.Refusal>

    private func canonical(_ raw: [UInt8], _ rules: CanonicalPath.Rules = .init()) -> Outcome {
        var out = Buffer(capacity: raw.count + 16)
        out.append("before")
        let refusal = CanonicalPath.append(raw.span, rules: rules, to: &out)
        var bytes = out.span.indices.map { out[$0] }
        #expect(bytes.starts(with: "before".utf8))
        bytes.removeFirst(6)
        guard let refusal else { return .success(String(decoding: bytes, as: UTF8.self)) }
        #expect(bytes.isEmpty, "a refused path leaves nothing behind")
        return .failure(refusal)
    }

    private func canonical(_ raw: String, _ rules: CanonicalPath.Rules = .init()) -> Outcome {
        canonical(Array(raw.utf8), rules)
    }

    @Test func `Paths that pass by their words are those that pass byte by byte`() {
        var random = RandomSource(seed: 13)
        let spice = Array("/.%;~_-:@+09AZaz\\?\u{7F}\0[]^`{".utf8) + [0x80, 0xFF]
        var slow = CanonicalPath.Rules()
        slow.mergesSlashes = true
        var taken = 0
        for _ in 0..<40_000 {
            var bytes = [0x2F] + (0..<random.below(22)).map { _ in UInt8(0x61 + random.below(26)) }
            for _ in 0..<random.below(3) { bytes[random.below(bytes.count)] = spice[random.below(spice.count)] }
            if zip(bytes, bytes.dropFirst()).contains(where: { $0 == 0x2F && $1 == 0x2F }) { continue }
            var fast = Buffer(capacity: 64)
            var merged = Buffer(capacity: 64)
            let refusal = CanonicalPath.append(bytes.span, to: &fast)
            #expect(refusal == CanonicalPath.append(bytes.span, rules: slow, to: &merged), "\(bytes)")
            #expect(holds(ByteClass.equals(fast.span, merged.span)), "\(bytes)")
            if refusal == nil { taken += 1 }
        }
        #expect(taken > 10_000)
    }

    @Test(
        arguments: [
            ("", "/"), ("/", "/"), ("/a", "/a"), ("/a/b/", "/a/b/"), ("/%61dmin", "/admin"), ("/adm%69n/", "/admin/"),
            ("/%7euser%2D", "/~user-"),
            ("/a%2fb", "/a%2Fb"), ("/%c3%a9", "/%C3%A9"), ("/%2561dmin", "/%2561dmin"),
            ("/%252e%252e/x", "/%252e%252e/x"),
            ("/./admin", "/admin"), ("/admin/.", "/admin/"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/a/b/..", "/a/"),
            ("/admin/..", "/"),
            ("/pub/../admin", "/admin"), ("/pub/%2e%2e/admin", "/admin"), ("/pub/.%2E/admin", "/admin"),
            ("/%2e/a", "/a"), ("/a/%2e", "/a/"),
            ("//admin", "//admin"), ("/a//b", "/a//b"), ("/a//../b", "/a/b"), ("//..", "/"), ("/a/b/../../c", "/c"),
            ("/.//x", "//x"),
            ("/admin;x", "/admin;x"), ("/pub/;a=b/../admin", "/pub/admin"), ("/a;b/c", "/a;b/c"), ("/...", "/..."),
            ("/.../;x", "/.../;x"),
            ("/.well-known/acme", "/.well-known/acme"), ("/..a", "/..a"), ("/a..", "/a.."),
            ("/pub/..././admin", "/pub/.../admin"),
            ("/ADMIN", "/ADMIN"), ("/admin%20", "/admin%20"), ("/a!$&'()*+,;=:@-._~", "/a!$&'()*+,;=:@-._~"),
            ("/[x]", "/[x]"),
            ("/%5b", "/%5B"), ("/a%3bb", "/a%3Bb"), ("/%F0%9f%98%80", "/%F0%9F%98%80"), ("/a%2F.b", "/a%2F.b"),
            ("/...%2F", "/...%2F"),
            ("/%25", "/%25"), ("/%2525", "/%2525"), ("/a%2F%2Fb", "/a%2F%2Fb"), ("/x/%2e%2e/%2e%2e", nil),
            ("/%C2%80", "/%C2%80"),
        ] as [(String, String?)])
    func spellingsOfOnePathBecomeOne(raw: String, expected: String?) {
        #expect(canonical(raw) == expected.map { .success($0) } ?? .failure(.aboveRoot))
    }

    @Test(arguments: [
        ("*", CanonicalPath.Refusal.notAbsolute), ("a/b", .notAbsolute), ("http://a/", .notAbsolute),
        ("%2Fa", .notAbsolute),
        ("/a b", .invalidByte), ("/a#", .invalidByte), ("/a?b", .invalidByte), ("/pub\\..\\admin", .invalidByte),
        ("/a\u{7f}", .invalidByte),
        ("/a\0", .invalidByte), ("/a\r\n", .invalidByte), ("/é", .invalidByte), ("/<a>", .invalidByte),
        ("/a\"", .invalidByte),
        ("/{a}", .invalidByte), ("/a|b", .invalidByte), ("/a^b`", .invalidByte), ("/a\t", .invalidByte),
        ("/%61 b", .invalidByte),
        ("/%", .badEscape), ("/%4", .badEscape), ("/a%zz", .badEscape), ("/pub/%u002e%u002e/admin", .badEscape),
        ("/%%41", .badEscape),
        ("/%4/1", .badEscape), ("/%2%35", .badEscape), ("/%+1", .badEscape),
        ("/admin%00", .encodedControl), ("/admin%09", .encodedControl), ("/a%0d%0a", .encodedControl),
        ("/%7F", .encodedControl),
        ("/%1f", .encodedControl), ("/pub/..%5cadmin", .encodedBackslash), ("/a%5C", .encodedBackslash),
        ("/..", .aboveRoot), ("/a/../..", .aboveRoot), ("/%2e%2e", .aboveRoot), ("/./../x", .aboveRoot),
        ("//../..", .aboveRoot),
        ("/pub/..;/admin", .ambiguousDots), ("/..;", .ambiguousDots), ("/.;x/a", .ambiguousDots),
        ("/a/%2e%2e;x", .ambiguousDots),
        ("/a/..%3b/b", .ambiguousDots), ("/.%3B", .ambiguousDots), ("/pub%2f..%2fadmin", .ambiguousDots),
        ("/pub/..%2fadmin", .ambiguousDots),
        ("/a%2F..", .ambiguousDots), ("/.%2Fa", .ambiguousDots), ("/a%2f.;x%2fb", .ambiguousDots),
        ("/a%2F%2e%2E/b", .ambiguousDots),
        ("/pub/%c0%ae%c0%ae/admin", .invalidUTF8), ("/%ff", .invalidUTF8), ("/%C3", .invalidUTF8),
        ("/%C3/%A9", .invalidUTF8),
        ("/%C3a", .invalidUTF8), ("/%C3%41", .invalidUTF8), ("/%A9", .invalidUTF8), ("/%ED%A0%80", .invalidUTF8),
        ("/%E0%80%AF", .invalidUTF8), ("/%F4%90%80%80", .invalidUTF8), ("/%F0%80%80%AF", .invalidUTF8),
        ("/%C3%2F", .invalidUTF8),
        ("/%F8%88%80%80%80", .invalidUTF8),
    ])
    func ambiguousPathsAreRefused(raw: String, refusal: CanonicalPath.Refusal) {
        #expect(canonical(raw) == .failure(refusal))
    }

    @Test func anEncodedSlashCanBeRefused() {
        var rules = CanonicalPath.Rules()
        rules.rejectsEncodedSlash = true
        #expect(canonical("/a%2Fb", rules) == .failure(.encodedSlash))
        #expect(canonical("/a%252Fb", rules) == .success("/a%252Fb"))
    }

    @Test(arguments: [
        ("//admin", "/admin"), ("/a//b///c", "/a/b/c"), ("/a//", "/a/"), ("//", "/"), ("/a//../b", "/b"),
        ("/a/.//b", "/a/b"), ("/a/b", "/a/b"),
    ])
    func doubleSlashesCanBeMerged(raw: String, expected: String) {
        var rules = CanonicalPath.Rules()
        rules.mergesSlashes = true
        #expect(canonical(raw, rules) == .success(expected))
    }

    @Test func aPathThatDoesNotFitIsRefused() {
        var out = Buffer(capacity: 4)
        let path = Array("/%41%41%41".utf8)
        let refusal = CanonicalPath.append(path.span, to: &out)
        #expect(refusal == .tooLong)
        let count = out.count
        #expect(count == 0)
    }

    @Test func everyByteIsDecidedAloneAndEscaped() {
        for byte in UInt8.min...UInt8.max {
            let raw = canonical([0x2F, 0x61, byte, 0x62])
            let isAllowed = ByteClass.isTarget(byte) && byte != 0x3F && byte != 0x25
            if isAllowed {
                #expect(raw == .success("/a" + String(UnicodeScalar(byte)) + "b"), "byte \(byte)")
            } else {
                #expect((try? raw.get()) == nil, "byte \(byte)")
            }
            let digits = Array("0123456789abcdef".utf8)
            let escape = [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            let escaped = canonical([0x2F, 0x61] + escape + [0x62])
            let text = String(decoding: escape, as: UTF8.self).uppercased()
            if byte < 0x20 || byte == 0x7F {
                #expect(escaped == .failure(.encodedControl))
            } else if byte >= 0x80 {
                #expect(escaped == .failure(.invalidUTF8))
            } else if byte == 0x5C {
                #expect(escaped == .failure(.encodedBackslash))
            } else if ByteClass.isUnreserved(byte) {
                #expect(escaped == .success("/a" + String(UnicodeScalar(byte)) + "b"))
            } else {
                #expect(escaped == .success("/a" + text + "b"))
            }
        }
    }

    /// A path put together from the pieces that matter, with much chance of dot segments.
    private func randomPath(_ random: inout RandomSource) -> String {
        let pieces = [
            "/", "/", "/", ".", ".", "..", "a", "b;", "%2e", "%2E", "%2f", "%41", "%7e", ";", "%3b", "%25", "%c3%a9",
            "%20", "//", "/../", "/./",
            "%e2%82%ac", "%C3", "%5c", "%0a", "%", "~",
        ]
        // The last five are mostly refused: they come seldom.
        var path = "/"
        for _ in 0..<random.below(10) {
            let isHostile = random.below(40) == 0
            path += pieces[random.below(isHostile ? pieces.count : pieces.count - 5)]
        }
        return path
    }

    @Test func canonicalisingTwiceChangesNothing() {
        var random = RandomSource(seed: 1)
        var accepted = 0
        for _ in 0..<20_000 {
            let raw = randomPath(&random)
            for merges in [false, true] {
                var rules = CanonicalPath.Rules()
                rules.mergesSlashes = merges
                guard case .success(let once) = canonical(raw, rules) else { continue }
                accepted += 1
                #expect(canonical(once, rules) == .success(once), "\(raw)")
                #expect(once.utf8.count <= raw.utf8.count)
            }
        }
        #expect(accepted > 10_000)
    }

    @Test func theFormIsThatOfANaiveReading() {
        var random = RandomSource(seed: 2)
        for _ in 0..<20_000 {
            let raw = randomPath(&random)
            let merges = random.below(2) == 0
            var rules = CanonicalPath.Rules()
            rules.mergesSlashes = merges
            let found = try? canonical(raw, rules).get()
            #expect(found == NaivePath.canonical(raw, mergesSlashes: merges), "\(raw)")
        }
    }

    @Test func noRandomBytesTrap() {
        var random = RandomSource(seed: 3)
        for _ in 0..<20_000 {
            let bytes = [0x2F] + (0..<random.below(24)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = canonical(bytes)
        }
    }
}

/// The same by lists of strings: slow, and as near to the words of the design as can be.
private enum NaivePath {
    static func canonical(_ raw: String, mergesSlashes: Bool) -> String? {
        var pieces = raw.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        pieces.removeFirst()
        var decoded: [String] = []
        for piece in pieces {
            guard let text = decode(piece) else { return nil }
            decoded.append(text)
        }
        if mergesSlashes, let last = decoded.popLast() { decoded = decoded.filter { !$0.isEmpty } + [last] }
        var stack: [String] = []
        for (index, piece) in decoded.enumerated() {
            let isLast = index == decoded.count - 1
            let parts = piece.components(by: "%2F")
            if parts.count > 1 {
                if parts.contains(where: { isDots($0.components(by: "%3B")[0].components(by: ";")[0]) }) { return nil }
            } else if !isDots(piece), isDots(piece.components(by: "%3B")[0].components(by: ";")[0]) {
                return nil
            }
            switch piece {
            case ".": break
            case "..":
                if stack.isEmpty { return nil }
                stack.removeLast()
            default:
                stack.append(piece)
                continue
            }
            if isLast { stack.append("") }
        }
        if mergesSlashes, stack.count > 1 { stack = stack.dropLast().filter { !$0.isEmpty } + [stack[stack.count - 1]] }
        return "/" + stack.joined(separator: "/")
    }

    private static func isDots(_ text: String) -> Bool { text == "." || text == ".." }

    private static func decode(_ piece: String) -> String? {
        var result = ""
        var bytes: [UInt8] = []
        var rest = Substring(piece)
        while let first = rest.first {
            guard first == "%" else {
                result.append(first)
                bytes.append(first.asciiValue ?? 0xFF)
                rest = rest.dropFirst()
                continue
            }
            let digits = rest.dropFirst().prefix(2)
            guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let byte = UInt8(digits, radix: 16) else {
                return nil
            }
            rest = rest.dropFirst(3)
            bytes.append(byte)
            if byte < 0x20 || byte == 0x7F || byte == 0x5C { return nil }
            let scalar = Character(UnicodeScalar(byte))
            let isUnreserved = scalar.isASCII && (scalar.isLetter || scalar.isNumber || "-._~".contains(scalar))
            result += isUnreserved ? String(scalar) : "%" + digits.uppercased()
        }
        return String(validating: bytes, as: UTF8.self) == nil ? nil : result
    }
}

extension String {
    fileprivate func components(by separator: String) -> [String] {
        var parts: [String] = [""]
        var rest = Substring(self)
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                parts.append("")
                rest = rest.dropFirst(separator.count)
            } else {
                parts[parts.count - 1].append(rest.removeFirst())
            }
        }
        return parts
    }
}
