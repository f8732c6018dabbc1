import HTTP

/// The `Keep-Alive` field that servers send (RFC 2068 section 19.7.1.1): `timeout=5, max=100`.
enum KeepAliveField {
    /// Seconds of the timeout parameter; nil when there is none that can be read.
    static func timeout(_ value: Span<UInt8>) -> Int? {
        var elements = ListElements()
        while let range = elements.next(value) {
            let element = value.extracting(range)
            guard element.count > 8, element[7] == 0x3D, PackedToken(element.extracting(first: 7)) == .timeout else {
                continue
            }
            return ContentLength.parse(element.extracting(droppingFirst: 8))
        }
        return nil
    }
}
