/// Kinds of middleware that a package built on Martlet adds to the configuration's own.
///
///     var kinds = MiddlewareKinds()
///     kinds.register("tenant", keys: ["header"]) { settings in TenantMiddleware(settings) }
///
/// The kind then stands in the file like any other: `middleware: { t: { tenant: { header: X-Tenant } } }`.
public struct MiddlewareKinds: Sendable {
    enum Factory: Sendable {
        case synchronous(@Sendable ([String: String]) throws -> any Middleware)
        case asynchronous(@Sendable ([String: String]) throws -> any AsyncMiddleware)
    }

    private var factories: [String: Factory] = [:]
    /// The keys that a kind's section may have, by kind.
    package private(set) var keys: [String: [String]] = [:]

    public init() {}

    /// Adds a kind, or replaces the one of this name.
    ///
    /// - Parameters:
    ///   - kind: its key in the file, such as `tenant`; a built-in kind of the same name goes first.
    ///   - keys: the keys that its section may have; others are errors of the configuration. Values are scalars.
    ///   - make: makes the middleware from the keys that were given. What it throws becomes an error of the
    ///   configuration,
    ///     so say what is wrong (`InvalidSettings`). Called once per name in the file and again when its section
    ///   changes.
    public mutating func register(
        _ kind: String, keys: [String] = [], make: @escaping @Sendable ([String: String]) throws -> any Middleware
    ) {
        factories[kind] = .synchronous(make)
        self.keys[kind] = keys
    }

    /// Adds a kind whose middleware has to wait before it can decide.
    public mutating func registerAsync(
        _ kind: String, keys: [String] = [], make: @escaping @Sendable ([String: String]) throws -> any AsyncMiddleware
    ) {
        factories[kind] = .asynchronous(make)
        self.keys[kind] = keys
    }

    func factory(_ kind: String) -> Factory? { factories[kind] }
}

/// Why a custom middleware cannot be made from the settings that the file gives.
public struct InvalidSettings: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
