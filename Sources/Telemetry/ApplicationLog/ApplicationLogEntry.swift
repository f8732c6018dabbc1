internal import Config
internal import Containers

/// One entry of the application log: its text in each format.
struct ApplicationLogEntry {
    let level: String
    let message: String
    /// In the order in which they are written.
    let values: [(key: String, value: String)]
    let time: (seconds: Int64, nanoseconds: Int64)

    func appendLine(_ format: LogConfig.Format, to bytes: inout [UInt8]) {
        switch format {
        case .text: appendText(to: &bytes)
        case .json: appendJSON(to: &bytes)
        }
    }

    /// `2026-11-22T17:33:05.012Z info the message key=value other="a value"`
    private func appendText(to bytes: inout [UInt8]) {
        appendTime(to: &bytes)
        bytes.append(0x20)
        bytes += level.utf8
        bytes.append(0x20)
        Self.append(message, quoting: false, to: &bytes)
        for (key, value) in values {
            bytes.append(0x20)
            Self.append(key, quoting: false, to: &bytes)
            bytes.append(0x3D)
            let isPlain =
                !value.isEmpty
                && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C && $0 != 0x3D }
            if isPlain {
                bytes += value.utf8
            } else {
                bytes.append(0x22)
                Self.append(value, quoting: true, to: &bytes)
                bytes.append(0x22)
            }
        }
    }

    private func appendJSON(to bytes: inout [UInt8]) {
        bytes += "{\"time\":\"".utf8
        appendTime(to: &bytes)
        bytes += "\",\"level\":\"\(level)\",\"message\":\"".utf8
        Self.append(message, quoting: true, to: &bytes)
        for (key, value) in values {
            bytes += "\",\"".utf8
            // The three of our own come first and only once.
            if ["time", "level", "message"].contains(key) { bytes.append(0x5F) }
            Self.append(key, quoting: true, to: &bytes)
            bytes += "\":\"".utf8
            Self.append(value, quoting: true, to: &bytes)
        }
        bytes += "\"}".utf8
    }

    /// Fields of journald's native protocol: the message, and each value under a name of our own.
    func appendFields(to bytes: inout [UInt8]) {
        bytes += "MESSAGE=".utf8
        Self.append(message, quoting: false, to: &bytes)
        for (key, value) in values {
            bytes += "\nMARTLET_".utf8
            for byte in key.utf8.prefix(50) {
                switch byte {
                case 0x61...0x7A: bytes.append(byte & 0xDF)
                case 0x41...0x5A, 0x30...0x39: bytes.append(byte)
                default: bytes.append(0x5F)
                }
            }
            bytes.append(0x3D)
            Self.append(value, quoting: false, to: &bytes)
        }
    }

    private func appendTime(to bytes: inout [UInt8]) {
        var clock = LogClock()
        var text = Buffer(capacity: 32)
        clock.appendISO(seconds: time.seconds, nanoseconds: time.nanoseconds, to: &text)
        for index in 0..<text.count { bytes.append(text[index]) }
    }

    /// Appends text so that it stays on its line and shows what it is: control characters, line ends and invisible
    /// format characters (among them those that turn the direction of text) become escapes that JSON and people read
    /// alike; other text stays as it is.
    private static func append(_ text: String, quoting: Bool, to bytes: inout [UInt8]) {
        for scalar in text.unicodeScalars {
            if quoting && (scalar == "\"" || scalar == "\\") {
                bytes.append(0x5C)
                bytes.append(UInt8(truncatingIfNeeded: scalar.value))
                continue
            }
            guard isInvisible(scalar) else {
                bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
                continue
            }
            switch scalar {
            case "\n": bytes += "\\n".utf8
            case "\t": bytes += "\\t".utf8
            case "\r": bytes += "\\r".utf8
            default:
                for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                    let digits = String(unit, radix: 16)
                    bytes += "\\u".utf8
                    bytes += repeatElement(0x30, count: 4 - digits.utf8.count)
                    bytes += digits.utf8
                }
            }
        }
    }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x20 || scalar.value == 0x7F { return true }
        if scalar.value < 0x7F { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return true
        default: return false
        }
    }
}
