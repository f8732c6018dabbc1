import HTTP
import RegularExpression

/// The parts of a request that routes are compared with.
struct RoutedRequest: ~Escapable {
    let path: Span<UInt8>
    let method: Method
    let methodBytes: Span<UInt8>
    let query: Span<UInt8>
    let bytes: Span<UInt8>

    @_lifetime(copy path, copy methodBytes, copy query, copy bytes)
    init(path: Span<UInt8>, method: Method, methodBytes: Span<UInt8>, query: Span<UInt8>, bytes: Span<UInt8>) {
        self.path = path
        self.method = method
        self.methodBytes = methodBytes
        self.query = query
        self.bytes = bytes
    }
}

/// What one search has found so far.
struct RouteSearch {
    /// Order and number of the best route so far.
    var order = Int32.max
    var route: Int32 = -1
    /// A route would match with another method.
    var isMethodRefused = false
    /// Nodes visited.
    var steps = 0
    /// Set: every route that matches by host and path is noted here, and none is found.
    var collected: [Int32]?
}

/// The search: depth first, the more specific child first, and never into a subtree that has nothing better than what was
/// found. It goes back when conditions or methods fail further down.
///
/// A trie's nodes have one way to them each, so that a search visits every node at most once, whatever the path: the work
/// is bounded by the configuration and never grows exponentially with the path's length.
extension Router {
    /// Host patterns in order of their rank; the first whose trie has a match decides.
    @inline(__always)
    func find(
        _ host: Span<UInt8>, _ request: borrowing RoutedRequest, _ head: borrowing RequestHead,
        _ search: inout RouteSearch
    ) {
        let found = hosts.find(host)
        if found.exactRoot >= 0 {
            findInTrie(found.exactRoot, request, head, &search)
            if search.route >= 0 { return }
        }
        var wildcard = found.wildcard
        while wildcard >= 0 {
            let entry = hosts.entries[Int(wildcard)]
            findInTrie(entry.root, request, head, &search)
            if search.route >= 0 { return }
            wildcard = entry.shorter
        }
        if anyHostRoot >= 0 { findInTrie(anyHostRoot, request, head, &search) }
    }

    private func findInTrie(
        _ root: Int32, _ request: borrowing RoutedRequest, _ head: borrowing RequestHead, _ search: inout RouteSearch
    ) {
        if request.path.count > 0, request.path[0] == 0x2F {
            visit(root, 1, request, head, &search)
        } else {
            search.steps &+= 1
            consider(trie.nodes[Int(root)].tail, request, head, &search)
        }
    }

    /// - Parameter start: where the next segment begins; the path's count when it ended with a slash, one more when it ended
    ///   without.
    private func visit(
        _ index: Int32, _ start: Int, _ request: borrowing RoutedRequest, _ head: borrowing RequestHead,
        _ search: inout RouteSearch
    ) {
        let place = Int(index)
        guard trie.nodes[place].best < search.order else { return }
        search.steps &+= 1
        let path = request.path
        guard start < path.count else {
            let node = trie.nodes[place]
            consider(start == path.count ? node.slash : node.exact, request, head, &search)
            consider(node.tail, request, head, &search)
            return
        }
        let node = trie.nodes[place]
        if node.hasChildren { visitChildren(node, place, start, request, head, &search) }
        consider(node.tail, request, head, &search)
    }

    @inline(__always)
    private func visitChildren(
        _ node: PathTrie.Node, _ place: Int, _ start: Int, _ request: borrowing RoutedRequest,
        _ head: borrowing RequestHead, _ search: inout RouteSearch
    ) {
        let path = request.path
        let segment = ScannedSegment(path, from: start)
        let end = segment.end
        if node.hasLiterals {
            let child = trie.literalChild(of: place, path, start, segment)
            if child >= 0 { visit(child, end &+ 1, request, head, &search) }
        }
        guard end > start else { return }
        if node.constrained.count > 0 { visitConstrained(node.constrained, start, end, request, head, &search) }
        if node.parameter >= 0 { visit(node.parameter, end &+ 1, request, head, &search) }
    }

    /// Constrained children are of one rank: all that match are searched, and the order of what they find decides.
    private func visitConstrained(
        _ places: PathTrie.Places, _ start: Int, _ end: Int, _ request: borrowing RoutedRequest,
        _ head: borrowing RequestHead, _ search: inout RouteSearch
    ) {
        let first = Int(places.start)
        for index in first..<(first &+ Int(places.count)) {
            let constrained = trie.constrained[index]
            guard trie.nodes[Int(constrained.child)].best < search.order,
                expressions[Int(constrained.pattern)].matchesFully(request.path.extracting(start..<end))
            else { continue }
            visit(constrained.child, end &+ 1, request, head, &search)
        }
    }

    /// Takes the first candidate that matches by method and conditions, if it is better than what was found.
    @inline(__always)
    private func consider(
        _ places: PathTrie.Places, _ request: borrowing RoutedRequest, _ head: borrowing RequestHead,
        _ search: inout RouteSearch
    ) {
        if places.count > 0 { considerEach(places, request, head, &search) }
    }

    private func considerEach(
        _ places: PathTrie.Places, _ request: borrowing RoutedRequest, _ head: borrowing RequestHead,
        _ search: inout RouteSearch
    ) {
        var index = Int(places.start)
        let end = index &+ Int(places.count)
        while index < end {
            let candidate = trie.candidates[index]
            index &+= 1
            guard candidate.order < search.order else { return }
            if search.collected != nil {
                Self.collect(candidate.route, &search)
                continue
            }
            let isMethodServed = serves(candidate, request)
            if !isMethodServed, search.isMethodRefused { continue }
            if candidate.conditions.count > 0, !holds(candidate.conditions, request, head) { continue }
            if isMethodServed {
                search.order = candidate.order
                search.route = candidate.route
                return
            }
            search.isMethodRefused = true
        }
    }

    // What few routes need is not inlined: the registers and the stack that it wants would be paid for by every request.

    @inline(never)
    private static func collect(_ route: Int32, _ search: inout RouteSearch) {
        search.collected?.append(route)
    }

    @inline(never)
    private func holds(
        _ places: PathTrie.Places, _ request: borrowing RoutedRequest, _ head: borrowing RequestHead
    ) -> Bool {
        conditions.hold(places, query: request.query, head: head, bytes: request.bytes)
    }

    @inline(__always)
    private func serves(_ candidate: PathTrie.Candidate, _ request: borrowing RoutedRequest) -> Bool {
        guard candidate.methodBits & MethodSet.bit(request.method) != 0 else { return false }
        return request.method != .other || candidate.methodTokens.count == 0 || servesToken(candidate, request)
    }

    /// Methods are case-sensitive (RFC 9110 section 9.1).
    @inline(never)
    private func servesToken(_ candidate: PathTrie.Candidate, _ request: borrowing RoutedRequest) -> Bool {
        let first = Int(candidate.methodTokens.start)
        for index in first..<(first &+ Int(candidate.methodTokens.count))
        where trie.texts.equals(trie.methodTokens[index], request.methodBytes) {
            return true
        }
        return false
    }
}
