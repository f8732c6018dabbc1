// Interface first; see the module's owner.
/// An IPv4 or IPv6 address.
package enum IPAddress: Sendable, Equatable, Hashable {
    case v4(UInt32)
    case v6(UInt64, UInt64)
}

package enum SocketAddress: Sendable, Equatable, Hashable {
    case ip(IPAddress, port: UInt16)
    case unix(path: String)
}

package struct CIDRBlock: Sendable, Equatable, Hashable {
    package var address: IPAddress
    package var prefix: Int
    package init(address: IPAddress, prefix: Int) { self.address = address; self.prefix = prefix }
}
