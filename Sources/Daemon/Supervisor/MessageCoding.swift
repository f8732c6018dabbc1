/// Writes the fields of a message between supervisor and gateway: numbers big-endian, texts behind their length.
struct MessageWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: UInt8) { bytes.append(value) }

    mutating func write(_ value: UInt32) {
        for shift in stride(from: 24, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }

    mutating func write(_ value: UInt64) {
        write(UInt32(truncatingIfNeeded: value >> 32))
        write(UInt32(truncatingIfNeeded: value))
    }

    mutating func write(_ value: [UInt8]) {
        write(UInt32(truncatingIfNeeded: value.count))
        bytes += value
    }

    mutating func write(_ value: String) { write(Array(value.utf8)) }

    mutating func write(optional value: UInt32?) {
        write(UInt8(value == nil ? 0 : 1))
        if let value { write(value) }
    }

    mutating func write(optional value: String?) {
        write(UInt8(value == nil ? 0 : 1))
        if let value { write(value) }
    }
}

/// The bytes are no message: the two processes are not of one version, or one of them is broken.
struct MalformedMessage: Error, Equatable {}

/// Reads what `MessageWriter` wrote. Nothing in here trusts the bytes.
struct MessageReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func byte() throws(MalformedMessage) -> UInt8 {
        guard position < bytes.count else { throw MalformedMessage() }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number32() throws(MalformedMessage) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 { value = value << 8 | UInt32(try byte()) }
        return value
    }

    mutating func number64() throws(MalformedMessage) -> UInt64 {
        let high = try number32()
        return UInt64(high) << 32 | UInt64(try number32())
    }

    mutating func blob() throws(MalformedMessage) -> [UInt8] {
        let count = Int(try number32())
        guard count <= bytes.count - position else { throw MalformedMessage() }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func text() throws(MalformedMessage) -> String {
        guard let text = String(validating: try blob(), as: UTF8.self) else { throw MalformedMessage() }
        return text
    }

    mutating func flag() throws(MalformedMessage) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw MalformedMessage()
        }
    }

    mutating func optionalNumber32() throws(MalformedMessage) -> UInt32? { try flag() ? try number32() : nil }
    mutating func optionalText() throws(MalformedMessage) -> String? { try flag() ? try text() : nil }

    /// Nothing may stand behind the last field.
    func finish() throws(MalformedMessage) {
        guard position == bytes.count else { throw MalformedMessage() }
    }
}
