import Config
import Testing

@testable import Middleware

@Suite struct HSTSTests {
    private func answer(
        _ head: [String] = ["HTTP/1.1 200 OK"], isSecure: Bool = true, _ change: (inout HSTSConfig) -> Void = { _ in }
    ) throws -> [String] {
        var config = HSTSConfig()
        change(&config)
        let pipeline = try Pipeline(.hsts(config))
        var request = TestHeads.request(["GET / HTTP/1.1"])
        request.isSecure = isSecure
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(pipeline.chain.onRequest(&request, from: 0, slots: &slots) == .next)
        var response = TestHeads.response(head, request: ["GET / HTTP/1.1"])
        pipeline.chain.onResponse(&response, entered: 1, slots: slots)
        return TestHeads.sent(response)
    }

    @Test func `An answer over TLS says for how long TLS is wanted`() throws {
        #expect(try answer() == ["Strict-Transport-Security: max-age=31536000"])
        #expect(
            try answer {
                $0.maxAge = .seconds(63_072_000)
                $0.includeSubdomains = true
                $0.preload = true
            } == ["Strict-Transport-Security: max-age=63072000; includeSubDomains; preload"])
        #expect(try answer { $0.maxAge = .zero } == ["Strict-Transport-Security: max-age=0"])
    }

    @Test func `An answer without TLS does not, and keeps what the service says`() throws {
        #expect(try answer(isSecure: false) == [])
        let own = ["HTTP/1.1 200 OK", "Strict-Transport-Security: max-age=1"]
        #expect(try answer(own, isSecure: false) == ["Strict-Transport-Security: max-age=1"])
    }

    @Test func `There is one such field, not the service's besides`() throws {
        let own = ["HTTP/1.1 200 OK", "strict-transport-security: max-age=1", "X: 1"]
        #expect(try answer(own) == ["X: 1", "Strict-Transport-Security: max-age=31536000"])
    }
}
