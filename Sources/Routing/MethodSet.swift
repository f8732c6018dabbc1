import HTTP

/// Methods of a route: a bit for each that the gateway knows, tokens for the others.
struct MethodSet: Sendable, Equatable {
    /// Bit n: the method whose raw value is n. The bit of `other` with no tokens: every other token.
    private(set) var bits: UInt16
    private(set) var otherTokens: [[UInt8]] = []

    static func bit(_ method: Method) -> UInt16 { 1 << UInt16(method.rawValue) }

    /// - Parameter names: upper-case tokens; none: every method. `GET` also means HEAD (RFC 9110 section 9.3.2).
    init(_ names: [String]) {
        bits = names.isEmpty ? .max : 0
        for name in names {
            let method = Self.known(name)
            bits |= Self.bit(method)
            if method == .get { bits |= Self.bit(.head) }
            if method == .other { otherTokens.append(Array(name.utf8)) }
        }
    }

    var matchesAny: Bool { bits == .max }

    /// Names for an Allow field; none for a set of all methods.
    var names: [String] {
        if matchesAny { return [] }
        let known = Method.allCases.filter { $0 != .other && bits & Self.bit($0) != 0 }.map(Self.name)
        return known + otherTokens.map { String(decoding: $0, as: UTF8.self) }
    }

    func isSuperset(of other: MethodSet) -> Bool {
        if matchesAny { return true }
        if other.matchesAny || bits & other.bits != other.bits { return false }
        return other.otherTokens.allSatisfy(otherTokens.contains)
    }

    func isDisjoint(from other: MethodSet) -> Bool {
        if matchesAny || other.matchesAny { return false }
        let known = bits & other.bits & ~Self.bit(.other)
        return known == 0 && !otherTokens.contains(where: other.otherTokens.contains)
    }

    private static func known(_ name: String) -> Method {
        Method.allCases.first { $0 != .other && Self.name($0) == name } ?? .other
    }

    private static func name(_ method: Method) -> String {
        switch method {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .query: "QUERY"
        case .other: ""
        }
    }
}
