import Config
import HTTP
import Testing

@testable import Middleware

@Suite struct CORSTests {
    private func pipeline(_ change: (inout CORSConfig) -> Void = { _ in }) throws -> Pipeline {
        var config = CORSConfig()
        config.origins = ["https://app.test", "http://localhost:3000"]
        config.methods = ["GET", "PUT"]
        config.headers = ["x-token", "content-type"]
        config.exposeHeaders = ["X-Total", "X-Page"]
        change(&config)
        return try Pipeline(.cors(config))
    }

    private func preflight(_ origin: String, _ method: String = "PUT", _ headers: String? = "X-Token") -> [String] {
        let lines = ["OPTIONS /a HTTP/1.1", "Origin: \(origin)", "Access-Control-Request-Method: \(method)"]
        return lines + (headers.map { ["Access-Control-Request-Headers: \($0)"] } ?? [])
    }

    @Test func `A preflight is answered here`() async throws {
        let answer = try await pipeline { $0.credentials = true }.answer(preflight("https://app.test"))
        #expect(answer.status == 204)
        #expect(answer.header("Access-Control-Allow-Methods") == "GET, PUT")
        #expect(answer.header("Access-Control-Allow-Headers") == "x-token, content-type")
        #expect(answer.header("Access-Control-Max-Age") == "600")
        #expect(
            answer.response == [
                "Vary: Origin", "Access-Control-Allow-Origin: https://app.test",
                "Access-Control-Allow-Credentials: true",
            ])
    }

    @Test(
        arguments: [
            ("https://evil.test", "PUT", "x-token"), ("https://app.test.evil.test", "PUT", nil), ("null", "PUT", nil),
            ("HTTPS://app.test", "PUT", nil), ("https://app.test", "DELETE", nil), ("https://app.test", "put", nil),
            ("https://app.test", "PUT", "x-token, x-other"), ("https://app.test, https://app.test", "PUT", nil),
        ] as [(String, String, String?)])
    func `A preflight for anything else allows nothing`(origin: String, method: String, headers: String?) async throws {
        let answer = try await pipeline().answer(preflight(origin, method, headers))
        #expect(answer.status == 204 && answer.reply?.headers.isEmpty == true)
        #expect(answer.response == ["Vary: Origin"])
    }

    @Test(arguments: ["x-token", "X-TOKEN ,content-type", ",, x-token,", "", "Content-Type\t, X-Token"])
    func `Requested header names are a list without case`(headers: String) async throws {
        let answer = try await pipeline().answer(preflight("https://app.test", "PUT", headers))
        #expect(answer.header("Access-Control-Allow-Methods") != nil)
    }

    @Test func `An answer says who may read it and forgets what the upstream said`() async throws {
        let pipeline = try pipeline()
        var request = TestHeads.request(["GET / HTTP/1.1", "Origin: http://localhost:3000"])
        var slots = MiddlewareChain.Slots(repeating: 0)
        check(pipeline.chain.onRequest(&request, from: 0, slots: &slots) == .next)
        var response = TestHeads.response(
            ["HTTP/1.1 200 OK", "access-control-allow-origin: *", "Access_Control_Max_Age: 5", "Access: x", "Vary: A"],
            request: ["GET / HTTP/1.1", "Origin: http://localhost:3000"])
        pipeline.chain.onResponse(&response, entered: 1, slots: slots)
        #expect(
            TestHeads.sent(response) == [
                "Access: x", "Vary: A", "Vary: Origin", "Access-Control-Allow-Origin: http://localhost:3000",
                "Access-Control-Expose-Headers: X-Total, X-Page",
            ])
    }

    @Test func `A request from another origin or from none passes and gets no leave to be read`() async throws {
        for lines in [[], ["Origin: https://evil.test"], ["Origin: https://app.test", "Origin: https://app.test"]] {
            let answer = try await pipeline().answer(["GET / HTTP/1.1"] + lines)
            #expect(answer.status == nil && answer.response == ["Vary: Origin"])
        }
    }

    @Test func `OPTIONS without the fields of a preflight goes upstream`() async throws {
        #expect(try await pipeline().answer(["OPTIONS / HTTP/1.1", "Origin: https://app.test"]).status == nil)
        #expect(try await pipeline().answer(["OPTIONS / HTTP/1.1"]).status == nil)
    }

    @Test func `All origins are allowed by a star, but never with credentials`() async throws {
        let answer = try await pipeline { $0.origins = ["*"] }.answer(["GET / HTTP/1.1", "Origin: https://any.test"])
        #expect(answer.response.prefix(2) == ["Vary: Origin", "Access-Control-Allow-Origin: *"])
        #expect(throws: MiddlewareProblems.self) {
            _ = try pipeline {
                $0.origins = ["*"]
                $0.credentials = true
            }
        }
    }
}
