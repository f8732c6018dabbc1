internal import Config
internal import Containers
internal import HTTP

/// Edits of one head, in the order of `HeaderEdits`. All names, lines and templates lie in the same flat memory, so that
/// applying them counts no references.
struct CompiledEdits: ~Copyable, Sendable {
    private struct Line: Sendable {
        enum Value: Sendable {
            /// A `CheckedLine` in the text.
            case fixed(Range<Int>)
            /// Operations of a template.
            case template(Range<Int>)
            /// A name or value that can never be sent.
            case refused
        }

        let name: Range<Int>
        /// Removed before the line is added.
        let folded: Range<Int>?
        let value: Value
    }

    private var text: [UInt8] = []
    private var removals: [Range<Int>] = []
    private var lines: [Line] = []
    private var operations: [CompiledTemplate.Operation] = []

    init(_ edits: HeaderEdits) {
        for name in edits.remove.map({ FieldName($0) }) where !name.isReserved { removals.append(keep(name.folded)) }
        for (index, line) in edits.set.enumerated() {
            // Of two spellings of one name the later replaces the earlier.
            let folded = FieldName(line.name).folded
            if edits.set[(index + 1)...].contains(where: { FieldName($0.name).folded == folded }) { continue }
            lines.append(compile(line, replaces: true))
        }
        for line in edits.add { lines.append(compile(line, replaces: false)) }
    }

    private mutating func keep(_ bytes: [UInt8]) -> Range<Int> {
        text += bytes
        return (text.count - bytes.count)..<text.count
    }

    private mutating func compile(_ line: HeaderEdits.Line, replaces: Bool) -> Line {
        let name = FieldName(line.name)
        let folded = replaces && !name.isReserved ? keep(name.folded) : nil
        return Line(name: keep(name.written), folded: folded, value: compile(line.value, of: name))
    }

    private mutating func compile(_ value: Template, of name: FieldName) -> Line.Value {
        guard name.isValid else { return .refused }
        let template = CompiledTemplate(value, for: .field)
        if let literal = template.literal {
            guard let line = CheckedLine(name: name.description, value: literal) else { return .refused }
            return .fixed(keep(line.bytes))
        }
        let offset = keep(template.text).lowerBound
        operations += template.operations.map { $0.moved(by: offset) }
        return .template((operations.count - template.operations.count)..<operations.count)
    }

    var isEmpty: Bool { removals.isEmpty && lines.isEmpty }

    /// False when a field cannot be sent.
    ///
    /// Templates see the request as it came: all lines are made before the first field is removed.
    func apply(to context: inout RequestContext) -> Bool {
        guard var made = context.scratch.take() else { return false }
        made.clear()
        let isMade = makeLines(in: &made, context)
        if isMade {
            for index in 0..<removals.count { context.remove(spellingsOf: text.span.extracting(removals[index])) }
            for index in 0..<lines.count {
                if let folded = lines[index].folded { context.remove(spellingsOf: text.span.extracting(folded)) }
            }
        }
        let isAdded = isMade && context.additions.append(checked: made.span)
        context.scratch = consume made
        return isAdded
    }

    /// Appends whole lines, every one checked.
    private func makeLines(in output: inout Buffer, _ context: borrowing RequestContext) -> Bool {
        for index in 0..<lines.count {
            switch lines[index].value {
            case .fixed(let range):
                if !output.appendIfRoom(text.span.extracting(range)) { return false }
            case .template(let range):
                guard output.appendIfRoom(text.span.extracting(lines[index].name)), output.appendIfRoom(": ") else {
                    return false
                }
                let start = output.count
                guard
                    CompiledTemplate.append(operations.span.extracting(range), text.span, to: &output, from: context),
                    Self.isFieldValue(output.span.extracting(start...)), output.appendIfRoom("\r\n")
                else { return false }
            case .refused: return false
            }
        }
        return true
    }

    private static func isFieldValue(_ value: Span<UInt8>) -> Bool {
        for index in 0..<value.count where !ByteClass.isFieldValue(value[index]) { return false }
        return true
    }

    /// Templates see the request as it was received, so that there is nothing here to be made beforehand.
    /// A field that cannot be sent is left out: the response is on its way already.
    func apply(to context: inout ResponseContext) {
        for index in 0..<removals.count { context.remove(spellingsOf: text.span.extracting(removals[index])) }
        for index in 0..<lines.count {
            let line = lines[index]
            if let folded = line.folded { context.remove(spellingsOf: text.span.extracting(folded)) }
            switch line.value {
            case .fixed(let range): _ = context.additions.append(checked: text.span.extracting(range))
            case .template(let range): add(line.name, range, to: &context)
            case .refused: break
            }
        }
    }

    private func add(_ name: Range<Int>, _ range: Range<Int>, to context: inout ResponseContext) {
        guard var scratch = context.scratch.take() else { return }
        scratch.clear()
        if CompiledTemplate.append(operations.span.extracting(range), text.span, to: &scratch, from: context) {
            _ = context.additions.append(name: text.span.extracting(name), value: scratch.span)
        }
        context.scratch = consume scratch
    }
}
