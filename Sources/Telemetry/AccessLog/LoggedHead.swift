private import Containers
package import HTTP

/// Where a request's head has the parts that log lines show: ranges of `ExchangeTexts.head`; empty: absent, or the head could
/// not be read so far.
package struct LoggedHead: Sendable {
    package var method = ByteRange.empty
    /// The whole request target as received.
    package var target = ByteRange.empty
    package var path = ByteRange.empty
    package var query: ByteRange?
    package var authority = ByteRange.empty
    package var userAgent = ByteRange.empty
    package var referer = ByteRange.empty
    package var minorVersion: UInt8 = 1
    package var isHTTP2 = false

    package init() {}

    /// The version as log lines name it.
    var version: StaticString {
        if isHTTP2 { return "HTTP/2.0" }
        return minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1"
    }

    /// Takes over where a parsed head has its parts. The ranges stay valid for `head`'s bytes only.
    package init(_ head: borrowing RequestHead) {
        method = head.methodRange
        target = head.target
        path = head.path
        query = head.query
        authority = head.authority
        minorVersion = head.minorVersion
        isHTTP2 = head.isHTTP2
        for index in 0..<head.fields.count {
            switch head.fields[index].known {
            case .userAgent: if userAgent.isEmpty { userAgent = head.fields[index].value }
            case .referer: if referer.isEmpty { referer = head.fields[index].value }
            default: continue
            }
        }
    }
}
