internal import Config
internal import Containers
internal import HTTP

/// `headers`: removes, sets and adds fields of the request and the response.
struct HeadersMiddleware: ~Copyable, Sendable {
    private let request: Edits
    private let response: Edits

    init(_ config: HeadersConfig) {
        request = Edits(config.request)
        response = Edits(config.response)
    }

    func onRequest(_ context: inout RequestContext) -> Verdict {
        guard !request.isEmpty else { return .next }
        // A credential that does not arrive could change what the upstream allows: better no answer than a wrong one.
        return request.apply(to: &context) ? .next : context.reply(.middlewareFailed)
    }

    func onResponse(_ context: inout ResponseContext) {
        guard !response.isEmpty else { return }
        response.apply(to: &context)
    }

    /// Edits of one head, in the order of `HeaderEdits`.
    private struct Edits: ~Copyable, Sendable {
        private let remove: [FieldName]
        private let lines: [Line]

        init(_ edits: HeaderEdits) {
            remove = edits.remove.map { FieldName($0) }
            lines = edits.set.map { Line($0, replaces: true) } + edits.add.map { Line($0, replaces: false) }
        }

        var isEmpty: Bool { remove.isEmpty && lines.isEmpty }

        func apply(to context: inout RequestContext) -> Bool {
            let (names, lines) = (remove.span, lines.span)
            for index in 0..<names.count { context.remove(names[index]) }
            for index in 0..<lines.count where !lines[index].apply(to: &context) { return false }
            return true
        }

        /// A value that cannot be sent is left out: the response is on its way already.
        func apply(to context: inout ResponseContext) {
            let (names, lines) = (remove.span, lines.span)
            for index in 0..<names.count { context.remove(names[index]) }
            for index in 0..<lines.count { lines[index].apply(to: &context) }
        }
    }

    private struct Line: Sendable {
        private let name: FieldName
        private let replaces: Bool
        /// The whole line when there are no variables.
        private let fixed: CheckedLine?
        private let template: CompiledTemplate

        init(_ line: HeaderEdits.Line, replaces: Bool) {
            name = FieldName(line.name)
            self.replaces = replaces
            template = CompiledTemplate(line.value, for: .field)
            let literal = name.isReserved ? nil : template.literal
            fixed = literal.flatMap { CheckedLine(name: line.name, value: $0) }
        }

        func apply(to context: inout RequestContext) -> Bool {
            if replaces { context.remove(name) }
            if let fixed { return context.additions.append(fixed) }
            guard var scratch = context.scratch.take() else { return false }
            scratch.clear()
            let isMade = template.append(to: &scratch, context) && context.add(name, scratch.span)
            context.scratch = consume scratch
            return isMade
        }

        func apply(to context: inout ResponseContext) {
            if replaces { context.remove(name) }
            if let fixed {
                _ = context.additions.append(fixed)
                return
            }
            guard var scratch = context.scratch.take() else { return }
            scratch.clear()
            if template.append(to: &scratch, context) { _ = context.add(name, scratch.span) }
            context.scratch = consume scratch
        }
    }
}
