/// Follows the frames of one direction of a tunnel (RFC 6455 section 5) without touching or keeping a byte.
///
///     first ─▶ second ─┬─▶ length(2 or 8) ─┬─▶ mask(4) ─┬─▶ payload(n) ─▶ first
///                      └───────────────────┴────────────┘      └─ of a close frame ─▶ closed
///
/// Checks what endpoints must check anyway and what a relay has to know: masking by direction, opcodes, reserved
/// bits, minimal lengths, control frames, fragmentation, and the bytes of a message over all its fragments as they
/// pass on the wire.
package struct WebSocketFrameScanner: Sendable {
    package enum Direction: Sendable {
        /// Frames must be masked.
        case fromClient
        /// Frames must not be masked.
        case fromServer
    }

    private enum State: Sendable, Equatable {
        case first
        case second(Header)
        case length(Header, value: UInt64, left: UInt8, isWide: Bool)
        case mask(Header, length: UInt64, left: UInt8)
        case payload(Header, left: UInt64)
        case closed
    }

    /// The first byte of a frame.
    private struct Header: Sendable, Equatable {
        let byte: UInt8
        var isFinal: Bool { byte & 0x80 != 0 }
        var reserved: UInt8 { byte & 0x70 }
        var opcode: UInt8 { byte & 0x0F }
        var isControl: Bool { byte & 0x08 != 0 }
    }

    private static let compressed: UInt8 = 0x40
    private static let longestControl: UInt64 = 125

    private let direction: Direction
    private let messageLimit: UInt64
    /// Reserved bits that the first frame of a message may have.
    private let allowedReserved: UInt8
    private var state = State.first
    private var isInMessage = false
    /// The state is `first` and there is no message, as of the end of the last run.
    private var isBetweenMessages = true
    /// Payload bytes of the current message in frames whose header was seen.
    private var messageBytes: UInt64 = 0
    /// Of a close frame: first two bytes of the mask, and of the payload as far as they came.
    private var maskBytes: (UInt8, UInt8) = (0, 0)
    private var codeBytes: (UInt8, UInt8) = (0, 0)
    private var codeByteCount = 0

    /// - Parameters:
    ///   - messageLimit: most payload bytes of one message on the wire, over all its fragments.
    ///   - allowsCompression: an extension that uses RSV1 may be on (RFC 7692): it is allowed on the first frame of
    ///     a message.
    package init(direction: Direction, messageLimit: Int = .max, allowsCompression: Bool = false) {
        self.direction = direction
        self.messageLimit = UInt64(max(0, messageLimit))
        allowedReserved = allowsCompression ? Self.compressed : 0
    }

    /// Between two frames (or behind the close frame).
    package var isAtBorder: Bool { state == .first || state == .closed }

    /// A close frame passed: nothing may follow.
    package var isClosed: Bool { state == .closed }

    /// The code of the close frame that passed; nil before it, and when it carries none.
    package var closeCode: UInt16? {
        guard state == .closed, codeByteCount == 2 else { return nil }
        return UInt16(codeBytes.0) << 8 | UInt16(codeBytes.1)
    }

    /// Follows the next bytes of the direction, in any pieces.
    ///
    /// Throws at the byte that shows the breach; the scanner is of no use after that.
    package mutating func scan(_ bytes: Span<UInt8>) throws(WebSocketFailure) -> WebSocketScan {
        isShortMessage(bytes) ? WebSocketScan(messageOf: bytes.count) : try scanFrames(bytes)
    }

    /// Whether the bytes are one whole message in one frame with a short length, as most reads of a chat are, and nothing
    /// is wrong with it. Nothing has to be kept of such a message.
    @inline(__always)
    private func isShortMessage(_ bytes: Span<UInt8>) -> Bool {
        guard isBetweenMessages, bytes.count >= 2 else { return false }
        // A masking key has four bytes.
        let mask: UInt8 = direction == .fromClient ? 0x80 : 0
        let length = bytes.count &- 2 &- Int(mask &>> 5)
        // Final, and opcode 1 or 2.
        return (bytes[0] & ~allowedReserved) &- 0x81 < 2 && length >= 0 && length < 126
            && bytes[1] == mask | UInt8(truncatingIfNeeded: length)
            && UInt64(truncatingIfNeeded: length) <= messageLimit
    }

    @inline(never)
    private mutating func scanFrames(_ bytes: Span<UInt8>) throws(WebSocketFailure) -> WebSocketScan {
        var result = WebSocketScan()
        isBetweenMessages = false
        var index = 0
        var border = 0
        var beganAtBorder = isAtBorder
        while index < bytes.count {
            if let end = skipShortFrame(bytes, index, &result) {
                index = end
            } else if case .payload(let header, let left) = state {
                let count = Int(min(left, UInt64(bytes.count &- index)))
                noteClosePayload(header, bytes.extracting(index..<index &+ count))
                index &+= count
                if UInt64(count) < left {
                    state = .payload(header, left: left &- UInt64(count))
                    break
                }
                endFrame(header, &result)
            } else {
                if let code = step(bytes[index]) {
                    throw WebSocketFailure(code: code, relayable: border, isAtBorder: beganAtBorder)
                }
                index &+= 1
                guard case .payload(let header, 0) = state else { continue }
                endFrame(header, &result)
            }
            border = index
            beganAtBorder = true
            result.lastBorder = index
        }
        result.isAtBorder = isAtBorder
        isBetweenMessages = state == .first && !isInMessage
        return result
    }

    /// Takes a whole frame with a short length in one step: most frames are such. Nil, and nothing changed that matters,
    /// when the next bytes are no such frame or one at fault; then they are taken one by one.
    @inline(__always)
    private mutating func skipShortFrame(_ bytes: Span<UInt8>, _ index: Int, _ result: inout WebSocketScan) -> Int? {
        guard case .first = state, index &+ 1 < bytes.count else { return nil }
        let header = Header(byte: bytes[index])
        let second = bytes[index &+ 1]
        let length = Int(second & 0x7F)
        let isMasked = second & 0x80 != 0
        let end = index &+ length &+ (isMasked ? 6 : 2)
        guard length < 126, end <= bytes.count, header.opcode != 8 else { return nil }
        switch direction {
        case .fromClient: if !isMasked { return nil }
        case .fromServer: if isMasked { return nil }
        }
        guard check(header) == nil, count(header, UInt64(length)) == nil else { return nil }
        endFrame(header, &result)
        return end
    }

    private mutating func noteClosePayload(_ header: Header, _ bytes: Span<UInt8>) {
        guard header.opcode == 8, codeByteCount < 2 else { return }
        for index in 0..<min(bytes.count, 2) {
            if codeByteCount == 0 {
                codeBytes.0 = bytes[index] ^ maskBytes.0
                codeByteCount = 1
            } else if codeByteCount == 1 {
                codeBytes.1 = bytes[index] ^ maskBytes.1
                codeByteCount = 2
            }
        }
    }

    private mutating func endFrame(_ header: Header, _ result: inout WebSocketScan) {
        state = .first
        switch header.opcode {
        case 8:
            state = .closed
            result.sawClose = true
        case 9: result.pings &+= 1
        case 10: result.pongs &+= 1
        default: result.dataFrames &+= 1
        }
    }

    /// Takes one byte of a frame's header; the code to close with when it is a breach.
    private mutating func step(_ byte: UInt8) -> WebSocketCloseCode? {
        switch state {
        case .first:
            let header = Header(byte: byte)
            if let code = check(header) { return code }
            state = .second(header)
            return nil
        case .second(let header):
            // RFC 6455 section 5.1: clients mask, servers do not.
            if (byte & 0x80 != 0) != (direction == .fromClient) { return .protocolError }
            let length = UInt64(byte & 0x7F)
            if header.isControl && length > Self.longestControl { return .protocolError }
            if length < 126 { return beginPayload(header, length) }
            state = .length(header, value: 0, left: length == 126 ? 2 : 8, isWide: length == 127)
            return nil
        case .length(let header, let value, let left, let isWide):
            let next = value << 8 | UInt64(byte)
            if left > 1 {
                // The most significant bit of a 64-bit length is zero.
                if left == 8 && byte & 0x80 != 0 { return .protocolError }
                state = .length(header, value: next, left: left &- 1, isWide: isWide)
                return nil
            }
            // RFC 6455 section 5.2: the shortest form that fits.
            if next < (isWide ? 65_536 : 126) { return .protocolError }
            return beginPayload(header, next)
        case .mask(let header, let length, let left):
            if left == 4 { maskBytes.0 = byte } else if left == 3 { maskBytes.1 = byte }
            state = left > 1 ? .mask(header, length: length, left: left &- 1) : .payload(header, left: length)
            return nil
        case .payload:
            return nil
        case .closed:
            // RFC 6455 section 5.5.1: nothing follows a close frame.
            return .protocolError
        }
    }

    /// Checks the first byte of a frame: reserved bits, opcode, fragmentation (RFC 6455 sections 5.2 to 5.5).
    private func check(_ header: Header) -> WebSocketCloseCode? {
        let allowed = header.opcode == 1 || header.opcode == 2 ? allowedReserved : 0
        if header.reserved & ~allowed != 0 { return .protocolError }
        switch header.opcode {
        case 0: return isInMessage ? nil : .protocolError
        case 1, 2: return isInMessage ? .protocolError : nil
        case 8, 9, 10: return header.isFinal ? nil : .protocolError
        default: return .protocolError
        }
    }

    /// Counts a frame's payload against its message.
    private mutating func count(_ header: Header, _ length: UInt64) -> WebSocketCloseCode? {
        if header.isControl { return nil }
        if header.opcode != 0 { messageBytes = 0 }
        let (sum, overflow) = messageBytes.addingReportingOverflow(length)
        if overflow || sum > messageLimit { return .messageTooBig }
        messageBytes = sum
        isInMessage = !header.isFinal
        return nil
    }

    /// The length is known: counts it and goes on to mask or payload.
    private mutating func beginPayload(_ header: Header, _ length: UInt64) -> WebSocketCloseCode? {
        if let code = count(header, length) { return code }
        maskBytes = (0, 0)
        // A close frame without content, or with a whole code (RFC 6455 section 5.5.1).
        if header.opcode == 8 && length == 1 { return .protocolError }
        state = direction == .fromClient ? .mask(header, length: length, left: 4) : .payload(header, left: length)
        return nil
    }
}
