/// Recognition of names by comparing whole words: cheaper than a hash and a table, and nothing to set up.
///
/// The constants are the names' bytes as little-endian words; a test builds each name from `KnownField.name` and
/// looks it up, so that a wrong digit cannot stay.
extension KnownField {
    /// The field with this name in any case; `other` for every other run of bytes.
    package static func recognise(_ name: Span<UInt8>) -> KnownField {
        let first = ByteScan.word(name, at: 0)
        if name.count >= 8 { return recognise(name, from: 0, to: name.count, first) }
        return recognise(ended: first | 0x3A &<< UInt64(truncatingIfNeeded: 8 &* name.count))
    }

    /// The field whose name and the colon behind it, eight bytes at most, make up a word; what is left of it is zero.
    package static func recognise(ended word: UInt64) -> KnownField { short(folded(word)) }

    /// The field whose name, of eight bytes or more, stands at a place; `word` has the first eight.
    package static func recognise(
        _ bytes: Span<UInt8>, from start: Int, to end: Int, _ word: UInt64
    ) -> KnownField {
        let first = folded(word)
        let count = end &- start
        if count == 8 { return first == 0x6E6F_6974_6163_6F6C ? .location : .other }
        let last = folded(ByteScan.word(bytes, before: end))
        if count > 16 { return long(count, first, last, bytes, start) }
        let field = medium(count, first, last)
        return field == .other ? family(first, count, bytes, start) : field
    }

    /// Whether one name alone is recognised as this field, so that it surely is a token.
    @inlinable
    @inline(__always)
    package var hasOneName: Bool {
        switch self {
        case .other, .xForwardedOther, .xEnvoy: false
        default: true
        }
    }

    /// Letters in lower case. Some other bytes above 0x3F change too, into such as no name has; control characters
    /// stay what they are, which setting bit 5 everywhere would turn into `-` and digits.
    @inline(__always)
    private static func folded(_ word: UInt64) -> UInt64 {
        word | (word & 0x4040_4040_4040_4040) &>> 1
    }

    /// Names of up to seven bytes with the colon behind, so that no NUL can stand for the end of a name.
    private static func short(_ word: UInt64) -> KnownField {
        switch word {
        case 0x3A_6574: .te
        case 0x3A61_6976: .via
        case 0x3A_6574_6164: .date
        case 0x3A_7473_6F68: .host
        case 0x3A_7972_6176: .vary
        case 0x3A79_786F_7270: .proxy
        case 0x3A_7470_6563_6361: .accept
        case 0x3A_6569_6B6F_6F63: .cookie
        case 0x3A_7463_6570_7865: .expect
        case 0x3A_6E69_6769_726F: .origin
        case 0x3A_7265_7672_6573: .server
        case 0x3A72_6572_6566_6572: .referer
        case 0x3A72_656C_6961_7274: .trailer
        case 0x3A65_6461_7267_7075: .upgrade
        default: .other
        }
    }

    /// Names of nine to sixteen bytes by their first and their last eight.
    @inline(__always)
    private static func medium(_ count: Int, _ first: UInt64, _ last: UInt64) -> KnownField {
        switch count {
        case 9:
            if first == 0x6564_7261_7772_6F66 && last == 0x6465_6472_6177_726F { return .forwarded }
            if first == 0x692D_6C61_6572_2D78 && last == 0x7069_2D6C_6165_722D { return .xRealIP }
        case 10:
            if first == 0x6974_6365_6E6E_6F63 && last == 0x6E6F_6974_6365_6E6E { return .connection }
            if first == 0x696C_612D_7065_656B && last == 0x6576_696C_612D_7065 { return .keepAlive }
            if first == 0x6B6F_6F63_2D74_6573 && last == 0x6569_6B6F_6F63_2D74 { return .setCookie }
            if first == 0x6567_612D_7265_7375 && last == 0x746E_6567_612D_7265 { return .userAgent }
        case 11:
            if first == 0x632D_746E_6569_6C63 && last == 0x7472_6563_2D74_6E65 { return .clientCert }
            if first == 0x6661_2D79_7274_6572 && last == 0x7265_7466_612D_7972 { return .retryAfter }
            if first == 0x7261_7065_6361_7274 && last == 0x746E_6572_6170_6563 { return .traceparent }
            if first == 0x746E_6569_6C63_2D78 && last == 0x7069_2D74_6E65_696C { return .xClientIP }
        case 12:
            if first == 0x2D74_6E65_746E_6F63 && last == 0x6570_7974_2D74_6E65 { return .contentType }
            if first == 0x7772_6F66_2D78_616D && last == 0x7364_7261_7772_6F66 { return .maxForwards }
            if first == 0x7473_2D79_786F_7270 && last == 0x7375_7461_7473_2D79 { return .proxyStatus }
            if first == 0x7365_7571_6572_2D78 && last == 0x6469_2D74_7365_7571 { return .xRequestID }
        case 13:
            if first == 0x7A69_726F_6874_7561 && last == 0x6E6F_6974_617A_6972 { return .authorization }
            if first == 0x6F63_2D65_6863_6163 && last == 0x6C6F_7274_6E6F_632D { return .cacheControl }
            if first == 0x7469_7277_6572_2D78 && last == 0x6C72_752D_6574_6972 { return .xRewriteURL }
        case 14:
            if first == 0x2D74_6E65_746E_6F63 && last == 0x6874_676E_656C_2D74 { return .contentLength }
            if first == 0x6573_2D32_7074_7468 && last == 0x7367_6E69_7474_6573 { return .http2Settings }
            if first == 0x696C_632D_6575_7274 && last == 0x7069_2D74_6E65_696C { return .trueClientIP }
            if first == 0x6E69_6769_726F_2D78 && last == 0x6C72_752D_6C61_6E69 { return .xOriginalURL }
        case 15:
            if first == 0x7261_7772_6F66_2D78 && last == 0x726F_662D_6465_6472 { return .xForwardedFor }
        case 16:
            if first == 0x656E_6E6F_632D_6663 && last == 0x7069_2D67_6E69_7463 { return .cfConnectingIP }
            if first == 0x6F63_2D79_786F_7270 && last == 0x6E6F_6974_6365_6E6E { return .proxyConnection }
            if first == 0x6874_7561_2D77_7777 && last == 0x6574_6163_6974_6E65 { return .wwwAuthenticate }
            if first == 0x7261_7772_6F66_2D78 && last == 0x7473_6F68_2D64_6564 { return .xForwardedHost }
            if first == 0x7261_7772_6F66_2D78 && last == 0x7472_6F70_2D64_6564 { return .xForwardedPort }
        default: break
        }
        return .other
    }

    /// Longer names by their first, second and last eight bytes; what lies between is compared where it is left.
    private static func long(
        _ count: Int, _ first: UInt64, _ last: UInt64, _ bytes: Span<UInt8>, _ start: Int
    ) -> KnownField {
        let second = folded(ByteScan.word(bytes, before: start &+ 16))
        switch count {
        case 17:
            if first == 0x7362_6577_2D63_6573 && second == 0x656B_2D74_656B_636F && last == 0x7965_6B2D_7465_6B63 {
                return .secWebSocketKey
            }
            if first == 0x7265_6673_6E61_7274 && second == 0x6E69_646F_636E_652D && last == 0x676E_6964_6F63_6E65 {
                return .transferEncoding
            }
            if first == 0x7261_7772_6F66_2D78 && second == 0x746F_7270_2D64_6564 && last == 0x6F74_6F72_702D_6465 {
                return .xForwardedProto
            }
            if first == 0x6E69_6769_726F_2D78 && second == 0x6F68_7465_6D2D_6C61 && last == 0x646F_6874_656D_2D6C {
                return .xOriginalMethod
            }
            if first == 0x632D_746E_6569_6C63 && second == 0x6961_6863_2D74_7265 && last == 0x6E69_6168_632D_7472 {
                return .clientCertChain
            }
        case 18:
            if first == 0x7561_2D79_786F_7270 && second == 0x6163_6974_6E65_6874 && last == 0x6574_6163_6974_6E65 {
                return .proxyAuthenticate
            }
            if first == 0x7261_7772_6F66_2D78 && second == 0x6665_7270_2D64_6564 && last == 0x7869_6665_7270_2D64 {
                return .xForwardedPrefix
            }
        case 19:
            if first == 0x7561_2D79_786F_7270 && second == 0x7461_7A69_726F_6874 && last == 0x6E6F_6974_617A_6972 {
                return .proxyAuthorization
            }
        case 20:
            if first == 0x7362_6577_2D63_6573 && second == 0x6361_2D74_656B_636F && last == 0x7470_6563_6361_2D74 {
                return .secWebSocketAccept
            }
        case 21:
            if first == 0x7362_6577_2D63_6573 && second == 0x6576_2D74_656B_636F && last == 0x6E6F_6973_7265_762D {
                return .secWebSocketVersion
            }
        case 22:
            if first == 0x7362_6577_2D63_6573 && second == 0x7270_2D74_656B_636F && last == 0x6C6F_636F_746F_7270 {
                return .secWebSocketProtocol
            }
        case 24:
            if first == 0x7362_6577_2D63_6573 && second == 0x7865_2D74_656B_636F && last == 0x736E_6F69_736E_6574 {
                return .secWebSocketExtensions
            }
        case 29:
            if first == 0x632D_7373_6563_6361 && second == 0x722D_6C6F_7274_6E6F && last == 0x646F_6874_656D_2D74 {
                let third = folded(ByteScan.word(bytes, before: start &+ 24))
                if third == 0x6D2D_7473_6575_7165 { return .accessControlRequestMethod }
            }
        case 30:
            if first == 0x632D_7373_6563_6361 && second == 0x722D_6C6F_7274_6E6F && last == 0x7372_6564_6165_682D {
                let third = folded(ByteScan.word(bytes, before: start &+ 24))
                if third == 0x682D_7473_6575_7165 { return .accessControlRequestHeaders }
            }
        default: break
        }
        return family(first, count, bytes, start)
    }

    /// Families of names: `x-forwarded-…` and `x-envoy-…`.
    private static func family(_ first: UInt64, _ count: Int, _ bytes: Span<UInt8>, _ start: Int) -> KnownField {
        if first == 0x2D79_6F76_6E65_2D78 { return .xEnvoy }
        guard first == 0x7261_7772_6F66_2D78, count > 12 else { return .other }
        let next = folded(ByteScan.word(bytes, before: start &+ 12))
        return next == 0x2D64_6564_7261_7772 ? .xForwardedOther : .other
    }
}
