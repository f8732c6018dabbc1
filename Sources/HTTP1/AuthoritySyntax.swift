import HTTP

/// Grammar of `host [":" port]` in a Host field or a request target (RFC 9110 section 7.2, RFC 3986 section 3.2).
///
/// Narrower than the RFC where that is a known way to mean two hosts at once: no user information, no comma, no
/// empty host, no empty port, no future IP literals.
package enum AuthoritySyntax {
    /// Whether `bytes` is an authority that we accept.
    package static func isValid(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0 else { return false }
        var end: Int
        if bytes[0] == 0x5B {
            end = 1
            while end < bytes.count && bytes[end] != 0x5D { end &+= 1 }
            guard end < bytes.count, isIPv6(bytes.extracting(first: end).extracting(droppingFirst: 1)) else {
                return false
            }
            end &+= 1
        } else {
            end = 0
            while end < bytes.count && bytes[end] != 0x3A {
                if bytes[end] == 0x25 {
                    guard end &+ 2 < bytes.count, ByteClass.isHexDigit(bytes[end &+ 1]),
                        ByteClass.isHexDigit(bytes[end &+ 2])
                    else { return false }
                } else if !ByteClass.isHost(bytes[end]) {
                    return false
                }
                end &+= 1
            }
            guard end > 0 else { return false }
        }
        if end == bytes.count { return true }
        return bytes[end] == 0x3A && isPort(bytes.extracting(droppingFirst: end &+ 1))
    }

    /// 1 to 65535 in at most five digits.
    private static func isPort(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0, bytes.count <= 5 else { return false }
        var port = 0
        for index in 0..<bytes.count {
            guard ByteClass.isDigit(bytes[index]) else { return false }
            port = port &* 10 &+ Int(bytes[index] &- 0x30)
        }
        return port >= 1 && port <= 65_535
    }

    /// IPv6address (RFC 3986 section 3.2.2), without a zone.
    private static func isIPv6(_ bytes: Span<UInt8>) -> Bool {
        var groups = 0
        var isCompressed = false
        var index = 0
        if bytes.count >= 2 && bytes[0] == 0x3A {
            guard bytes[1] == 0x3A else { return false }
            isCompressed = true
            index = 2
        }
        while index < bytes.count {
            let start = index
            while index < bytes.count && ByteClass.isHexDigit(bytes[index]) { index &+= 1 }
            if index < bytes.count && bytes[index] == 0x2E {
                groups &+= 2
                guard isIPv4(bytes.extracting(droppingFirst: start)) else { return false }
                return isCompressed ? groups <= 7 : groups == 8
            }
            guard index > start, index &- start <= 4 else { return false }
            groups &+= 1
            if groups > 8 { return false }
            if index == bytes.count { break }
            guard bytes[index] == 0x3A else { return false }
            index &+= 1
            if index == bytes.count { return false }
            if bytes[index] == 0x3A {
                if isCompressed { return false }
                isCompressed = true
                index &+= 1
            }
        }
        return isCompressed ? groups <= 7 : groups == 8
    }

    /// Four decimal numbers up to 255 without leading zeros.
    private static func isIPv4(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        for part in 0..<4 {
            if part > 0 {
                guard index < bytes.count, bytes[index] == 0x2E else { return false }
                index &+= 1
            }
            let start = index
            var value = 0
            while index < bytes.count && index &- start < 4 && ByteClass.isDigit(bytes[index]) {
                value = value &* 10 &+ Int(bytes[index] &- 0x30)
                index &+= 1
            }
            guard index > start, value <= 255, index &- start == 1 || bytes[start] != 0x30 else { return false }
        }
        return index == bytes.count
    }
}
