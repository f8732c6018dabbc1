import Config
import Containers
import HTTP
import RegularExpression

/// Header and query conditions of all routes, flat.
///
/// A header that comes in several lines counts as one value, joined by `, ` (RFC 9110 section 5.3). A query parameter that
/// comes several times must satisfy the condition each time: no copy can hide behind another.
struct RouteConditions: Sendable {
    enum Kind: UInt8, Sendable { case present, absent, equals, regex }

    struct Condition: Sendable {
        let kind: Kind
        let isQuery: Bool
        let name: ByteTable.Run
        let value: ByteTable.Run
        /// In `expressions`; -1 without.
        let expression: Int32
    }

    private(set) var conditions: [Condition] = []
    private(set) var expressions: [RegularExpression] = []
    private(set) var texts = ByteTable()

    /// Adds the conditions of a route.
    mutating func append(_ route: RouteConfig) -> PathTrie.Places {
        let start = conditions.count
        for named in route.headers { append(named, isQuery: false) }
        for named in route.query { append(named, isQuery: true) }
        return PathTrie.Places(start: Int32(start), count: Int32(conditions.count - start))
    }

    private mutating func append(_ named: RouteConfig.NamedCondition, isQuery: Bool) {
        let name = texts.append(named.name.utf8)
        var value = ByteTable.Run(start: 0, count: 0)
        var expression: Int32 = -1
        let kind: Kind
        switch named.condition {
        case .equals(let text):
            kind = .equals
            value = texts.append(text.utf8)
        case .present(let isPresent):
            kind = isPresent ? .present : .absent
        case .regex(let pattern):
            kind = .regex
            expression = Int32(expressions.count)
            expressions.append(pattern.expression)
        }
        conditions.append(
            Condition(kind: kind, isQuery: isQuery, name: name, value: value, expression: expression))
    }

    /// Whether all conditions at `places` hold.
    func hold(
        _ places: PathTrie.Places, query: Span<UInt8>, head: borrowing RequestHead, bytes: Span<UInt8>
    ) -> Bool {
        var index = Int(places.start)
        let end = index &+ Int(places.count)
        while index < end {
            let condition = conditions[index]
            let holds = condition.isQuery ? queryHolds(condition, query) : headerHolds(condition, head, bytes)
            if !holds { return false }
            index &+= 1
        }
        return true
    }
}

// MARK: - Headers

extension RouteConditions {
    private func headerHolds(_ condition: Condition, _ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> Bool {
        var lines = 0
        var first = 0
        /// Bytes of the expected value that the lines so far have spelled.
        var matched = 0
        for index in 0..<head.fields.count where isVisible(head.fields[index], condition.name, bytes) {
            lines &+= 1
            switch condition.kind {
            case .present: return true
            case .absent: return false
            case .regex: if lines == 1 { first = index }
            case .equals:
                if lines > 1, !spells(0x2C, condition.value, &matched) || !spells(0x20, condition.value, &matched) {
                    return false
                }
                for at in head.fields[index].value.range where !spells(bytes[at], condition.value, &matched) {
                    return false
                }
            }
        }
        switch condition.kind {
        case .present: return false
        case .absent: return true
        case .equals: return lines > 0 && matched == Int(condition.value.count)
        case .regex:
            let expression = expressions[Int(condition.expression)]
            if lines == 0 { return false }
            if lines == 1 { return expression.isFound(in: bytes.extracting(head.fields[first].value.range)) }
            let joined = joined(condition, head, bytes)
            return expression.isFound(in: joined.span)
        }
    }

    /// Whether a line has the condition's name and is one that policies may believe: lines that are not forwarded because
    /// Connection names them, or because their peer may not send them, would decide here and be unseen upstream.
    private func isVisible(_ line: FieldLine, _ name: ByteTable.Run, _ bytes: Span<UInt8>) -> Bool {
        guard line.name.count == name.count, !line.isRemoved || line.known == .upgrade else { return false }
        let start = Int(name.start)
        for offset in 0..<Int(name.count)
        where ByteClass.lowercased(bytes[line.name.lower &+ offset]) != texts.bytes[start &+ offset] {
            return false
        }
        return true
    }

    /// Whether `byte` is the next one of the expected value.
    @inline(__always)
    private func spells(_ byte: UInt8, _ expected: ByteTable.Run, _ matched: inout Int) -> Bool {
        guard matched < Int(expected.count), texts.bytes[Int(expected.start) &+ matched] == byte else { return false }
        matched &+= 1
        return true
    }

    /// Only for an expression over a field of several lines, which is rare enough to allocate for.
    private func joined(_ condition: Condition, _ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> [UInt8] {
        var value: [UInt8] = []
        var isFirst = true
        for index in 0..<head.fields.count where isVisible(head.fields[index], condition.name, bytes) {
            if !isFirst { value += [0x2C, 0x20] }
            isFirst = false
            for at in head.fields[index].value.range { value.append(bytes[at]) }
        }
        return value
    }
}

// MARK: - Query

extension RouteConditions {
    private func queryHolds(_ condition: Condition, _ query: Span<UInt8>) -> Bool {
        var isFound = false
        var start = 0
        while start < query.count {
            var end = start
            var equal = -1
            while end < query.count, query[end] != 0x26 {
                if equal < 0, query[end] == 0x3D { equal = end }
                end &+= 1
            }
            let nameEnd = equal < 0 ? end : equal
            if decodes(query, start..<nameEnd, to: condition.name) {
                isFound = true
                switch condition.kind {
                case .present: return true
                case .absent: return false
                case .equals, .regex:
                    if !valueHolds(condition, query, min(nameEnd &+ 1, end)..<end) { return false }
                }
            }
            start = end &+ 1
        }
        return condition.kind == .absent ? true : isFound
    }

    private func valueHolds(_ condition: Condition, _ query: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard condition.kind == .regex else { return decodes(query, range, to: condition.value) }
        let expression = expressions[Int(condition.expression)]
        for index in range where query[index] == 0x25 || query[index] == 0x2B {
            // Only for an expression over an escaped value, which is rare enough to allocate for.
            var value: [UInt8] = []
            var at = range.lowerBound
            while at < range.upperBound { value.append(Self.decode(query, &at, range.upperBound)) }
            return expression.isFound(in: value.span)
        }
        return expression.isFound(in: query.extracting(range))
    }

    /// Whether the bytes of `range` are those of `run` once decoded.
    private func decodes(_ query: Span<UInt8>, _ range: Range<Int>, to run: ByteTable.Run) -> Bool {
        var matched = 0
        var at = range.lowerBound
        while at < range.upperBound {
            if !spells(Self.decode(query, &at, range.upperBound), run, &matched) { return false }
        }
        return matched == Int(run.count)
    }

    /// The next byte as services read it: escapes decoded, `+` a space; what is no escape stands for itself.
    @inline(__always)
    private static func decode(_ query: Span<UInt8>, _ at: inout Int, _ end: Int) -> UInt8 {
        let byte = query[at]
        if byte == 0x25, end &- at > 2, let high = ByteClass.hexValue(query[at &+ 1]),
            let low = ByteClass.hexValue(query[at &+ 2])
        {
            at &+= 3
            return high << 4 | low
        }
        at &+= 1
        return byte == 0x2B ? 0x20 : byte
    }
}
