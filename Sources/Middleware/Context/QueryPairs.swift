/// Walks the pairs of a query: split on `&` only, name before the first `=`, nothing decoded.
struct QueryPairs {
    struct Pair: Equatable {
        /// The whole pair.
        let all: Range<Int>
        let name: Range<Int>
        /// Empty at the end of the pair when there is no `=`.
        let value: Range<Int>
    }

    private var at = 0

    /// The next pair that is not empty.
    mutating func next(in query: Span<UInt8>) -> Pair? {
        while at < query.count {
            let start = at
            var equals: Int?
            while at < query.count && query[at] != 0x26 {
                if query[at] == 0x3D && equals == nil { equals = at }
                at += 1
            }
            let end = at
            at += 1
            if end == start { continue }
            return Pair(all: start..<end, name: start..<(equals ?? end), value: (equals.map { $0 + 1 } ?? end)..<end)
        }
        return nil
    }
}
