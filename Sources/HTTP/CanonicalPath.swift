package import Containers

/// The one form of a request's path that routing, policies and the upstream see (RFC 3986 section 6.2.2).
///
/// Percent-escapes of unreserved characters are decoded once, other escapes get upper-case digits, dot segments are
/// removed. What a service might read otherwise than we do is refused, never repaired: encoded controls and backslashes,
/// bytes that decode to no UTF-8, `..` above the root, `..;x` (a dot segment for servers with path parameters), `..`
/// beside an encoded slash. `%2F`, `//` and `;` stay as they are and mean nothing to us.
///
/// Canonicalising a canonical path changes nothing.
package enum CanonicalPath {
    /// What a listener may decide.
    package struct Rules: Sendable, Equatable {
        /// Refuses `%2F` instead of keeping it.
        package var rejectsEncodedSlash = false
        /// Reads `//` as `/`.
        package var mergesSlashes = false
        package init() {}
    }

    package enum Refusal: Error, Sendable, Equatable, CaseIterable {
        /// Does not begin with a slash.
        case notAbsolute
        /// A byte that no path has: a control, SP, `\`, `?`, `#`, 0x80 and above, …
        case invalidByte
        /// `%` without two hexadecimal digits.
        case badEscape
        case encodedControl, encodedBackslash, encodedSlash
        case invalidUTF8
        case aboveRoot
        /// A segment that is a dot segment only for some: `..;a`, `a%2F..`.
        case ambiguousDots
        /// The canonical path does not fit the tailroom.
        case tooLong
    }

    /// Appends the canonical form of `raw`; an empty path counts as `/`. On refusal nothing is appended.
    ///
    /// The form is never longer than `raw` (but for the empty path).
    ///
    /// - Returns: nil when the form was appended, else why not.
    package static func append(_ raw: Span<UInt8>, rules: Rules = Rules(), to out: inout Buffer) -> Refusal? {
        let count = raw.count
        guard out.tailroom > count else { return .tooLong }
        guard count > 0 else {
            out.append(0x2F)
            return nil
        }
        guard raw[0] == 0x2F else { return .notAbsolute }
        if isCanonical(raw, rules: rules) {
            out.append(raw)
            return nil
        }
        let base = out.count
        var writer = Writer(base: base, rules: rules)
        let refusal = writer.write(raw, to: &out)
        if refusal != nil { out.keepFirst(base) }
        return refusal
    }

    /// Whether a path has nothing that could change or be refused. False for some canonical paths (those with escapes or
    /// with segments like `.x`).
    private static func isCanonical(_ raw: Span<UInt8>, rules: Rules) -> Bool {
        if !rules.mergesSlashes && ByteScan.isPlainPath(raw) { return true }
        let count = raw.count
        var index = 0
        var isBehindSlash = false
        while index < count {
            let byte = raw[index]
            index &+= 1
            let kind = kinds[Int(byte)]
            if kind == 0 {
                isBehindSlash = false
                continue
            }
            if kind == 2 || (isBehindSlash && (byte == 0x2E || rules.mergesSlashes)) { return false }
            isBehindSlash = byte == 0x2F
        }
        return true
    }

    /// Whether the byte may stand in a path as it is: pchar (RFC 3986 section 3.3) without `%`, and brackets; not `/`.
    @inline(__always)
    fileprivate static func isPlain(_ byte: UInt8) -> Bool { kinds[Int(byte)] == 0 || byte == 0x2E }

    /// 0: stands for itself; 1: `.` and `/`; 2: decoded or refused. A literal, as in `ByteClass`.
    private static let kinds: InlineArray<256, UInt8> = [
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x00
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x10
        2, 0, 2, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1,  // 0x20
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 2,  // 0x30
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // 0x40
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0,  // 0x50
        2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // 0x60
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 0, 2,  // 0x70
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x80
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0x90
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xA0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xB0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xC0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xD0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xE0
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,  // 0xF0
    ]
}

/// The slow way, byte by byte.
private struct Writer: ~Copyable {
    /// Where the path begins in the buffer; its first slash is there.
    let base: Int
    let rules: CanonicalPath.Rules
    private var utf8 = UTF8Check()
    /// The current segment has an encoded slash.
    private var hasEncodedSlash = false

    init(base: Int, rules: CanonicalPath.Rules) {
        self.base = base
        self.rules = rules
    }

    mutating func write(_ raw: Span<UInt8>, to out: inout Buffer) -> CanonicalPath.Refusal? {
        out.append(0x2F)
        var index = 1
        while true {
            let segment = out.count
            hasEncodedSlash = false
            if let refusal = writeSegment(raw, from: &index, to: &out) { return refusal }
            let isLast = index >= raw.count
            switch SegmentKind(out.span.extracting(segment..<out.count), hasEncodedSlash: hasEncodedSlash) {
            case .ambiguous: return .ambiguousDots
            case .dot: out.keepFirst(segment)
            case .dotDot:
                guard segment > base &+ 1 else { return .aboveRoot }
                removeSegment(before: segment, in: &out)
            case .ordinary:
                let isMerged = rules.mergesSlashes && segment == out.count
                if !isLast, !isMerged { out.append(0x2F) }
            }
            if isLast { return nil }
            index &+= 1
        }
    }

    /// Copies up to the next slash, which is left unread.
    private mutating func writeSegment(
        _ raw: Span<UInt8>, from index: inout Int, to out: inout Buffer
    ) -> CanonicalPath.Refusal? {
        let count = raw.count
        while index < count {
            let byte = raw[index]
            if byte == 0x25 {
                guard count &- index > 2, let high = ByteClass.hexValue(raw[index &+ 1]),
                    let low = ByteClass.hexValue(raw[index &+ 2])
                else { return .badEscape }
                index &+= 3
                if let refusal = writeEscape(high << 4 | low, to: &out) { return refusal }
                continue
            }
            guard utf8.isComplete else { return .invalidUTF8 }
            if byte == 0x2F { return nil }
            guard CanonicalPath.isPlain(byte) else { return .invalidByte }
            out.append(byte)
            index &+= 1
        }
        return utf8.isComplete ? nil : .invalidUTF8
    }

    private mutating func writeEscape(_ byte: UInt8, to out: inout Buffer) -> CanonicalPath.Refusal? {
        guard utf8.take(byte) else { return .invalidUTF8 }
        if ByteClass.isUnreserved(byte) {
            out.append(byte)
            return nil
        }
        switch byte {
        case 0x00...0x1F, 0x7F: return .encodedControl
        case 0x5C: return .encodedBackslash
        case 0x2F:
            if rules.rejectsEncodedSlash { return .encodedSlash }
            hasEncodedSlash = true
        default: break
        }
        out.append(0x25)
        out.append(Self.upperHex(byte >> 4))
        out.append(Self.upperHex(byte & 15))
        return nil
    }

    private static func upperHex(_ digit: UInt8) -> UInt8 { digit < 10 ? 0x30 &+ digit : 0x37 &+ digit }

    /// Drops the `..` at `segment` and the segment before it; what stays ends with a slash.
    private func removeSegment(before segment: Int, in out: inout Buffer) {
        var end = segment &- 1
        while end > base &+ 1, out[end &- 1] != 0x2F { end &-= 1 }
        out.keepFirst(end)
    }
}

/// What a decoded segment means for the hierarchy.
private enum SegmentKind {
    case ordinary, dot, dotDot, ambiguous

    init(_ segment: Span<UInt8>, hasEncodedSlash: Bool) {
        let dots = Self.leadingDots(segment, from: 0)
        if hasEncodedSlash {
            self = Self.hasDotPiece(segment) ? .ambiguous : .ordinary
        } else if dots == 0 || dots > 2 {
            self = .ordinary
        } else if dots == segment.count {
            self = dots == 1 ? .dot : .dotDot
        } else {
            self = Self.isParameterMark(segment, at: dots) ? .ambiguous : .ordinary
        }
    }

    private static func leadingDots(_ segment: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < segment.count, segment[end] == 0x2E { end &+= 1 }
        return end &- start
    }

    /// `;` or `%3B`: where a path parameter begins for servers that know such.
    private static func isParameterMark(_ segment: Span<UInt8>, at index: Int) -> Bool {
        if segment[index] == 0x3B { return true }
        return isEscape(segment, at: index, of: 0x33, 0x42)
    }

    /// Whether one of the pieces between encoded slashes is a dot segment for a service that decodes them.
    private static func hasDotPiece(_ segment: Span<UInt8>) -> Bool {
        var start = 0
        var index = 0
        while true {
            let isEnd = index >= segment.count
            if isEnd || isEscape(segment, at: index, of: 0x32, 0x46) {
                let dots = leadingDots(segment, from: start)
                let behind = start &+ dots
                if dots == 1 || dots == 2, behind == index || isParameterMark(segment, at: behind) { return true }
                if isEnd { return false }
                index &+= 3
                start = index
            } else {
                index &+= 1
            }
        }
    }

    private static func isEscape(_ segment: Span<UInt8>, at index: Int, of high: UInt8, _ low: UInt8) -> Bool {
        segment.count &- index > 2 && segment[index] == 0x25 && segment[index &+ 1] == high
            && segment[index &+ 2] == low
    }
}
