/// A set of known fields as one word: asking it costs a shift and a comparison, and no branch per case.
@usableFromInline
package struct KnownFieldSet: ExpressibleByArrayLiteral, Sendable {
    @usableFromInline let bits: UInt64

    @inlinable
    @inline(__always)
    package init(arrayLiteral fields: KnownField...) {
        var bits: UInt64 = 0
        for field in fields { bits |= 1 &<< UInt64(field.rawValue) }
        self.bits = bits
    }

    @inlinable
    @inline(__always)
    package func contains(_ field: KnownField) -> Bool {
        bits &>> UInt64(field.rawValue) & 1 != 0
    }
}
