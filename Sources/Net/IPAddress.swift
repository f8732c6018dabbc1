/// An IPv4 or IPv6 address. Zones (`fe80::1%eth0`) are not part of it.
@usableFromInline
package enum IPAddress: Sendable, Equatable, Hashable {
    /// The four octets, the first in the most significant byte.
    case v4(UInt32)
    /// The first and the last eight octets, each with its first octet in the most significant byte.
    case v6(UInt64, UInt64)

    /// Reads dotted decimal (four octets without leading zeros) or IPv6 text (RFC 4291 section 2.2), nothing around it.
    package init?(_ bytes: Span<UInt8>) {
        for index in 0..<bytes.count where bytes[index] == 0x3A {
            guard let words = IPv6Text.parse(bytes) else { return nil }
            self = .v6(words.high, words.low)
            return
        }
        guard let octets = IPv4Text.parse(bytes) else { return nil }
        self = .v4(octets)
    }

    /// Reads an address from configuration text.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes.span)
    }

    /// Bits of an address of this family: 32 or 128.
    package var bitCount: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    /// The IPv4 address for an IPv4-mapped IPv6 one (`::ffff:a.b.c.d`), everything else as it is.
    ///
    /// Policies compare canonical addresses only: a client must not have two identities by two spellings.
    package var canonical: IPAddress {
        guard case .v6(0, let low) = self, low >> 32 == 0xFFFF else { return self }
        return .v4(UInt32(truncatingIfNeeded: low))
    }

    package var isLoopback: Bool {
        switch canonical {
        case .v4(let octets): octets >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// `0.0.0.0` or `::`.
    @inlinable
    package var isUnspecified: Bool {
        switch self {
        case .v4(let octets): octets == 0
        case .v6(let high, let low): high == 0 && low == 0
        }
    }

    /// The first `prefix` bits, the others zero. A prefix outside 0...bitCount counts as the nearest of them.
    package func masked(prefix: Int) -> IPAddress {
        switch self {
        case .v4(let octets):
            let kept = min(max(prefix, 0), 32)
            return .v4(kept == 0 ? 0 : octets & (UInt32.max << (32 &- kept)))
        case .v6(let high, let low):
            let kept = min(max(prefix, 0), 128)
            let highKept = min(kept, 64)
            let lowKept = kept &- highKept
            return .v6(
                highKept == 0 ? 0 : high & (UInt64.max << (64 &- highKept)),
                lowKept == 0 ? 0 : low & (UInt64.max << (64 &- lowKept)))
        }
    }

    /// What limits count a client by: IPv4 whole, IPv4-mapped as IPv4, IPv6 by its network, since one client usually
    /// owns a whole /64 and could take a new address for each request.
    package func clientKey(v6Prefix: Int = 64) -> IPAddress {
        let address = canonical
        guard case .v6 = address else { return address }
        return address.masked(prefix: v6Prefix)
    }

    /// Hands the canonical text (dotted decimal; RFC 5952) to `sink` byte by byte. At most 39 bytes.
    package func write(into sink: (UInt8) -> Void) {
        switch self {
        case .v4(let octets): IPv4Text.write(octets, into: sink)
        case .v6(let high, let low): IPv6Text.write(high: high, low: low, into: sink)
        }
    }
}

extension IPAddress: CustomStringConvertible {
    @usableFromInline package var description: String {
        var bytes: [UInt8] = []
        write { bytes.append($0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
