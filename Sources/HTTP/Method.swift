/// A request method. Any token is allowed; those that the gateway treats specially have a case.
@usableFromInline
package enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, options, patch, trace, connect, query
    /// Another token; its bytes stand in the head.
    case other

    /// The methods that can reach a route, apart from those without a case, as the value of `Allow`.
    package static let supported = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, QUERY"

    /// RFC 9110 section 9.2.2, RFC 10008: sending it twice has the effect of sending it once.
    package var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace, .query: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// The method with these bytes; methods are case-sensitive (RFC 9110 section 9.1).
    package static func recognise(_ bytes: Span<UInt8>) -> Method {
        guard bytes.count < 8 else { return .other }
        var word: UInt64 = 0
        for index in 0..<bytes.count { word |= UInt64(bytes[index]) << UInt64(8 &* index) }
        return recognise(word)
    }

    /// The method whose bytes are those of a little-endian word, the rest of it zero.
    @inlinable
    package static func recognise(_ word: UInt64) -> Method {
        switch word {
        case 0x54_4547: .get
        case 0x4441_4548: .head
        case 0x5453_4F50: .post
        case 0x54_5550: .put
        case 0x4554_454C_4544: .delete
        case 0x53_4E4F_4954_504F: .options
        case 0x48_4354_4150: .patch
        case 0x45_4341_5254: .trace
        case 0x54_4345_4E4E_4F43: .connect
        case 0x59_5245_5551: .query
        default: .other
        }
    }

    /// The method's bytes; empty for `other`.
    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .query: "QUERY"
        case .other: ""
        }
    }
}
