internal import Containers
private import HTTP

/// Which values never stand in a log: credentials in fields and in query parameters.
package struct Redaction: Sendable, Equatable {
    /// Written instead of a value.
    static let replacement: StaticString = "***"

    /// Fields that carry credentials by their meaning, in lower case.
    private static let knownFields = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-csrf-token",
    ]
    /// Query parameters that carry credentials by custom, in lower case.
    private static let knownParameters = [
        "access_token", "api_key", "api-key", "apikey", "auth", "authorization", "client_secret", "code", "id_token",
        "key",
        "passwd", "password", "refresh_token", "secret", "sig", "signature", "token", "x-amz-signature",
    ]

    private let fields: NameList
    private let parameters: NameList

    /// `fields` and `parameters`: names, in any case, beside the known ones (those that the configuration takes keys
    /// from).
    package init(fields: [String] = [], parameters: [String] = []) {
        self.fields = NameList(Self.knownFields + fields)
        self.parameters = NameList(Self.knownParameters + parameters)
    }

    func hidesField(_ name: Span<UInt8>) -> Bool { fields.contains(name) }

    /// Appends what follows the `?` of a target with the values of secret parameters replaced; at most `limit` bytes.
    @discardableResult
    func appendQuery(
        _ query: Span<UInt8>, _ escape: LogText.Escape, limit: Int, to buffer: inout Buffer
    ) -> Int {
        guard hidesParameter(in: query) else { return LogText.append(query, escape, limit: limit, to: &buffer) }
        return appendRedacted(query, escape, limit: limit, to: &buffer)
    }

    private func hidesParameter(in query: Span<UInt8>) -> Bool {
        var start = 0
        var isName = true
        for index in 0..<query.count {
            let byte = query[index]
            if byte == 0x26 {
                start = index &+ 1
                isName = true
            } else if byte == 0x3D && isName {
                isName = false
                if parameters.contains(query.extracting(start..<index)) { return true }
            }
        }
        return false
    }

    @inline(never)
    private func appendRedacted(
        _ query: Span<UInt8>, _ escape: LogText.Escape, limit: Int, to buffer: inout Buffer
    ) -> Int {
        var written = 0
        var start = 0
        while start < query.count {
            var end = start
            var equals = -1
            while end < query.count && query[end] != 0x26 {
                if equals < 0 && query[end] == 0x3D { equals = end }
                end += 1
            }
            let border = min(end + 1, query.count)
            if equals >= 0 && parameters.contains(query.extracting(start..<equals)) {
                written += LogText.append(
                    query.extracting(start..<equals + 1), escape, limit: limit - written, to: &buffer)
                guard written + 4 <= limit else { return written }
                buffer.append(Self.replacement)
                written += 3
                if border > end {
                    buffer.append(0x26)
                    written += 1
                }
            } else {
                written += LogText.append(query.extracting(start..<border), escape, limit: limit - written, to: &buffer)
            }
            guard written < limit else { return written }
            start = border
        }
        return written
    }

    /// Appends a target or a URL: its path as it is, its query redacted; at most `limit` bytes.
    func appendTarget(
        _ target: Span<UInt8>, _ escape: LogText.Escape, limit: Int = LogText.valueLimit, to buffer: inout Buffer
    ) {
        for index in 0..<target.count where target[index] == 0x3F {
            let written = LogText.append(target.extracting(0..<index + 1), escape, limit: limit, to: &buffer)
            guard written < limit else { return }
            appendQuery(target.extracting(index + 1..<target.count), escape, limit: limit - written, to: &buffer)
            return
        }
        LogText.append(target, escape, limit: limit, to: &buffer)
    }
}

/// Names in lower case, one after the other in one array, so that a search touches no reference counts.
private struct NameList: Sendable, Equatable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    /// Lengths of names by the five low bits of their first byte: what nearly all other names fail at.
    private var lengths = Array(repeating: UInt64(0), count: 32)

    init(_ names: [String]) {
        for name in names {
            bytes += name.utf8.map { ByteClass.lowercased($0) }
            ends.append(bytes.count)
            guard let first = name.utf8.first else { continue }
            lengths[Int(first & 31)] |= 1 << UInt64(min(name.utf8.count, 63))
        }
    }

    /// Whether `name`, in any case and with any of its bytes percent-encoded, is in the list.
    func contains(_ name: Span<UInt8>) -> Bool {
        guard name.count > 0 else { return false }
        // A percent-encoded name has another first byte or another length than what it stands for.
        let lengths = lengths[Int(name[0] & 31)] >> UInt64(min(name.count, 63))
        if lengths & 1 == 0 && !hasPercent(name) { return false }
        var start = 0
        for position in 0..<ends.count {
            let end = ends[position]
            if name.count >= end - start && matches(name, start..<end) { return true }
            start = end
        }
        return false
    }

    private func hasPercent(_ name: Span<UInt8>) -> Bool {
        for index in 0..<name.count where name[index] == 0x25 { return true }
        return false
    }

    private func matches(_ name: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = 0
        for place in range {
            guard index < name.count else { return false }
            var byte = name[index]
            index += 1
            if byte == 0x25 && index + 1 < name.count,
                let high = ByteClass.hexValue(name[index]), let low = ByteClass.hexValue(name[index + 1])
            {
                byte = high << 4 | low
                index += 2
            }
            if ByteClass.lowercased(byte) != bytes[place] { return false }
        }
        return index == name.count
    }
}
