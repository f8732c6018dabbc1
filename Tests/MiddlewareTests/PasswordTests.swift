import Testing

@testable import PasswordHash

/// Hashes of `secret` at the lowest cost of each method.
enum TestHashes {
    static let bcrypt = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
    static let sha256 = "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2"
    static let sha512 =
        "$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"
    static let yescrypt = "$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/$Tg4ZRR7tz/WRlmYbADZh9OJYakPewgSPQqW55EXAJ14"
    static let all = [bcrypt, sha256, sha512, yescrypt, "$2y$" + bcrypt.dropFirst(4)]
}

@Suite struct PasswordTests {
    private func verify(_ password: String, _ hash: String) -> Bool {
        var hasher = PasswordHasher()
        return hasher.verify(password: Array(password.utf8).span, hash: hash)
    }

    @Test(arguments: TestHashes.all)
    func `A password matches its hash and nothing else does`(hash: String) {
        #expect(verify("secret", hash))
        for wrong in ["Secret", "secre", "secrets", "", "secret\0", "secret\0x", String(repeating: "s", count: 600)] {
            #expect(!verify(wrong, hash))
        }
        #expect(!verify("secret", String(hash.dropLast())))
        #expect(!verify("secret", hash + "x"))
    }

    @Test(arguments: [
        "", "*", "*0", "x", "$", "$2b$", "$9$salt$x", "$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "abNANd1rDfiNc", "secret",
        "$6$a:b$x", "$5$sa lt$x", "$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        "$6$" + String(repeating: "a", count: 400),
    ])
    func `Hashes of other methods match nothing`(hash: String) {
        #expect(!verify("secret", hash))
        #expect(!verify("", hash))
    }

    @Test func `Methods are known by their prefix`() {
        let methods = TestHashes.all.map { PasswordHash.method(of: $0) }
        #expect(methods == [.bcrypt, .sha256, .sha512, .yescrypt, .bcrypt])
        #expect(PasswordHash.method(of: "$1$saltsalt$9xy1btjgzLYfb7hivXtC//") == nil)
    }

    @Test func `bcrypt passwords that it would cut are refused`() {
        #expect(!verify(String(repeating: "a", count: 73), TestHashes.bcrypt))
    }

    @Test func `One hasher serves many passwords`() {
        var hasher = PasswordHasher()
        for round in 0..<20 {
            let hash = TestHashes.all[round % TestHashes.all.count]
            let isRight = round % 3 != 0
            let isMatch = hasher.verify(password: Array((isRight ? "secret" : "wrong").utf8).span, hash: hash)
            #expect(isMatch == isRight)
        }
    }

    @Test func `Threads verify many passwords at a time, and each gets its own answer`() async {
        let verifier = PasswordVerifier(threads: 2, queueLimit: 200)
        await withTaskGroup(of: Bool.self) { group in
            for round in 0..<60 {
                group.addTask {
                    let password = round % 2 == 0 ? "secret" : "wrong\(round)"
                    let hash = TestHashes.all[round % TestHashes.all.count]
                    let outcome = await verifier.verify(password: Array(password.utf8), hash: hash)
                    return outcome == (round % 2 == 0 ? .match : .mismatch)
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test func `A full queue is busy at once and works again later`() async {
        let verifier = PasswordVerifier(threads: 1, queueLimit: 2)
        let outcomes = await withTaskGroup(of: PasswordVerifier.Outcome.self) { group in
            for _ in 0..<50 {
                group.addTask { await verifier.verify(password: Array("secret".utf8), hash: TestHashes.sha512) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 50 && outcomes.contains(.match) && !outcomes.contains(.mismatch))
        #expect(await verifier.verify(password: Array("secret".utf8), hash: TestHashes.sha512) == .match)
    }

    @Test func `Limits of zero count as one`() async {
        let verifier = PasswordVerifier(threads: 0, queueLimit: 0)
        #expect(await verifier.verify(password: Array("secret".utf8), hash: TestHashes.sha256) == .match)
        #expect(await verifier.verify(password: [], hash: "x") == .mismatch)
    }
}
