import Config
import HTTP
import HTTP2
import Testing

@testable import Proxy

@Suite struct HTTP2DefaultsTests {
    @Test func `The limits of the protocol layer and of the configuration have the same defaults`() {
        #expect(FloodLimits(HTTP2Limits()) == FloodLimits())
    }

    @Test(arguments: ErrorCode.allCases.filter { $0 != .none }) func `A title may stand in grpc-message as it is`(
        _ code: ErrorCode
    ) {
        let title = "\(code.row.title)"
        #expect(!title.isEmpty)
        #expect(title.utf8.allSatisfy { 0x20...0x7E ~= $0 && $0 != 0x25 }, "\(title)")
    }
}
