/// The text form of IPv6 addresses: RFC 4291 section 2.2 in, RFC 5952 out.
enum IPv6Text {
    static func parse(_ bytes: Span<UInt8>) -> (high: UInt64, low: UInt64)? {
        parse(bytes, in: 0..<bytes.count)
    }

    /// Reads exactly the bytes of `range`, which must lie inside `bytes`.
    static func parse(_ bytes: Span<UInt8>, in range: Range<Int>) -> (high: UInt64, low: UInt64)? {
        // The longest text is 0000:0000:0000:0000:0000:ffff:255.255.255.255.
        guard range.count >= 2, range.count <= 45 else { return nil }
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var count = 0
        var gap: Int?
        var at = range.lowerBound
        let end = range.upperBound
        if bytes[at] == 0x3A {
            guard bytes[at + 1] == 0x3A else { return nil }
            gap = 0
            at += 2
        }
        while at < end {
            let start = at
            guard let group = hexGroup(bytes, from: &at, to: end) else { return nil }
            if at < end, bytes[at] == 0x2E {
                guard count <= 6, let octets = IPv4Text.parse(bytes, in: start..<end) else { return nil }
                groups[count] = UInt16(truncatingIfNeeded: octets >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: octets)
                count += 2
                break
            }
            guard count < 8 else { return nil }
            groups[count] = group
            count += 1
            if at == end { break }
            guard bytes[at] == 0x3A else { return nil }
            at += 1
            // A colon must be followed by a group, or by the one colon that makes it the gap.
            guard at < end else { return nil }
            if bytes[at] == 0x3A {
                guard gap == nil else { return nil }
                gap = count
                at += 1
            }
        }
        guard gap == nil ? count == 8 : count < 8 else { return nil }
        return words(groups, count: count, gap: gap ?? count)
    }

    /// One to four hexadecimal digits.
    private static func hexGroup(_ bytes: Span<UInt8>, from at: inout Int, to end: Int) -> UInt16? {
        var value: UInt16 = 0
        var digits = 0
        while at < end, digits < 5 {
            let digit: UInt8
            switch bytes[at] {
            case let byte where byte >= 0x30 && byte <= 0x39: digit = byte &- 0x30
            case let byte where byte >= 0x41 && byte <= 0x46: digit = byte &- 0x37
            case let byte where byte >= 0x61 && byte <= 0x66: digit = byte &- 0x57
            default: return digits == 0 ? nil : value
            }
            guard digits < 4 else { return nil }
            value = value << 4 | UInt16(digit)
            digits &+= 1
            at &+= 1
        }
        return digits == 0 ? nil : value
    }

    /// Spreads `count` groups over the address: those before `gap` to the front, the others to the end.
    private static func words(_ groups: InlineArray<8, UInt16>, count: Int, gap: Int) -> (high: UInt64, low: UInt64) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<count {
            let place = index < gap ? index : index + 8 - count
            if place < 4 {
                high |= UInt64(groups[index]) << UInt64(48 - 16 * place)
            } else {
                low |= UInt64(groups[index]) << UInt64(48 - 16 * (place - 4))
            }
        }
        return (high, low)
    }

    static func write(high: UInt64, low: UInt64, into sink: (UInt8) -> Void) {
        if high == 0, low >> 32 == 0xFFFF {
            // RFC 5952 section 5: a known prefix with an embedded IPv4 address is written in mixed notation.
            for byte in "::ffff:".utf8 { sink(byte) }
            IPv4Text.write(UInt32(truncatingIfNeeded: low), into: sink)
            return
        }
        let zeros = longestZeroRun(high: high, low: low)
        var index = 0
        while index < 8 {
            if !zeros.isEmpty, index == zeros.lowerBound {
                sink(0x3A)
                sink(0x3A)
                index = zeros.upperBound
                continue
            }
            if index > 0, index != zeros.upperBound || zeros.isEmpty { sink(0x3A) }
            writeHex(group(index, high: high, low: low), into: sink)
            index += 1
        }
    }

    private static func group(_ index: Int, high: UInt64, low: UInt64) -> UInt16 {
        let word = index < 4 ? high : low
        return UInt16(truncatingIfNeeded: word >> UInt64(48 - 16 * (index & 3)))
    }

    /// The first of the longest runs of two or more zero groups (RFC 5952 section 4.2); empty without one.
    private static func longestZeroRun(high: UInt64, low: UInt64) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for index in 0..<8 {
            if group(index, high: high, low: low) != 0 {
                start = index + 1
            } else if index + 1 - start > max(longest.count, 1) {
                longest = start..<(index + 1)
            }
        }
        return longest
    }

    private static func writeHex(_ value: UInt16, into sink: (UInt8) -> Void) {
        var shift: UInt16 = 12
        while shift > 0, value >> shift == 0 { shift -= 4 }
        while true {
            let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
            sink(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
            if shift == 0 { return }
            shift -= 4
        }
    }
}
