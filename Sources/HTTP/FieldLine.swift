/// One field line of a parsed head: where its name and value stand, and what is known of it.
package struct FieldLine: Sendable {
    package var name: ByteRange
    /// Without the optional white space around it.
    package var value: ByteRange
    package var known: KnownField
    /// Not forwarded: hop-by-hop, named by `Connection`, replaced by us or removed by a policy.
    package var isRemoved: Bool

    package init(name: ByteRange, value: ByteRange, known: KnownField) {
        self.name = name
        self.value = value
        self.known = known
        isRemoved = false
    }
}
