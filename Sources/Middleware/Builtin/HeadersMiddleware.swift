internal import Config
internal import Containers
internal import HTTP

/// `headers`: removes, sets and adds fields of the request and the response.
final class HeadersMiddleware: MiddlewareStepMaker {
    private let request: Edits
    private let response: Edits

    init(_ config: HeadersConfig) {
        request = Edits(config.request)
        response = Edits(config.response)
    }

    func makeStep() -> MiddlewareStep { .headers(self) }

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
    private struct Edits: Sendable {
        private struct Line: Sendable {
            let name: FieldName
            let replaces: Bool
            /// Without variables: the value.
            let literal: [UInt8]?
            let template: CompiledTemplate
        }

        private let remove: [FieldName]
        private let lines: [Line]

        init(_ edits: HeaderEdits) {
            remove = edits.remove.map { FieldName($0) }
            lines =
                edits.set.map { Self.line($0, replaces: true) } + edits.add.map { Self.line($0, replaces: false) }
        }

        private static func line(_ line: HeaderEdits.Line, replaces: Bool) -> Line {
            let template = CompiledTemplate(line.value, for: .field)
            return Line(name: FieldName(line.name), replaces: replaces, literal: template.literal, template: template)
        }

        var isEmpty: Bool { remove.isEmpty && lines.isEmpty }

        func apply(to context: inout RequestContext) -> Bool {
            for index in 0..<remove.count { context.remove(remove[index]) }
            for index in 0..<lines.count {
                let line = lines[index]
                if line.replaces { context.remove(line.name) }
                if let literal = line.literal {
                    if !context.add(line.name, literal.span) { return false }
                    continue
                }
                guard var scratch = context.scratch.take() else { return false }
                scratch.clear()
                let isMade = line.template.append(to: &scratch, context) && context.add(line.name, scratch.span)
                context.scratch = consume scratch
                if !isMade { return false }
            }
            return true
        }

        /// A value that cannot be sent is left out: the response is on its way already.
        func apply(to context: inout ResponseContext) {
            for index in 0..<remove.count { context.remove(remove[index]) }
            for index in 0..<lines.count {
                let line = lines[index]
                if line.replaces { context.remove(line.name) }
                if let literal = line.literal {
                    _ = context.add(line.name, literal.span)
                    continue
                }
                guard var scratch = context.scratch.take() else { return }
                scratch.clear()
                if line.template.append(to: &scratch, context) { _ = context.add(line.name, scratch.span) }
                context.scratch = consume scratch
            }
        }
    }
}
