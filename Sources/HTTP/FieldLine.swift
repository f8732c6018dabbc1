/// One field line of a parsed head: where its name and value stand, and what is known of it.
@usableFromInline
package struct FieldLine: Sendable {
    @usableFromInline package var name: ByteRange
    /// Without the optional white space around it.
    @usableFromInline package var value: ByteRange
    @usableFromInline package var known: KnownField
    /// Not forwarded: hop-by-hop, named by `Connection`, replaced by us or removed by a policy.
    @usableFromInline package var isRemoved: Bool

    /// The line stands in the head exactly as it is written: `Name: value CRLF`.
    @usableFromInline package var isNormal: Bool

    /// Its sender wants it in no compression table (RFC 7541 section 7.1.3), whoever passes it on.
    @usableFromInline package var isSensitive: Bool

    @inlinable
    package init(
        name: ByteRange, value: ByteRange, known: KnownField, isNormal: Bool = false, isSensitive: Bool = false
    ) {
        self.name = name
        self.value = value
        self.known = known
        isRemoved = false
        self.isNormal = isNormal
        self.isSensitive = isSensitive
    }
}
