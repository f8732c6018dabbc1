/// What the Max-Forwards fields of an OPTIONS request say (RFC 9110 section 7.6.2).
@frozen
package enum MaxForwards: Sendable, Equatable {
    /// The request has none.
    case unlimited
    /// Times that it may be forwarded; 0: whoever has it answers it.
    case hops(Int)
    /// Not one decimal number.
    case invalid

    /// Larger numbers count as this: no request has so long a way.
    static let limit = 999_999_999

    /// After another field with this value.
    package func noting(_ value: Span<UInt8>) -> MaxForwards {
        guard self == .unlimited, value.count > 0 else { return .invalid }
        var number = 0
        for index in 0..<value.count {
            let digit = value[index] &- 0x30
            guard digit < 10 else { return .invalid }
            number = min(number &* 10 &+ Int(digit), Self.limit)
        }
        return .hops(number)
    }
}
