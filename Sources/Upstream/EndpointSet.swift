/// A set of an upstream's endpoints, by index: 256 bits, no allocation.
package struct EndpointSet: Sendable {
    /// Endpoints that an upstream may have: `UpstreamConfig.endpointsLimit`, as a constant and not read from another module's
    /// global, which costs a look at whether it is initialised for each question.
    package static var capacity: Int { 256 }

    private var words = InlineArray<4, UInt64>(repeating: 0)

    package init() {}

    package var isEmpty: Bool { words[0] | words[1] | words[2] | words[3] == 0 }

    package var count: Int {
        words[0].nonzeroBitCount + words[1].nonzeroBitCount + words[2].nonzeroBitCount + words[3].nonzeroBitCount
    }

    /// Whether `index` is in the set; false for an index that no endpoint has.
    @inline(__always)
    package func contains(_ index: Int) -> Bool {
        guard index >= 0 && index < Self.capacity else { return false }
        return words[index &>> 6] &>> UInt64(truncatingIfNeeded: index & 63) & 1 != 0
    }

    /// Puts `index` into the set; an index that no endpoint has is ignored.
    @inline(__always)
    package mutating func insert(_ index: Int) {
        guard index >= 0 && index < Self.capacity else { return }
        words[index &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: index & 63)
    }

    package mutating func removeAll() {
        words = InlineArray(repeating: 0)
    }

    /// The smallest member that is at least `lowest`.
    package func first(from lowest: Int) -> Int? {
        guard lowest < Self.capacity else { return nil }
        var word = max(lowest, 0) &>> 6
        var bits = words[word] & (UInt64.max &<< UInt64(truncatingIfNeeded: max(lowest, 0) & 63))
        while bits == 0 {
            word &+= 1
            if word >= words.count { return nil }
            bits = words[word]
        }
        return word &<< 6 | bits.trailingZeroBitCount
    }
}

/// Endpoints that an exchange has been sent to already.
package typealias TriedEndpoints = EndpointSet
