internal import Containers
internal import Net

/// Appending to a buffer that may be full: what comes from a client decides how long a value gets, so these never trap.
extension Buffer {
    /// False, and nothing appended, without room.
    mutating func appendIfRoom(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count <= tailroom else { return false }
        append(bytes)
        return true
    }

    mutating func appendIfRoom(_ literal: StaticString) -> Bool {
        guard literal.utf8CodeUnitCount <= tailroom else { return false }
        append(literal)
        return true
    }

    mutating func appendIfRoom(_ byte: UInt8) -> Bool {
        guard tailroom > 0 else { return false }
        append(byte)
        return true
    }

    mutating func appendIfRoom(decimal value: Int) -> Bool {
        guard tailroom >= 20 else { return false }
        append(decimal: value)
        return true
    }

    /// Appends an IP address as text.
    mutating func appendIfRoom(_ address: IPAddress) -> Bool {
        guard tailroom >= Self.addressLimit else { return false }
        address.write { append($0) }
        return true
    }

    /// Bytes that an address takes as text at most (RFC 4291 section 2.2: with an IPv4 address at its end).
    static var addressLimit: Int { 45 }
}
