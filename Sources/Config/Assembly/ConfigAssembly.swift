import Net

/// Makes the typed configuration of the draft: resolves names, gives every upstream and middleware its entry, and
/// flattens groups into routes.
struct ConfigAssembly {
    /// Of an admin socket that names none: its owner alone may use it.
    private static let adminMode: UInt32 = 0o600

    let draft: GatewayDraft
    let decoder: ConfigDecoder
    /// False when a file is missing: names may be defined there.
    let isWhole: Bool
    /// Keys of the file that were given.
    let given: [String: Place]
    var config: GatewayConfig
    /// Names of upstreams by the URLs of their endpoints.
    var upstreamsByURL: [String: String] = [:]
    /// Names that are defined, however wrong what they name is.
    var listenerNames: Set<String> = []
    var upstreamNames: Set<String> = []
    /// `{path.NAME}` that an upstream uses.
    var upstreamParameters: [String: [Located<String>]] = [:]
    var middlewareNames: Set<String> = []
    var middlewareParameters: [String: [Located<String>]] = [:]
    /// Middleware that was read without an error.
    var soundMiddleware: Set<String> = []
    var routeNames: [String: Location] = [:]
    /// Routes of which it is known which requests they match.
    var soundRoutes: [RouteConfig] = []

    init(draft: GatewayDraft, decoder: ConfigDecoder, isWhole: Bool, given: [String: Place]) {
        self.draft = draft
        self.decoder = decoder
        self.isWhole = isWhole
        self.given = given
        config = draft.config
    }

    mutating func assemble() -> GatewayConfig {
        addListeners()
        addUpstreams()
        addMiddleware()
        addRoutes()
        return config
    }

    /// What was read without an error: enough for checks that compare routes and compile middleware, whatever else is
    /// wrong.
    var sound: GatewayConfig {
        var sound = config
        sound.middleware.removeAll { !soundMiddleware.contains($0.name) }
        sound.routes = soundRoutes.map { route in
            var route = route
            route.middleware.removeAll { !soundMiddleware.contains($0) }
            return route
        }
        return sound
    }

    /// Whether a name that is not there is unknown: not when a file is missing, or the names could not be read.
    func knowsNames(of key: String) -> Bool { isWhole && !decoder.unreadNames.contains(key) }

    // MARK: Listeners

    private mutating func addListeners() {
        var first: [ListenerConfig.Bind: Place] = [:]
        if given["listen"] != nil { listenerNames.insert("default") }
        if let place = draft.listen.first?.place {
            var listener = ListenerConfig(location: place.location)
            add(draft.listen, to: &listener, first: &first)
            config.listeners.append(listener)
        }
        for item in unique(draft.listeners, kind: "listener") {
            if item.name == "default", let place = draft.listen.first?.place {
                decoder.report(
                    at: item.place, "`listen` makes a listener named `default` already",
                    related: .init(location: place.location, note: "`listen` is here"))
            }
            listenerNames.insert(item.name)
            guard let value = item.value else { continue }
            var listener = value.config
            listener.name = item.name
            listener.location = item.place.location
            add(value.bind, to: &listener, first: &first)
            config.listeners.append(listener)
        }
        addMetrics(&first)
        addAdmin(&first)
        guard draft.listen.isEmpty, draft.listeners.isEmpty, knowsNames(of: "listen"), knowsNames(of: "listeners")
        else {
            return
        }
        let place = given["listen"] ?? given["listeners"]
        // A key may stand there and name nothing. What could not be read was told where it stands.
        if place == nil || decoder.errorCount == 0 {
            let first = Place(location: Location(file: decoder.inputs.record.path, line: 1, column: 1))
            decoder.report(at: place ?? first, "there is no listener", help: "listen: 127.0.0.1:8080")
        }
    }

    private mutating func addMetrics(_ first: inout [ListenerConfig.Bind: Place]) {
        guard let metrics = draft.metrics, var listener = own("metrics", ListenerConfig.metricsName) else { return }
        add(metrics.bind, to: &listener, first: &first)
        config.metrics = listener
    }

    private mutating func addAdmin(_ first: inout [ListenerConfig.Bind: Place]) {
        guard let admin = draft.admin, var listener = own("admin", ListenerConfig.adminName) else { return }
        var binds: [Located<ListenerConfig.Bind>] = []
        for var bind in admin.bind {
            switch bind.value {
            case .address(.unix(let path)): bind.value = .unix(path: path, mode: Self.adminMode, owner: nil)
            case .unix(let path, let mode, let owner):
                bind.value = .unix(path: path, mode: mode ?? Self.adminMode, owner: owner)
            case .address, .systemd:
                decoder.report(
                    at: bind.place, "the admin API is on Unix sockets only",
                    help: "bind: \"unix:/run/martlet/admin.sock\"")
                continue
            }
            binds.append(bind)
        }
        add(binds, to: &listener, first: &first)
        config.admin = listener
    }

    /// A listener that `key` makes.
    private func own(_ key: String, _ name: String) -> ListenerConfig? {
        guard let place = given[key] else { return nil }
        if let other = draft.listeners.first(where: { $0.name == name }) {
            decoder.report(
                at: other.place, "`\(key)` makes a listener named `\(other.name)` already",
                related: .init(location: place.location, note: "`\(key)` is here"))
        }
        var listener = ListenerConfig(location: place.location)
        listener.name = name
        return listener
    }

    private func add(
        _ binds: [Located<ListenerConfig.Bind>], to listener: inout ListenerConfig,
        first: inout [ListenerConfig.Bind: Place]
    ) {
        for bind in binds {
            var key = bind.value
            if case .unix(let path, _, _) = key { key = .unix(path: path, mode: nil, owner: nil) }
            // With port 0 the kernel chooses another one each time.
            if case .address(.ip(_, port: 0)) = key {
                listener.bind.append(bind.value)
                continue
            }
            if let other = first[key] {
                decoder.report(
                    at: bind.place, "this address is listened on twice",
                    related: .init(location: other.location, note: "first here"))
                continue
            }
            first[key] = bind.place
            listener.bind.append(bind.value)
        }
    }

    // MARK: Upstreams

    private mutating func addUpstreams() {
        for item in unique(draft.upstreams, kind: "upstream") {
            upstreamNames.insert(item.name)
            guard let value = item.value else { continue }
            var upstream = value.config
            upstream.name = item.name
            upstream.location = item.place.location
            upstream.endpoints = value.endpoints.map(\.endpoint)
            upstream.tls = decoder.tls(value.tls, of: value.endpoints)
            config.upstreams.append(upstream)
            upstreamParameters[item.name] = value.parameters
            if value.endpoints.count == 1 {
                let url = value.endpoints[0].canonical
                upstreamsByURL[url] = upstreamsByURL[url] ?? item.name
            }
        }
    }

    /// The name of the upstream that a route or a middleware means; URLs get an entry of their own, once.
    mutating func resolve(_ use: UpstreamUse) -> String? {
        switch use {
        case .name(let name):
            if upstreamNames.contains(name.value) { return name.value }
            if knowsNames(of: "upstreams") {
                decoder.report(
                    at: name.place, "unknown upstream \(name.shown)",
                    help: Suggestion.help(for: name.value, among: draft.upstreams.map(\.name), kind: "upstream"))
            }
            return nil
        case .endpoints(let endpoints, let place):
            let key = endpoints.map(\.canonical).joined(separator: ",")
            if let known = upstreamsByURL[key] { return known }
            let name = endpoints.map(\.endpoint.url).joined(separator: ",")
            var upstream = UpstreamConfig(name: name, location: place.location)
            upstream.timeouts = decoder.upstreamTimeouts
            upstream.endpoints = endpoints.map(\.endpoint)
            upstream.tls = decoder.tls(nil, of: endpoints)
            config.upstreams.append(upstream)
            upstreamsByURL[key] = name
            return name
        }
    }

    // MARK: Middleware

    private mutating func addMiddleware() {
        for item in unique(draft.middleware, kind: "middleware") {
            middlewareNames.insert(item.name)
            if let value = item.value { add(value, name: item.name, location: item.place.location) }
        }
    }

    private mutating func add(_ draft: MiddlewareDraft, name: String, location: Location) {
        middlewareParameters[name] = draft.parameters
        let errors = decoder.errorCount
        defer { if draft.isSound, decoder.errorCount == errors { soundMiddleware.insert(name) } }
        switch draft.kind {
        case .ready(let kind):
            config.middleware.append(NamedMiddleware(name: name, kind: kind, location: location))
        case .forwardAuth(let forward):
            var settings = forward.config
            settings.upstream = forward.upstream.flatMap { resolve($0) } ?? ""
            config.middleware.append(NamedMiddleware(name: name, kind: .forwardAuth(settings), location: location))
        }
    }

    /// The name of a middleware where it is used; an inline one gets an entry under a name made of `owner`.
    mutating func resolve(_ use: MiddlewareUse, owner: String) -> String? {
        switch use {
        case .name(let name):
            if middlewareNames.contains(name.value) { return name.value }
            if knowsNames(of: "middleware") {
                let kinds = MiddlewareChoice.keys.map(\.name)
                let help =
                    kinds.contains(name.value)
                    ? "`\(name.value)` is a kind: write { \(name.value): { … } }, or give it a name under `middleware`"
                    : Suggestion.help(for: name.value, among: draft.middleware.map(\.name), kind: "middleware")
                decoder.report(at: name.place, "unknown middleware \(name.shown)", help: help)
            }
            return nil
        case .inline(let inline):
            var name = "\(owner)/\(inline.kindName)"
            var number = 2
            while middlewareParameters[name] != nil {
                name = "\(owner)/\(inline.kindName)#\(number)"
                number += 1
            }
            add(inline, name: name, location: inline.place.location)
            return name
        }
    }

    // MARK: Names

    /// Items whose name no earlier one has; the others are reported. Two in one file are the reader's to report.
    private func unique<Value>(_ items: [MapItem<Value>], kind: String) -> [MapItem<Value>] {
        var first: [String: Place] = [:]
        return items.filter { item in
            if let other = first[item.name] {
                decoder.report(
                    at: item.place, "the \(kind) `\(item.name)` is defined twice",
                    related: .init(location: other.location, note: "first here"))
                return false
            }
            first[item.name] = item.place
            return true
        }
    }
}
