import CYaml

/// What libyaml finds next in the text, copied out of its memory.
struct YAMLEvent {
    enum Kind {
        case scalar(String, YAMLNode.Style)
        case alias(String)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        case documentStart
    }

    var kind: Kind
    var anchor: String?
    /// Whether a `!tag` stands before the node.
    var isTagged: Bool
    /// From 1.
    var line: Int
    var column: Int
    var endLine: Int
    var endColumn: Int
}

/// libyaml's event parser over bytes in memory.
///
/// The only code that touches libyaml. The parser lives on the heap at a fixed address, since libyaml keeps pointers
/// into it; the text is kept beside it for as long.
@safe final class YAMLParser {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeMutableBufferPointer<UInt8>
    private let bytes: [UInt8]
    private var isReady: Bool
    private var isAtEnd = false

    init(_ bytes: [UInt8]) {
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        self.bytes = bytes
        // SAFETY: both allocations are owned by this object, written before libyaml sees them and freed in deinit.
        unsafe text = UnsafeMutableBufferPointer.allocate(capacity: content.count)
        _ = unsafe text.initialize(from: content)
        unsafe parser = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        isReady = unsafe yaml_parser_initialize(parser) == 1
        if isReady {
            unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            unsafe yaml_parser_set_input_string(parser, UnsafePointer(text.baseAddress), text.count)
        }
    }

    deinit {
        // SAFETY: allocated in init; libyaml frees only what it allocated itself.
        if isReady { unsafe yaml_parser_delete(parser) }
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    /// The next event that carries something; nil at the end of the text.
    func next() throws(YAMLError) -> YAMLEvent? {
        guard isReady else { throw YAMLError(line: 1, column: 1, message: "out of memory") }
        while !isAtEnd {
            var event = unsafe yaml_event_t()
            // SAFETY: the parser was initialised in init; the event is libyaml's to fill and deleted below.
            guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw failure() }
            let found = unsafe Self.copy(event)
            isAtEnd = unsafe event.type == YAML_STREAM_END_EVENT
            unsafe yaml_event_delete(&event)
            if let found { return found }
        }
        return nil
    }

    private static func copy(_ event: yaml_event_t) -> YAMLEvent? {
        var anchor: UnsafeMutablePointer<yaml_char_t>?
        var tag: UnsafeMutablePointer<yaml_char_t>?
        let kind: YAMLEvent.Kind
        // SAFETY: the member of the union that is read is the one that the type names.
        switch unsafe event.type {
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            unsafe (anchor, tag) = unsafe (scalar.anchor, scalar.tag)
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            kind = unsafe .scalar(String(decoding: bytes, as: UTF8.self), style(scalar.style))
        case YAML_SEQUENCE_START_EVENT:
            unsafe (anchor, tag) = unsafe (event.data.sequence_start.anchor, event.data.sequence_start.tag)
            kind = .sequenceStart
        case YAML_MAPPING_START_EVENT:
            unsafe (anchor, tag) = unsafe (event.data.mapping_start.anchor, event.data.mapping_start.tag)
            kind = .mappingStart
        case YAML_ALIAS_EVENT:
            kind = unsafe .alias(string(event.data.alias.anchor) ?? "")
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        default: return nil
        }
        return unsafe YAMLEvent(
            kind: kind, anchor: string(anchor), isTagged: tag != nil,
            line: event.start_mark.line + 1, column: event.start_mark.column + 1,
            endLine: event.end_mark.line + 1, endColumn: event.end_mark.column + 1)
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLNode.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
        default: .plain
        }
    }

    private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        // SAFETY: libyaml ends names with NUL.
        unsafe text.map { unsafe String(decodingCString: $0, as: UTF8.self) }
    }

    private func failure() -> YAMLError {
        // SAFETY: after a failed call libyaml's `problem` and `context` are nil or static texts that end with NUL.
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "out of memory"
        let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) }
        let mark = unsafe parser.pointee.problem_mark
        let begin = unsafe parser.pointee.context_mark
        if unsafe parser.pointee.error == YAML_READER_ERROR {
            return readerFailure(problem, offset: unsafe parser.pointee.problem_offset)
        }
        let failure = YAMLFailure(
            problem: problem, context: context ?? "", line: mark.line + 1, column: mark.column + 1,
            contextLine: begin.line + 1, contextColumn: begin.column + 1)
        return YAMLExplanation(failure, in: bytes).error
    }

    /// Errors of the encoding name a byte, not a mark.
    private func readerFailure(_ problem: String, offset: Int) -> YAMLError {
        var line = 1
        var column = 1
        for byte in bytes[..<min(offset, bytes.count)] {
            if byte == 0x0A {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        return YAMLError(line: line, column: column, message: "the file must be UTF-8 text: \(problem)")
    }
}
