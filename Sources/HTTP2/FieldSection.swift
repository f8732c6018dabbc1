package import Containers
package import HTTP

/// What a field section is decoded into: lines as HTTP/1.1 writes them, and a head that points at them, such as the parsers of
/// HTTP/1.1 make. One value is used by a worker for section after section; whoever needs a head for longer copies its bytes.
package struct FieldSection: ~Copyable {
    package enum Kind: Sendable { case request, response, trailers }

    /// Of the connection whose sections come next.
    package var limits: FieldLimits
    /// The bytes that heads and trailers point into.
    package internal(set) var arena: Buffer
    package internal(set) var request = RequestHead()
    package internal(set) var response = ResponseHead()
    /// The lines of a trailer section; `isRemoved` says that one must not be forwarded (RFC 9110 section 6.5.1).
    package internal(set) var trailers = FixedArray<FieldLine>(capacity: ResponseHead.fieldsLimit)
    /// Of an extended CONNECT (RFC 8441): what to switch to.
    package internal(set) var upgradeProtocol: ByteRange?
    /// Of a malformed message.
    package internal(set) var fault = MalformedReason.none
    /// Why a well-formed request is not served; `none` when nothing speaks against it.
    package internal(set) var refusal = ErrorCode.none
    /// Fields of the section, those of a refused one too.
    package internal(set) var count = 0

    var kind = Kind.request
    var lines = FixedArray<FieldLine>(capacity: ResponseHead.fieldsLimit)
    /// Bytes as RFC 9113 section 6.5.2 counts them.
    var decodedSize = 0
    var seen: UInt8 = 0
    var scheme = ByteRange.empty
    /// The line of the last cookie, -1 without one.
    private var lastCookie = -1
    private var cookiesAreApart = false
    /// More fields or bytes than the section may have.
    private var isOver = false
    /// However much it is, it is decoded, for the sake of what else comes on the connection.
    private var isWholly = false
    private var fieldLimit = 0
    private var byteLimit = 0
    var notes = FieldNotes()

    /// One string takes no more in the arena; twice as much and more as one whose entry a table could keep.
    private static let longestString = 32_768
    /// `: ` and CRLF.
    private static let lineEnds = 4

    package init(limits: FieldLimits = FieldLimits()) {
        self.limits = limits
        arena = Buffer(capacity: limits.bytes + Self.longestString + Self.lineEnds)
    }

    /// Forgets the last section. `wholly`: the next one never is too much to be decoded to its end.
    package mutating func begin(_ kind: Kind, wholly: Bool = false) {
        self.kind = kind
        isWholly = wholly
        arena.clear()
        lines.removeAll()
        count = 0
        decodedSize = 0
        seen = 0
        fault = .none
        refusal = .none
        lastCookie = -1
        cookiesAreApart = false
        isOver = false
        upgradeProtocol = nil
        notes = FieldNotes()
        fieldLimit = kind == .trailers ? limits.trailerFields : limits.fields
        byteLimit = kind == .trailers ? limits.trailerBytes : limits.bytes
        switch kind {
        case .request: request.reset()
        case .response: response.reset()
        case .trailers: trailers.removeAll()
        }
    }

    /// Hands out the head of the request, for one whose memory is used for the next.
    package mutating func takeRequest(_ head: inout RequestHead) { swap(&request, &head) }

    /// The same with the head of a response.
    package mutating func takeResponse(_ head: inout ResponseHead) { swap(&response, &head) }

    /// Bytes that the next string may take.
    @inline(__always)
    var stringRoom: Int { min(arena.tailroom &- Self.lineEnds, Self.longestString) }

    /// Whether a section is so far beyond its limits that nobody sends it by mistake.
    @inline(__always)
    var isAbsurd: Bool {
        isOver && !isWholly && (decodedSize > 4 &* byteLimit || count > 4 &* fieldLimit)
    }

    /// Counts a field; false when the section must not have it.
    @inline(__always)
    mutating func admit(_ entry: TableEntry) -> Bool {
        count &+= 1
        decodedSize &+= entry.size
        if count > fieldLimit || decodedSize > byteLimit || entry.lineCount > limits.fieldBytes &+ Self.lineEnds {
            return admitLarge(entry)
        }
        return true
    }

    @inline(never)
    private mutating func admitLarge(_ entry: TableEntry) -> Bool {
        isOver = true
        if entry.pseudo == .path && count <= fieldLimit && decodedSize <= byteLimit {
            if Int(entry.valueCount) <= limits.targetBytes { return true }
            if refusal == .none { refusal = .uriTooLong }
        } else if refusal == .none {
            refusal = .headersTooLarge
        }
        return false
    }

    /// Counts a field that could not even be kept; what was written of it goes.
    mutating func refuse(at start: Int) {
        arena.keepFirst(start)
        isOver = true
        count &+= 1
        decodedSize &+= Self.longestString
        if refusal == .none { refusal = .headersTooLarge }
    }

    /// Takes the last line of the arena, which begins at `start`. What it is has been found out, its bytes have been checked.
    @inline(__always)
    mutating func accept(at start: Int, _ entry: TableEntry, isSensitive: Bool) {
        let value = ByteRange(start: start &+ Int(entry.nameCount) &+ 2, count: Int(entry.valueCount))
        if entry.pseudo != .none {
            acceptPseudo(entry, value)
            return
        }
        if entry.known == .cookie && kind == .request && entry.flags.isEmpty {
            acceptCookie(at: start, value, isSensitive)
            return
        }
        lines.append(
            FieldLine(
                name: ByteRange(start: start, count: Int(entry.nameCount)), value: value, known: entry.known,
                isNormal: true, isSensitive: isSensitive))
        if !entry.flags.isEmpty || FieldNotes.concern(entry.known) { note(entry) }
    }

    @inline(__always)
    private mutating func acceptPseudo(_ entry: TableEntry, _ value: ByteRange) {
        // RFC 9113 section 8.3: once each, before all others. A line of Host stands for `:authority`.
        let others = lines.count &- (seen & PseudoField.authority.bit != 0 ? 1 : 0)
        if seen & entry.pseudo.bit != 0 || others > 0 || notes.hasHost || !entry.flags.isEmpty {
            mark(entry.flags.isEmpty ? .pseudoField : .fieldValue)
            return
        }
        seen |= entry.pseudo.bit
        switch entry.pseudo {
        case .method where kind == .request: request.methodRange = value
        case .scheme where kind == .request: scheme = value
        case .path where kind == .request: request.target = value
        case .protocol where kind == .request: upgradeProtocol = value
        case .authority where kind == .request: acceptAuthority(value)
        case .status where kind == .response: notes.status = value
        default: mark(.pseudoField)
        }
    }

    /// `:authority` is written as Host, the first field of the head, as other readers of heads expect it: the name's bytes
    /// take the place of the last ones of `:authority: `.
    @inline(__always)
    private mutating func acceptAuthority(_ value: ByteRange) {
        let start = value.lower &- 6
        // What is left of the name is a line of its own, for those that look for lines in heads.
        arena[start &- 6] = 0x3A
        arena[start &- 5] = 0x78
        arena[start &- 4] = 0x3A
        arena[start &- 3] = 0x20
        arena[start &- 2] = 0x0D
        arena[start &- 1] = 0x0A
        arena[start] = 0x68
        arena[start &+ 1] = 0x6F
        arena[start &+ 2] = 0x73
        arena[start &+ 3] = 0x74
        var line = FieldLine(name: ByteRange(start: start, count: 4), value: value, known: .host, isNormal: true)
        line.isRemoved = true
        lines.append(line)
        request.authority = value
    }

    /// RFC 9113 section 8.2.3: the crumbs of a cookie are one field for HTTP/1.1.
    @inline(__always)
    private mutating func acceptCookie(at start: Int, _ value: ByteRange, _ isSensitive: Bool) {
        if lastCookie >= 0 && lastCookie == lines.count &- 1 {
            // `; value` in the place of CRLF and `cookie: value`.
            let count = Int(value.count)
            arena.moveBytes(from: value.lower, to: start, count: count &+ 2)
            arena[start &- 2] = 0x3B
            arena[start &- 1] = 0x20
            arena.keepFirst(start &+ count &+ 2)
            let first = lines[lastCookie].value.lower
            lines[lastCookie].value = ByteRange(start: first, count: start &+ count &- first)
            if isSensitive { lines[lastCookie].isSensitive = true }
            return
        }
        if lastCookie >= 0 { cookiesAreApart = true }
        lastCookie = lines.count
        lines.append(
            FieldLine(
                name: ByteRange(start: start, count: 6), value: value, known: .cookie, isNormal: true,
                isSensitive: isSensitive))
    }

    /// Keeps the first fault; those behind it may follow from it.
    mutating func mark(_ reason: MalformedReason) {
        if fault == .none { fault = reason }
    }

    /// Joins crumbs between which other fields stand, in the place of the first.
    @inline(__always)
    mutating func joinCookies() {
        if cookiesAreApart { joinScatteredCookies() }
    }

    @inline(never)
    private mutating func joinScatteredCookies() {
        var needed = 8
        for index in 0..<lines.count where lines[index].known == .cookie {
            needed &+= Int(lines[index].value.count) &+ 2
        }
        guard needed <= arena.tailroom else {
            refusal = .headersTooLarge
            return
        }
        let start = arena.count
        arena.append("cookie: ")
        var kept = 0
        var first = -1
        var isSensitive = false
        for index in 0..<lines.count {
            let line = lines[index]
            if line.known == .cookie {
                if first >= 0 { arena.append("; ") }
                for offset in line.value.range { arena.append(arena[offset]) }
                isSensitive = isSensitive || line.isSensitive
                if first >= 0 { continue }
                first = kept
            }
            lines[kept] = line
            kept &+= 1
        }
        arena.append("\r\n")
        let value = ByteRange(start: start &+ 8, count: arena.count &- start &- 10)
        lines[first] = FieldLine(
            name: ByteRange(start: start, count: 6), value: value, known: .cookie, isNormal: true,
            isSensitive: isSensitive)
        while lines.count > kept { _ = lines.popLast() }
    }
}
