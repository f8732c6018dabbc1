internal import Containers
internal import HTTP

/// Looking up and changing the fields that go upstream.
///
/// What a middleware sees is what the upstream will get: fields that were removed are gone, fields that were set are
/// there. Values are bytes; `string(of:)` is for the cases where a `String` is worth its allocation.
extension RequestContext {
    /// The first value of a field, without white space around it; nil when the request has none.
    @_lifetime(borrow self)
    public func value(of name: FieldName) -> Span<UInt8>? {
        if name.isHost { return head.authority.isEmpty ? nil : slice(head.authority) }
        if let index = firstIndex(of: name.lowercase.span) { return slice(head.fields[index].value) }
        if let range = additions.value(of: name.lowercase.span) { return additions.span.extracting(range.range) }
        return nil
    }

    /// The first value of a field as text; nil without one, or when it is not UTF-8.
    public func string(of name: FieldName) -> String? {
        guard let value = value(of: name) else { return nil }
        return String.validated(value)
    }

    /// How many lines of this name the client sent (of those that go upstream).
    public func count(of name: FieldName) -> Int {
        var count = 0
        for index in 0..<head.fields.count where isLine(index, name.lowercase.span) { count += 1 }
        return count
    }

    /// Calls `body` with every value of a field that the client sent and that goes upstream, in order.
    public func forEachValue(of name: FieldName, _ body: (Span<UInt8>) -> Void) {
        for index in 0..<head.fields.count where isLine(index, name.lowercase.span) {
            body(slice(head.fields[index].value))
        }
    }

    /// Replaces a field. Every spelling that the client sent (`X-User`, `x_user`, …) is removed first, also when the
    /// new value is refused.
    ///
    /// - Returns: false when the name or value cannot be sent or the head got too large; then answer with an error.
    public mutating func set(_ name: FieldName, to value: Span<UInt8>) -> Bool {
        remove(name)
        return add(name, value)
    }

    public mutating func set(_ name: FieldName, to value: String) -> Bool {
        set(name, to: Array(value.utf8).span)
    }

    /// Adds a field line behind those that are there. Returns as `set`.
    public mutating func add(_ name: FieldName, _ value: Span<UInt8>) -> Bool {
        guard !name.isReserved else { return false }
        return additions.append(name: name.written.span, value: value)
    }

    public mutating func add(_ name: FieldName, _ value: String) -> Bool {
        add(name, Array(value.utf8).span)
    }

    /// Removes a field in every spelling: any case, and `_` or `.` in place of `-`.
    public mutating func remove(_ name: FieldName) {
        guard !name.isReserved else { return }
        remove(spellingsOf: name.folded.span)
    }

    /// Removes a field that is not reserved; `folded` as `ByteClass.folded` makes it.
    mutating func remove(spellingsOf folded: Span<UInt8>) {
        for index in 0..<head.fields.count {
            let range = head.fields[index].name.range
            guard ByteClass.isSpelling(bytes.span.extracting(range), of: folded) else { continue }
            head.fields[index].isRemoved = true
        }
        if !additions.isEmpty { additions.remove(spellingsOf: folded) }
    }

    /// Sets a field to the request's identity.
    mutating func setToIdentity(_ name: FieldName) -> Bool {
        remove(name)
        guard !name.isReserved else { return false }
        return Self.append(name, identity, to: &additions)
    }

    /// Sets a field to the request's id.
    mutating func setToRequestID(_ name: FieldName) -> Bool {
        remove(name)
        guard !name.isReserved else { return false }
        return Self.append(name, requestID, to: &additions)
    }

    /// A span of one part borrows all of `self`; a borrowed part does not.
    private static func append(_ name: FieldName, _ value: borrowing Buffer, to additions: inout FieldAdditions) -> Bool
    {
        additions.append(name: name.written.span, value: value.span)
    }

    // MARK: - By index, for built-in middleware

    /// Bytes of the head at a range that the parser made.
    @_lifetime(borrow self)
    func slice(_ range: ByteRange) -> Span<UInt8> {
        bytes.span.extracting(range.range)
    }

    /// The first line of this name that goes upstream.
    func firstIndex(of lowercase: Span<UInt8>) -> Int? {
        for index in 0..<head.fields.count where isLine(index, lowercase) { return index }
        return nil
    }

    /// The first line of a name that the parser knows and that goes upstream.
    func firstIndex(of known: KnownField) -> Int? {
        for index in 0..<head.fields.count where head.fields[index].known == known && !head.fields[index].isRemoved {
            return index
        }
        return nil
    }

    /// The only line of a name that goes upstream: nil without one; `.duplicate` when there are more.
    func only(_ lowercase: Span<UInt8>) -> OnlyLine {
        var found = OnlyLine.missing
        for index in 0..<head.fields.count where isLine(index, lowercase) {
            if case .line = found { return .duplicate }
            found = .line(index)
        }
        return found
    }

    @inline(__always)
    private func isLine(_ index: Int, _ lowercase: Span<UInt8>) -> Bool {
        !head.fields[index].isRemoved && ByteClass.isName(slice(head.fields[index].name), lowercase)
    }

}

/// What looking for a field that must not be repeated finds.
enum OnlyLine: Equatable {
    case missing
    case line(Int)
    case duplicate
}

extension String {
    /// Bytes as text, nil when they are not UTF-8.
    static func validated(_ bytes: Span<UInt8>) -> String? {
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.count)
        for index in 0..<bytes.count { copy.append(bytes[index]) }
        return String(validating: copy, as: UTF8.self)
    }
}
