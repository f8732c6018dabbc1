import HTTP1

/// The Date field's value, made once a second.
struct DateText: ~Copyable {
    private(set) var bytes = InlineArray<29, UInt8>(repeating: 0x20)
    private var second = Int64.min

    init() {}

    mutating func update(seconds: Int64) {
        guard seconds != second else { return }
        second = seconds
        bytes = HTTPDate.format(secondsSince1970: Int(seconds))
    }
}
