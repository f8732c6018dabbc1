package import Config

/// Kinds of middleware that a package built on Martlet adds to the configuration's own.
public struct MiddlewareKinds: Sendable {
    enum Factory: Sendable {
        case synchronous(@Sendable (MiddlewareSettings) throws -> any Middleware)
        case asynchronous(@Sendable (MiddlewareSettings) throws -> any AsyncMiddleware)
    }

    private var factories: [String: Factory] = [:]
    /// The kinds as the configuration reads them, in order of registration.
    package private(set) var customKinds: [CustomKind] = []

    public init() {}

    /// Adds a kind, or replaces the one of this name.
    ///
    /// - Parameters:
    ///   - kind: its key in the file, such as `tenant`; a built-in kind of the same name goes first.
    ///   - sentence: what it does, for the schema and the reference page.
    ///   - keys: the keys that its section may have; others are errors of the configuration.
    ///   - make: makes the middleware. What it throws becomes an error of the configuration, so say what is wrong
    ///     (`InvalidSettings`). Called once per name in the file and again when its section changes.
    public mutating func register(
        _ kind: String, _ sentence: String = "", keys: [MiddlewareKey] = [],
        make: @escaping @Sendable (MiddlewareSettings) throws -> any Middleware
    ) {
        add(kind, sentence, keys, .synchronous(make))
    }

    /// Adds a kind whose middleware has to wait before it can decide.
    public mutating func registerAsync(
        _ kind: String, _ sentence: String = "", keys: [MiddlewareKey] = [],
        make: @escaping @Sendable (MiddlewareSettings) throws -> any AsyncMiddleware
    ) {
        add(kind, sentence, keys, .asynchronous(make))
    }

    private mutating func add(_ kind: String, _ sentence: String, _ keys: [MiddlewareKey], _ factory: Factory) {
        factories[kind] = factory
        customKinds.removeAll { $0.name == kind }
        customKinds.append(CustomKind(kind, sentence, keys: keys.map(\.row)))
    }

    func factory(_ kind: String) -> Factory? { factories[kind] }
}

/// A key of a custom kind's section: what may stand there and what it means.
public struct MiddlewareKey: Sendable {
    let row: CustomKind.Key

    private init(_ row: CustomKind.Key) {
        self.row = row
    }

    /// Any scalar, as text.
    public static func text(
        _ name: String, _ sentence: String = "", isRequired: Bool = false, default standard: String? = nil
    ) -> MiddlewareKey {
        MiddlewareKey(CustomKind.Key(name, .text, isRequired: isRequired, default: standard, sentence))
    }

    /// `true` or `false`.
    public static func boolean(_ name: String, _ sentence: String = "", default standard: Bool = false) -> MiddlewareKey
    {
        MiddlewareKey(CustomKind.Key(name, .boolean, default: standard ? "true" : "false", sentence))
    }

    /// A whole number within bounds.
    public static func integer(
        _ name: String, _ sentence: String = "", in bounds: ClosedRange<Int>, default standard: Int? = nil
    ) -> MiddlewareKey {
        let text = standard.map { "\($0)" }
        return MiddlewareKey(CustomKind.Key(name, .integer(bounds), isRequired: text == nil, default: text, sentence))
    }

    /// A time with its unit, such as `30s`.
    public static func duration(
        _ name: String, _ sentence: String = "", in bounds: ClosedRange<Duration>, default standard: Duration? = nil
    ) -> MiddlewareKey {
        let text = standard.map { "\($0.wholeNanoseconds)" }
        return MiddlewareKey(CustomKind.Key(name, .duration(bounds), isRequired: text == nil, default: text, sentence))
    }

    /// A size in bytes with its unit, such as `64KiB`.
    public static func size(
        _ name: String, _ sentence: String = "", in bounds: ClosedRange<Int>, default standard: Int? = nil
    ) -> MiddlewareKey {
        let text = standard.map { "\($0)" }
        return MiddlewareKey(CustomKind.Key(name, .size(bounds), isRequired: text == nil, default: text, sentence))
    }

    /// One of several words.
    public static func words(
        _ name: String, _ sentence: String = "", among words: [String], default standard: String? = nil
    ) -> MiddlewareKey {
        MiddlewareKey(
            CustomKind.Key(name, .words(words), isRequired: standard == nil, default: standard, sentence))
    }
}

/// What the file says in a custom kind's section, checked against its keys; defaults are filled in.
public struct MiddlewareSettings: Sendable, Equatable {
    private let values: [String: String]

    package init(_ values: [String: String]) {
        self.values = values
    }

    /// The value of a text or words key; nil when the file says nothing and there is no default.
    public func text(_ key: String) -> String? { values[key] }

    public func boolean(_ key: String) -> Bool { values[key] == "true" }

    /// The value of an integer or size key; 0 for a key that is not there.
    public func integer(_ key: String) -> Int { values[key].flatMap { Int($0) } ?? 0 }

    /// The value of a duration key; zero for a key that is not there.
    public func duration(_ key: String) -> Duration { .nanoseconds(values[key].flatMap { Int64($0) } ?? 0) }
}

/// Why a custom middleware cannot be made from the settings that the file gives.
public struct InvalidSettings: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
