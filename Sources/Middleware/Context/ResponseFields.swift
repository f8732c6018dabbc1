internal import Containers
internal import HTTP

/// Looking up and changing the fields of a response, and looking up those of its request.
extension ResponseContext {
    /// The final status, 200 to 999.
    public var status: Int { head.status }

    /// Whether the gateway made this response itself.
    public var isLocalReply: Bool { isLocal }

    /// The id under which this exchange stands in the log.
    public var requestIDBytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { requestID.span }
    }

    /// The method of the request.
    public var requestMethod: Span<UInt8> {
        @_lifetime(borrow self)
        get { requestBytes.span.extracting(RequestScan.method(in: requestBytes.span)) }
    }

    /// The first value of a field of this response, nil when it has none.
    @_lifetime(borrow self)
    public func value(of name: FieldName) -> Span<UInt8>? {
        for index in 0..<head.fields.count
        where !head.fields[index].isRemoved && ByteClass.isName(slice(head.fields[index].name), name.lowercase.span) {
            return slice(head.fields[index].value)
        }
        if let range = additions.value(of: name.lowercase.span) { return additions.span.extracting(range.range) }
        return nil
    }

    /// The first value of a field as text; nil without one, or when it is not UTF-8.
    public func string(of name: FieldName) -> String? {
        guard let value = value(of: name) else { return nil }
        return String.validated(value)
    }

    /// The first value of a field of the request as the client sent it, nil when it had none.
    @_lifetime(borrow self)
    public func requestValue(of name: FieldName) -> Span<UInt8>? {
        let request = requestBytes.span
        guard let range = RequestScan.value(of: name.lowercase.span, in: request) else { return nil }
        return request.extracting(range)
    }

    /// Replaces a field; see `RequestContext.set`.
    public mutating func set(_ name: FieldName, to value: Span<UInt8>) -> Bool {
        remove(name)
        return add(name, value)
    }

    public mutating func set(_ name: FieldName, to value: String) -> Bool {
        set(name, to: Array(value.utf8).span)
    }

    /// Adds a field line behind those that are there; false when it cannot be sent.
    public mutating func add(_ name: FieldName, _ value: Span<UInt8>) -> Bool {
        guard !name.isReserved else { return false }
        return additions.append(name: name.written.span, value: value)
    }

    public mutating func add(_ name: FieldName, _ value: String) -> Bool {
        add(name, Array(value.utf8).span)
    }

    /// Removes a field in every spelling.
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

    /// Sets a field to the request's id.
    mutating func setToRequestID(_ name: FieldName) {
        remove(name)
        guard !name.isReserved else { return }
        Self.append(name, requestID, to: &additions)
    }

    private static func append(_ name: FieldName, _ value: borrowing Buffer, to additions: inout FieldAdditions) {
        _ = additions.append(name: name.written.span, value: value.span)
    }

    /// Removes every field of the upstream whose name begins with `folded`.
    mutating func removeUpstreamFields(prefix folded: Span<UInt8>) {
        for index in 0..<head.fields.count {
            let name = head.fields[index].name
            guard name.range.count >= folded.count else { continue }
            let beginning = name.lower..<(name.lower + folded.count)
            guard ByteClass.isSpelling(bytes.span.extracting(beginning), of: folded) else { continue }
            head.fields[index].isRemoved = true
        }
    }

    @_lifetime(borrow self)
    func slice(_ range: ByteRange) -> Span<UInt8> {
        bytes.span.extracting(range.range)
    }
}
