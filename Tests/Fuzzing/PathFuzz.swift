import Containers
import HTTP

/// The canonical path: `[rules][path]`.
///
/// The form is that of a naive reading, is its own form, never names anything above the root, and holds nothing that a
/// service could read as a dot segment.
enum PathFuzz {
    static func run(_ input: [UInt8]) throws(FuzzViolation) {
        var parts = FuzzInput(input)
        let settings = parts.byte()
        let raw = parts.rest()
        var rules = CanonicalPath.Rules()
        rules.rejectsEncodedSlash = settings & 1 != 0
        rules.mergesSlashes = settings & 2 != 0
        let form = try canonical(raw, rules)
        let naive = NaivePath.canonical(raw, rules)
        let (first, second) = (form.map { shown($0) } ?? "refused", naive.map { shown($0) } ?? "refused")
        try require(form == naive, "\(first), not \(second)")
        guard let form else { return }
        try require(form.count <= max(1, raw.count), "the form is longer than the path")
        try require(try canonical(form, rules) == form, "the form of \(shown(form)) is another one")
        try checkForm(form)
        if rules.mergesSlashes { try require(!shown(form).contains("//"), "\(shown(form)) has an empty segment") }
        if rules.rejectsEncodedSlash { try require(!shown(form).contains("%2F"), "\(shown(form)) has a slash") }
    }

    private static func canonical(_ raw: [UInt8], _ rules: CanonicalPath.Rules) throws(FuzzViolation) -> [UInt8]? {
        let before = Array("before".utf8)
        var out = Buffer(capacity: raw.count + 16)
        out.append(before)
        let refusal = CanonicalPath.append(raw.span, rules: rules, to: &out)
        let bytes = out.copiedBytes()
        try require(bytes.starts(with: before), "what stood before the path was changed")
        if refusal != nil { try require(bytes == before, "something was left of a refused path") }
        return refusal == nil ? Array(bytes.dropFirst(before.count)) : nil
    }

    /// As a service that decodes everything, and one that knows path parameters, would read it.
    private static func checkForm(_ form: [UInt8]) throws(FuzzViolation) {
        try require(form.first == 0x2F, "\(shown(form)) does not begin with a slash")
        var depth = 0
        let decoded = try decode(form)
        for segment in decoded.split(separator: 0x2F, omittingEmptySubsequences: false).dropFirst() {
            let name = segment.prefix { $0 != 0x3B }
            try require(name != [0x2E] && name != [0x2E, 0x2E], "\(shown(form)) has a dot segment for some")
            depth += 1
        }
        try require(depth >= 1, "\(shown(form)) is above the root")
        try require(
            String(validating: decoded, as: UTF8.self) != nil, "\(shown(form)) decodes to bytes that are no UTF-8")
    }

    private static func decode(_ form: [UInt8]) throws(FuzzViolation) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = form[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                try require(byte > 0x20 && byte < 0x7F && byte != 0x5C && byte != 0x3F && byte != 0x23, "byte \(byte)")
                decoded.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16), digits == digits.uppercased() else {
                throw FuzzViolation("%\(digits) in \(shown(form))")
            }
            rest = rest.dropFirst(2)
            try require(!NaivePath.isUnreserved(value), "%\(digits) stays escaped")
            try require(value >= 0x20 && value != 0x7F && value != 0x5C, "%\(digits) is passed on")
            decoded.append(value)
        }
        return decoded
    }
}

/// The canonical path by lists of segments: slow, and as near to RFC 3986 section 5.2.4 as can be.
enum NaivePath {
    static func canonical(_ raw: [UInt8], _ rules: CanonicalPath.Rules) -> [UInt8]? {
        if raw.isEmpty { return [0x2F] }
        guard raw[0] == 0x2F else { return nil }
        var segments: [[UInt8]] = []
        for piece in raw.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false) {
            guard let segment = segment(piece, rules) else { return nil }
            segments.append(segment)
        }
        if rules.mergesSlashes { segments = segments.dropLast().filter { !$0.isEmpty } + segments.suffix(1) }
        var stack: [[UInt8]] = []
        for (index, segment) in segments.enumerated() {
            if segment == dot || segment == dotDot {
                if segment == dotDot, stack.popLast() == nil { return nil }
                if index == segments.count - 1 { stack.append([]) }
            } else {
                stack.append(segment)
            }
        }
        return Array(stack.map { [0x2F] + $0 }.joined())
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    private static let dot: [UInt8] = [0x2E]
    private static let dotDot: [UInt8] = [0x2E, 0x2E]

    /// A segment in its one form; nil when it is refused.
    private static func segment(_ piece: ArraySlice<UInt8>, _ rules: CanonicalPath.Rules) -> [UInt8]? {
        var form: [UInt8] = []
        var decoded: [UInt8] = []
        var rest = piece
        while let byte = rest.popFirst() {
            if byte != 0x25 {
                guard isUnreserved(byte) || "!$&'()*+,;=:@[]".utf8.contains(byte) else { return nil }
                form.append(byte)
                decoded.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            rest = rest.dropFirst(2)
            let isHex = digits.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0 & 0xDF) }
            guard digits.count == 2, isHex, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16),
                value >= 0x20, value != 0x7F, value != 0x5C, !(value == 0x2F && rules.rejectsEncodedSlash)
            else { return nil }
            decoded.append(value)
            let text = "%" + String(decoding: digits, as: UTF8.self).uppercased()
            form += isUnreserved(value) ? [value] : Array(text.utf8)
        }
        guard String(validating: decoded, as: UTF8.self) != nil else { return nil }
        if form == dot || form == dotDot { return form }
        // `..;x` and `a%2F..` are dot segments for services that know path parameters or decode slashes.
        for part in decoded.split(separator: 0x2F, omittingEmptySubsequences: false) {
            let name = Array(part.prefix { $0 != 0x3B })
            if name == dot || name == dotDot { return nil }
        }
        return form
    }
}
