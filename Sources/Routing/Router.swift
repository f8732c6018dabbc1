package import Config
package import Containers
package import HTTP
import RegularExpression

/// Finds the route of a request among those of one listener: the most specific that matches as a whole.
///
/// Immutable and shared by all workers. A request costs what its own host and path cost, however many routes there are, and
/// allocates nothing.
package final class Router: Sendable {
    /// Most named parameters of one path; `RouteCheck` refuses more. A `parameters` array of this capacity is never too small.
    package static let parametersLimit = 32
    /// Most segments of one path; `RouteCheck` refuses more. The search goes at most as deep.
    package static let segmentsLimit = 64

    private struct Capture: Sendable {
        let segment: Int
        let isTail: Bool
    }

    let trie: PathTrie
    let hosts: HostTable
    let conditions: RouteConditions
    /// Expressions of constrained segments.
    let expressions: [RegularExpression]
    /// Root of the trie for any host; -1 without.
    let anyHostRoot: Int32
    /// By position in the given array.
    private let captures: [[Capture]]
    private let names: [[[UInt8]]]
    private let methods: [MethodSet]

    /// - Parameters:
    ///   - routes: those of all listeners; a route's number is its position here.
    ///   - first: those before it are left out.
    package init(_ routes: [RouteConfig], listener: String, from first: Int = 0) {
        let own = routes.enumerated().dropFirst(first).filter { _, route in
            route.listeners.isEmpty || route.listeners.contains(listener)
        }
        let order = RouteRank.order(own.map { (position: $0.offset, route: $0.element) })
        let methods = routes.map { MethodSet($0.methods) }
        var builder = PathTrieBuilder()
        var roots: [(pattern: RouteConfig.HostPattern, root: Int32)] = []
        var rootPlaces: [RouteConfig.HostPattern: Int32] = [:]
        var anyHostRoot: Int32 = -1
        for (place, position) in order.enumerated() {
            let route = routes[position]
            if route.hosts.isEmpty {
                if anyHostRoot < 0 { anyHostRoot = builder.addRoot() }
                builder.insert(route.path, under: anyHostRoot, order: Int32(place))
            }
            for host in Set(route.hosts) {
                let root = rootPlaces[host] ?? builder.addRoot()
                if rootPlaces.updateValue(root, forKey: host) == nil { roots.append((host, root)) }
                builder.insert(route.path, under: root, order: Int32(place))
            }
        }
        var conditions = RouteConditions()
        let built = builder.build { place, trie in
            let position = order[Int(place)]
            let tokens = PathTrie.Places(
                start: Int32(trie.methodTokens.count), count: Int32(methods[position].otherTokens.count))
            for token in methods[position].otherTokens {
                let run = trie.texts.append(token)
                trie.methodTokens.append(run)
            }
            return PathTrie.Candidate(
                order: place, route: Int32(position), methodBits: methods[position].bits, methodTokens: tokens,
                conditions: conditions.append(routes[position]))
        }
        trie = built.trie
        expressions = built.patterns.map(\.expression)
        hosts = HostTable(roots)
        self.conditions = conditions
        self.anyHostRoot = anyHostRoot
        self.methods = methods
        captures = routes.map { Self.captures($0.path) }
        names = routes.map { $0.path.parameterNames.map { Array($0.utf8) } }
    }

    private static func captures(_ path: RouteConfig.Path) -> [Capture] {
        path.segments.enumerated().compactMap { index, segment in
            switch segment {
            case .literal, .tail(nil): nil
            case .parameter, .constrained: Capture(segment: index, isTail: false)
            case .tail: Capture(segment: index, isTail: true)
            }
        }
    }

    /// The route for a request.
    ///
    /// - Parameters:
    ///   - host: canonical (`CanonicalHost`); empty without one.
    ///   - path: canonical (`CanonicalPath`), or `*`, which only a route for every path matches.
    ///   - query: without the `?`; empty without one.
    ///   - bytes: those that the ranges of `head` refer to.
    ///   - parameters: set to the ranges of `path` for the route's named parameters, in their order; those beyond its
    ///     capacity are left out.
    package func match(
        host: Span<UInt8>, path: Span<UInt8>, method: Method, methodBytes: Span<UInt8>, query: Span<UInt8>,
        head: borrowing RequestHead, bytes: Span<UInt8>, parameters: inout FixedArray<ByteRange>
    ) -> RouteMatch {
        parameters.removeAll()
        let request = RoutedRequest(path: path, method: method, methodBytes: methodBytes, query: query, bytes: bytes)
        var search = RouteSearch()
        find(host, request, head, &search)
        guard search.route >= 0 else { return search.isMethodRefused ? .methodNotAllowed : .notFound }
        let route = Int(search.route)
        setParameters(of: route, path, &parameters)
        return .route(route)
    }

    /// Names of a route's parameters in the order of `match`'s ranges.
    package func parameterNames(of route: Int) -> [[UInt8]] { names[route] }

    /// Methods that some route serves at this place, whatever its conditions; for the Allow field of a 405.
    package func allowedMethods(host: Span<UInt8>, path: Span<UInt8>) -> [String] {
        let empty: [UInt8] = []
        let head = RequestHead()
        let request = RoutedRequest(
            path: path, method: .get, methodBytes: empty.span, query: empty.span, bytes: empty.span)
        var search = RouteSearch()
        search.collected = []
        find(host, request, head, &search)
        var allowed: [String] = []
        for route in search.collected ?? [] {
            for name in methods[Int(route)].names where !allowed.contains(name) { allowed.append(name) }
        }
        return allowed.sorted()
    }

    /// Goes over the path once more, since the search does not know which of its ways will be the right one.
    private func setParameters(of route: Int, _ path: Span<UInt8>, _ parameters: inout FixedArray<ByteRange>) {
        let count = path.count
        var segment = 0
        var start = 1
        for index in 0..<captures[route].count where !parameters.isFull {
            let capture = captures[route][index]
            var end = Self.segmentEnd(path, start)
            while segment < capture.segment {
                start = end &+ 1
                end = Self.segmentEnd(path, start)
                segment &+= 1
            }
            let lower = min(start, count)
            parameters.append(ByteRange(start: lower, count: (capture.isTail ? count : end) &- lower))
        }
    }

    private static func segmentEnd(_ path: Span<UInt8>, _ start: Int) -> Int {
        var end = min(start, path.count)
        while end < path.count, path[end] != 0x2F { end &+= 1 }
        return end
    }
}

extension RouteConfig.Path {
    var parameterNames: [String] {
        segments.compactMap { segment in
            switch segment {
            case .literal: nil
            case .parameter(let name), .constrained(let name, _): name
            case .tail(let name): name
            }
        }
    }
}
