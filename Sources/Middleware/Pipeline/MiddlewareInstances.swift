package import Config
internal import PasswordHash
private import Synchronization

/// What is wrong with the middleware of a configuration.
package struct MiddlewareProblems: Error, Equatable {
    package let problems: [Problem]
}

/// The middleware of one configuration by name: one name is one state, however many routes use it and however often the
/// configuration is loaded.
package final class MiddlewareInstances: Sendable {
    private struct Instance: Sendable {
        let config: MiddlewareConfig
        let state: State
        let maker: StepMaker
    }

    /// What survives a reload under the same name and kind.
    private enum State: Sendable {
        case none
        case cells(CellTable)
        case credentials(CredentialCache)
        /// The instance itself, as long as its settings stay.
        case custom(StepMaker)
    }

    private let instances: [String: Instance]
    private let verifier: PasswordVerifier
    /// Routes with the same list of names share a chain.
    private let chains = Mutex<[[String]: MiddlewareChain]>([:])

    /// Makes the middleware of a configuration. What had the same name and kind in `previous` keeps its state.
    package init(
        _ config: [NamedMiddleware], previous: MiddlewareInstances?, custom: MiddlewareKinds,
        subrequests: any SubrequestSender
    ) throws(MiddlewareProblems) {
        let problems = config.flatMap { MiddlewareCheck.problems(in: $0) }
        verifier = previous?.verifier ?? PasswordVerifier()
        var maker = Maker(custom: custom, subrequests: subrequests, verifier: verifier, problems: problems)
        var instances: [String: Instance] = [:]
        for middleware in config {
            instances[middleware.name] = maker.make(middleware, previous: previous?.instances[middleware.name])
        }
        guard maker.problems.isEmpty else { throw MiddlewareProblems(problems: maker.problems) }
        self.instances = instances
    }

    /// The chain of a route.
    package func chain(for route: RouteConfig) throws(MiddlewareProblems) -> MiddlewareChain {
        if route.middleware.isEmpty { return .empty }
        if let chain = chains.withLock({ $0[route.middleware] }) { return chain }
        guard route.middleware.count <= MiddlewareChain.limit else {
            throw problem(
                route,
                "route `\(route.name)` has \(route.middleware.count) middlewares, more than \(MiddlewareChain.limit)")
        }
        var makers: [StepMaker] = []
        for name in route.middleware {
            guard let instance = instances[name] else {
                throw problem(route, "route `\(route.name)` uses an unknown middleware `\(name)`")
            }
            makers.append(instance.maker)
        }
        let chain = MiddlewareChain(makers)
        chains.withLock { $0[route.middleware] = chain }
        return chain
    }

    private func problem(_ route: RouteConfig, _ message: String) -> MiddlewareProblems {
        MiddlewareProblems(problems: [Problem(at: route.location, message)])
    }

    /// Debts that full tables forgot, by name of the `rate_limit`; for metrics. A limit may have been too generous so
    /// often.
    package var forgivenDebts: [(name: String, count: Int)] {
        instances.compactMap { name, instance in
            if case .cells(let table) = instance.state { (name: name, count: table.forgiven) } else { nil }
        }.sorted { $0.name < $1.name }
    }

    /// Makes instances one after the other and collects what goes wrong.
    private struct Maker {
        let custom: MiddlewareKinds
        let subrequests: any SubrequestSender
        let verifier: PasswordVerifier
        var problems: [Problem]

        mutating func make(_ middleware: NamedMiddleware, previous: Instance?) -> Instance {
            let config = middleware.kind
            var state = State.none
            let maker: StepMaker
            switch config {
            case .headers(let config): maker = StepMaker { .headers(HeadersMiddleware(config)) }
            case .apiKey(let config): maker = StepMaker { .apiKey(APIKeyMiddleware(config)) }
            case .ipFilter(let config): maker = StepMaker { .ipFilter(IPFilterMiddleware(config)) }
            case .bodyLimit(let config): maker = StepMaker { .bodyLimit(BodyLimitMiddleware(config)) }
            case .requestID(let config): maker = StepMaker { .requestID(RequestIDMiddleware(config)) }
            case .cors(let config): maker = StepMaker(answersPreflights: true) { .cors(CORSMiddleware(config)) }
            case .hsts(let config): maker = StepMaker { .hsts(HSTSMiddleware(config)) }
            case .forwardAuth(let config):
                maker = .asynchronous(ForwardAuthMiddleware(config, sender: subrequests))
            case .rateLimit(let config):
                let table = Self.table(config, previous)
                state = .cells(table)
                let name = middleware.name
                maker = StepMaker { .rateLimit(RateLimitMiddleware(config, name: name, table: table)) }
            case .basicAuth(let config):
                let cache = Self.cache(previous)
                state = .credentials(cache)
                let basic = BasicAuthMiddleware(config, cache: cache, verifier: verifier)
                maker = StepMaker { .basicAuth(basic) }
            case .custom(let kind, let settings):
                maker = makeCustom(middleware, kind, settings, previous)
                state = .custom(maker)
            }
            return Instance(config: config, state: state, maker: maker)
        }

        private static func table(_ config: RateLimitConfig, _ previous: Instance?) -> CellTable {
            guard case .cells(let table)? = previous?.state else { return CellTable(maxKeys: config.maxKeys) }
            table.setMaxKeys(config.maxKeys)
            return table
        }

        private static func cache(_ previous: Instance?) -> CredentialCache {
            if case .credentials(let cache)? = previous?.state { cache } else { CredentialCache() }
        }

        private mutating func makeCustom(
            _ middleware: NamedMiddleware, _ kind: String, _ settings: [String: String], _ previous: Instance?
        ) -> StepMaker {
            if let previous, previous.config == middleware.kind, case .custom(let maker) = previous.state {
                return maker
            }
            let settings = MiddlewareSettings(settings)
            do {
                switch custom.factory(kind) {
                case .synchronous(let make): return .custom(try make(settings))
                case .asynchronous(let make): return .asynchronous(try make(settings))
                case nil: problems.append(Problem(at: middleware.location, "unknown kind of middleware `\(kind)`"))
                }
            } catch {
                problems.append(Problem(at: middleware.location, "middleware `\(middleware.name)`: \(error)"))
            }
            return StepMaker { .none }
        }
    }
}
