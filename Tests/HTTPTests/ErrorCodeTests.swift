import HTTP
import Testing

@Suite struct ErrorCodeTests {
    @Test func `Every 503 says when to come back, and nothing else does`() {
        for code in ErrorCode.allCases {
            #expect(((code.retryAfter ?? 0) > 0) == (code.row.status == 503), "\(code)")
        }
    }
}
