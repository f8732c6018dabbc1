import Containers
package import HTTP
package import Net

/// Whom a chain of trusted proxies names as the client (X-Forwarded-For, walked from the right).
package enum ForwardedClient {
    /// Elements looked at; the walk ends at the last good one behind that.
    private static let elementsLimit = 64

    /// The first address from the right that is not trusted. When an element is no plain address the walk ends at the one before.
    /// `peer` is where it begins.
    package static func client(
        fields: borrowing RequestHead, bytes: Span<UInt8>, peer: IPAddress, isTrusted: (IPAddress) -> Bool
    ) -> IPAddress {
        var client = peer
        var elements = 0
        var line = fields.fields.count &- 1
        while line >= 0 {
            let field = fields.fields[line]
            line &-= 1
            guard field.known == .xForwardedFor else { continue }
            var upper = field.value.upper
            while upper >= field.value.lower {
                var lower = upper
                while lower > field.value.lower, bytes[lower &- 1] != 0x2C { lower &-= 1 }
                elements &+= 1
                guard elements <= elementsLimit, let address = address(bytes.extracting(lower..<upper)) else {
                    return client
                }
                client = address
                if !isTrusted(address) { return client }
                if lower == field.value.lower { break }
                upper = lower &- 1
            }
        }
        return client
    }

    /// An element without the white space around it.
    private static func address(_ element: Span<UInt8>) -> IPAddress? {
        var lower = 0
        var upper = element.count
        while lower < upper, element[lower] == 0x20 || element[lower] == 0x09 { lower &+= 1 }
        while upper > lower, element[upper &- 1] == 0x20 || element[upper &- 1] == 0x09 { upper &-= 1 }
        return IPAddress(element.extracting(lower..<upper))?.canonical
    }
}
