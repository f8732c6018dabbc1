import Net

/// An IP address in text, where it is made: at most 39 bytes.
struct AddressText {
    private(set) var bytes = InlineArray<40, UInt8>(repeating: 0)
    private(set) var count = 0

    init(_ address: IPAddress) {
        var text = InlineArray<40, UInt8>(repeating: 0)
        var length = 0
        address.write { byte in
            guard length < 40 else { return }
            text[length] = byte
            length += 1
        }
        bytes = text
        count = length
    }
}
