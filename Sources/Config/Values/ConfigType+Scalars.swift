import YAML

extension ConfigType where Value == Bool {
    static var boolean: ConfigType<Bool> {
        ConfigType<Bool>(.boolean, show: { $0 ? "true" : "false" }) { text throws(TextFailure) in
            switch text {
            case "true", "yes", "on": return true
            case "false", "no", "off": return false
            default: throw TextFailure()
            }
        }
    }
}

extension ConfigType where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> ConfigType<Int> {
        ConfigType<Int>(.integer(range), show: { "\($0)" }) { text throws(TextFailure) in
            guard let value = DecimalNumber.parse(text.hasPrefix("-") ? text.dropFirst() : text[...]) else {
                throw TextFailure()
            }
            let signed = text.hasPrefix("-") ? -value : value
            guard range.contains(signed) else {
                throw TextFailure("\(text) is out of bounds: \(range.lowerBound) to \(range.upperBound)")
            }
            return signed
        }
    }

    static func size(_ range: ClosedRange<Int>) -> ConfigType<Int> {
        ConfigType<Int>(.size(range), show: { SizeText.write($0) }) { text throws(TextFailure) in
            let value = try SizeText.parse(text)
            guard range.contains(value) else {
                throw TextFailure(
                    "\(text) is out of bounds: "
                        + "\(SizeText.write(range.lowerBound)) to \(SizeText.write(range.upperBound))")
            }
            return value
        }
    }

    static func percent(_ range: ClosedRange<Int>) -> ConfigType<Int> {
        ConfigType<Int>(.percent(range), show: { "\($0)%" }) { text throws(TextFailure) in
            guard let value = DecimalNumber.parse(text.hasSuffix("%") ? text.dropLast() : text[...]) else {
                throw TextFailure()
            }
            guard text.hasSuffix("%") else { throw TextFailure("`\(text)` has no unit", help: "write \(text)%") }
            guard range.contains(value) else {
                throw TextFailure("\(text) is out of bounds: \(range.lowerBound)% to \(range.upperBound)%")
            }
            return value
        }
    }
}

extension ConfigType where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> ConfigType<Duration> {
        ConfigType<Duration>(.duration(range), show: { DurationText.write($0) }) { text throws(TextFailure) in
            let value = try DurationText.parse(text)
            guard range.contains(value) else {
                throw TextFailure(
                    "\(text) is out of bounds: "
                        + "\(DurationText.write(range.lowerBound)) to \(DurationText.write(range.upperBound))")
            }
            return value
        }
    }
}

extension ConfigType where Value == Rate {
    static var rate: ConfigType<Rate> {
        ConfigType<Rate>(.rate, show: { $0.text }) { text throws(TextFailure) in try Rate.parse(text) }
    }
}

extension ConfigType where Value: RawRepresentable<String> & CaseIterable {
    /// One of the words of an enumeration.
    static var word: ConfigType<Value> {
        let words = Value.allCases.map(\.rawValue)
        return ConfigType<Value>(.words(words), show: { $0.rawValue }) { text throws(TextFailure) in
            guard let value = Value(rawValue: text) else { throw TextFailure.word(text, among: words) }
            return value
        }
    }
}

extension TextFailure {
    static func word(_ text: String, among words: [String]) -> TextFailure {
        TextFailure(
            "expected \(Shape.alternatives(words)), found `\(text)`",
            help: Suggestion.nearest(to: text, among: words).map { "did you mean `\($0)`?" })
    }
}

extension ConfigType where Value == String {
    /// Text that is not empty; `check` says what is wrong with it.
    static func text(
        _ kind: String, check: @escaping @Sendable (String) throws(TextFailure) -> Void = { _ throws(TextFailure) in }
    ) -> ConfigType<String> {
        ConfigType<String>(.text(kind), show: { $0 }) { text throws(TextFailure) in
            guard !text.isEmpty else { throw TextFailure("expected \(kind), found nothing") }
            try check(text)
            return text
        }
    }

    /// A name that people give: listeners, upstreams, middleware, routes.
    static func name(_ kind: String) -> ConfigType<String> {
        text("a name of \(kind)") { text throws(TextFailure) in
            let isSound = text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
            guard isSound, text.utf8.count <= 128 else {
                throw TextFailure(
                    "`\(text)` is no name of \(kind)", help: "names have letters, digits, `-`, `_` and `.`, at most 128"
                )
            }
        }
    }

    /// A path of the file system from the root.
    static func filePath(_ kind: String) -> ConfigType<String> {
        text(kind) { text throws(TextFailure) in
            guard text.hasPrefix("/"), !text.utf8.contains(0) else {
                throw TextFailure("`\(text)` is no absolute path", help: "paths start with `/`")
            }
        }
    }
}
