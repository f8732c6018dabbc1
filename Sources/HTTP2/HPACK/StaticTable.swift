import Containers
import HTTP

/// The static table of RFC 7541 appendix A, its entries as lines.
package struct StaticTable: ~Copyable {
    package static let count = 61

    private(set) var text = Buffer(capacity: 2_048)
    /// By their index; the first, 0, is none.
    private(set) var entries = FixedArray<TableEntry>(capacity: StaticTable.count + 1)
    /// The first index with a known name, 0 without one; by the field's raw value.
    private var indices = FixedArray<UInt8>(repeating: 0, count: KnownField.allCases.count)

    init() {
        text.append(Self.lines)
        entries.append(TableEntry())
        var at = 0
        while at < text.count {
            var colon = at + 1
            while text[colon] != 0x3A { colon += 1 }
            var end = colon
            while text[end] != 0x0D { end += 1 }
            var entry = TableEntry(name: text.span.extracting(at..<colon))
            entry.start = UInt16(at)
            entry.nameCount = UInt16(colon - at)
            entry.valueCount = UInt16(end - colon - 2)
            if entry.known != .other && indices[Int(entry.known.rawValue)] == 0 {
                indices[Int(entry.known.rawValue)] = UInt8(entries.count)
            }
            entries.append(entry)
            at = end + 2
        }
    }

    /// The first entry with a field's name; 0 when there is none.
    @inline(__always)
    borrowing func index(of field: KnownField) -> Int { Int(indices[Int(field.rawValue)]) }

    /// The entries' lines, in their order.
    package static let lines: StaticString = """
        :authority: \r
        :method: GET\r
        :method: POST\r
        :path: /\r
        :path: /index.html\r
        :scheme: http\r
        :scheme: https\r
        :status: 200\r
        :status: 204\r
        :status: 206\r
        :status: 304\r
        :status: 400\r
        :status: 404\r
        :status: 500\r
        accept-charset: \r
        accept-encoding: gzip, deflate\r
        accept-language: \r
        accept-ranges: \r
        accept: \r
        access-control-allow-origin: \r
        age: \r
        allow: \r
        authorization: \r
        cache-control: \r
        content-disposition: \r
        content-encoding: \r
        content-language: \r
        content-length: \r
        content-location: \r
        content-range: \r
        content-type: \r
        cookie: \r
        date: \r
        etag: \r
        expect: \r
        expires: \r
        from: \r
        host: \r
        if-match: \r
        if-modified-since: \r
        if-none-match: \r
        if-range: \r
        if-unmodified-since: \r
        last-modified: \r
        link: \r
        location: \r
        max-forwards: \r
        proxy-authenticate: \r
        proxy-authorization: \r
        range: \r
        referer: \r
        refresh: \r
        retry-after: \r
        server: \r
        set-cookie: \r
        strict-transport-security: \r
        transfer-encoding: \r
        user-agent: \r
        vary: \r
        via: \r
        www-authenticate: \r

        """
}
