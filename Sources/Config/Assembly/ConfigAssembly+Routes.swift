/// What the members of a group have from it.
private struct Inherited {
    var listeners: [String] = []
    var hosts: [RouteConfig.HostPattern] = []
    var segments: [RouteConfig.PathSegment] = []
    /// Path of the groups as written, without a final slash.
    var source = ""
    var methods: [String] = []
    var headers: [RouteConfig.NamedCondition] = []
    var query: [RouteConfig.NamedCondition] = []
    var priority: Int?
    var middleware: [String] = []
    var timeouts = RouteConfig.TimeoutOverrides()
    var accessLog = RouteConfig.AccessLogPolicy.inherit
    /// False: a group's keys have errors, so what its members match is not known.
    var isMatchSound = true
}

extension ConfigAssembly {
    mutating func addRoutes() {
        var inherited = Inherited()
        inherited.middleware = draft.defaults.middleware.compactMap { resolve($0, owner: "defaults") }
        for route in draft.routes { add(route, inherited) }
        if given["routes"] == nil, knowsNames(of: "routes") {
            decoder.report(
                .warning, at: Place(location: Location(file: decoder.inputs.record.path, line: 1, column: 1)),
                "there is no route: every request is answered 404")
        }
    }

    private mutating func add(_ draft: RouteDraft, _ outer: Inherited) {
        let place = Place(location: draft.reading.place.location)
        let errors = decoder.errorCount
        let listeners = draft.listeners.compactMap { listener($0) }
        var inner = outer
        if !draft.listeners.isEmpty { inner.listeners = listeners }
        if !draft.host.isEmpty { inner.hosts = draft.host }
        if !draft.methods.isEmpty { inner.methods = draft.methods }
        inner.headers += draft.headers
        inner.query += draft.query
        inner.priority = draft.priority ?? outer.priority
        inner.timeouts = draft.timeouts.filled(from: outer.timeouts)
        if draft.reading.entries["access_log"] != nil { inner.accessLog = draft.accessLog }
        guard let path = join(outer, draft, place: place) else { return }
        if !draft.isMatchSound || decoder.errorCount != errors { inner.isMatchSound = false }
        if let members = draft.routes {
            inner.segments = path.segments
            inner.source = path.source
            inner.middleware = middleware(draft, outer, owner: path.source.isEmpty ? "group" : path.source)
            for member in members { add(member, inner) }
            return
        }
        let name =
            draft.name?.value
            ?? RouteName.make(
                methods: inner.methods, hosts: inner.hosts, path: path.source, headers: inner.headers,
                query: inner.query,
                listeners: inner.listeners)
        // A path that could not be read was reported; what hangs on it is not looked at.
        let isPathKnown = draft.path != nil || draft.reading.entries["path"] == nil
        let isNew = isPathKnown || draft.name != nil ? checkName(name, draft.name, at: place) : true
        let action = action(draft)
        var route = RouteConfig(name: name, path: path, action: action ?? .upstream(""), location: place.location)
        route.listeners = inner.listeners
        route.hosts = inner.hosts
        route.methods = inner.methods
        route.headers = inner.headers
        route.query = inner.query
        route.priority = inner.priority ?? 0
        route.middleware = middleware(draft, outer, owner: name)
        route.rewrite = draft.rewrite
        route.timeouts = inner.timeouts
        route.accessLog = inner.accessLog
        route.webSocket = draft.websocket
        route.trailers = draft.trailers
        if isPathKnown { checkParameters(route, draft) }
        config.routes.append(route)
        if inner.isMatchSound, isNew || draft.name != nil { soundRoutes.append(route) }
    }

    // MARK: Parts

    private func listener(_ name: Located<String>) -> String? {
        if listenerNames.contains(name.value) { return name.value }
        if knowsNames(of: "listeners"), knowsNames(of: "listen") {
            let names = (given["listen"] == nil ? [] : ["default"]) + draft.listeners.map(\.name)
            decoder.report(
                at: name.place, "unknown listener \(name.shown)",
                help: Suggestion.help(for: name.value, among: names, kind: "listener"))
        }
        return nil
    }

    /// The group's path and the route's own as one.
    private func join(_ outer: Inherited, _ draft: RouteDraft, place: Place) -> RouteConfig.Path? {
        let isGroup = draft.routes != nil
        guard let own = draft.path else {
            // A path that is there but wrong was reported already.
            if isGroup || draft.reading.entries["path"] != nil {
                return .init(segments: outer.segments, hasTrailingSlash: false, source: outer.source)
            }
            return .init(
                segments: outer.segments + [.tail(nil)], hasTrailingSlash: false, source: outer.source + "/*")
        }
        if isGroup, case .tail? = own.value.segments.last {
            decoder.report(
                at: own.place, "the path of a group is a prefix: nothing can follow `*` or `{name...}`",
                help: "leave it out; the members say what follows")
            return nil
        }
        var path = RouteConfig.Path(
            segments: outer.segments + own.value.segments, hasTrailingSlash: own.value.hasTrailingSlash,
            source: outer.source + own.value.source)
        if isGroup {
            path.hasTrailingSlash = false
            while path.source.hasSuffix("/") { path.source.removeLast() }
        }
        var names: Set<String> = []
        for name in path.parameterNames where !names.insert(name).inserted {
            decoder.report(at: own.place, "the parameter `\(name)` stands in the path of the group already")
        }
        if path.parameterNames.count > PathText.parametersMax {
            decoder.report(at: own.place, "more than \(PathText.parametersMax) parameters")
        }
        return path
    }

    private mutating func middleware(_ draft: RouteDraft, _ outer: Inherited, owner: String) -> [String] {
        var names = outer.middleware
        for skipped in draft.skip {
            if !middlewareNames.contains(skipped.value) {
                _ = resolve(.name(skipped), owner: owner)
            } else if !names.contains(skipped.value) {
                decoder.report(.warning, at: skipped.place, "\(skipped.shown) does not run here anyway")
            }
            names.removeAll { $0 == skipped.value }
        }
        for use in draft.middleware {
            guard let name = resolve(use, owner: owner) else { continue }
            if names.contains(name) {
                decoder.report(.warning, at: use.place, "`\(name)` runs on this route already; it runs once")
                continue
            }
            names.append(name)
        }
        return names
    }

    private mutating func action(_ draft: RouteDraft) -> RouteConfig.Action? {
        if let upstream = draft.upstream { return resolve(upstream).map { .upstream($0) } }
        if let redirect = draft.redirect, let to = redirect.to { return .redirect(to: to, status: redirect.status) }
        return draft.respond.map { .respond($0.response) }
    }

    // MARK: Checks

    /// Whether no earlier route has the name.
    private mutating func checkName(_ name: String, _ given: Located<String>?, at place: Place) -> Bool {
        let place = given?.place ?? place
        if let first = routeNames[name] {
            decoder.report(
                at: place,
                given.map { "two routes have the name \($0.shown)" } ?? "two routes match the same: `\(name)`",
                help: given != nil ? nil : "give one of them a `name:` and a `priority:`, or remove it",
                related: .init(location: first, note: "first here"))
            return false
        }
        routeNames[name] = place.location
        return true
    }

    /// Every `{path.NAME}` must be a parameter of the route that uses it.
    private func checkParameters(_ route: RouteConfig, _ draft: RouteDraft) {
        let known = route.path.parameterNames
        for use in draft.parameters where !known.contains(use.value) {
            let help =
                known.isEmpty
                ? "write {\(use.value)} as a segment of `path`"
                : Suggestion.nearest(to: use.value, among: known).map { "did you mean `path.\($0)`?" }
                    ?? "parameters of the path: \(known.joined(separator: ", "))"
            decoder.report(at: use.place, "the path `\(route.path.source)` has no parameter `\(use.value)`", help: help)
        }
        for name in route.middleware {
            for use in middlewareParameters[name] ?? [] where !known.contains(use.value) {
                reportForeign(use, "the middleware `\(name)`", draft.place(of: name), route)
            }
        }
        if case .upstream(let name) = route.action {
            for use in upstreamParameters[name] ?? [] where !known.contains(use.value) {
                reportForeign(use, "the upstream `\(name)`", draft.reading.key("upstream"), route)
            }
        }
    }

    private func reportForeign(_ use: Located<String>, _ user: String, _ place: Place?, _ route: RouteConfig) {
        let place = place ?? Place(location: route.location)
        decoder.report(
            at: place,
            "\(user) uses `path.\(use.value)`, and the path `\(route.path.source)` has no parameter `\(use.value)`",
            related: .init(location: use.place.location, note: "used here"))
    }
}

extension RouteDraft {
    /// Where a middleware of this name is used; nil: it comes from a group or the defaults.
    fileprivate func place(of name: String) -> Place? {
        for use in middleware {
            if case .name(let found) = use, found.value == name { return found.place }
            if case .inline(let inline) = use, name.hasSuffix("/" + inline.kindName) { return inline.place }
        }
        return nil
    }
}

/// The name of a route that has none: what it matches.
enum RouteName {
    static func make(
        methods: [String], hosts: [RouteConfig.HostPattern], path: String, headers: [RouteConfig.NamedCondition],
        query: [RouteConfig.NamedCondition], listeners: [String]
    ) -> String {
        var name = methods.isEmpty ? "" : methods.joined(separator: ",") + " "
        name += hosts.map { host in
            switch host {
            case .exact(let text): text
            case .wildcard(let suffix): "*.\(suffix)"
            }
        }.joined(separator: ",")
        name += path
        for condition in headers { name += " header." + text(condition) }
        for condition in query { name += " query." + text(condition) }
        if !listeners.isEmpty { name += " @" + listeners.joined(separator: ",") }
        return name
    }

    private static func text(_ condition: RouteConfig.NamedCondition) -> String {
        switch condition.condition {
        case .equals: "\(condition.name)=\(condition.written)"
        case .present(let isPresent): isPresent ? condition.name : "!\(condition.name)"
        case .regex: "\(condition.name)~\(condition.written)"
        }
    }
}
