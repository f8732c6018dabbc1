internal import CAres
internal import Glibc
internal import Linux
internal import Net

/// Which addresses this machine has a way to. A name with addresses of both families on a machine without IPv6 would
/// else fail every other connection.
enum RoutableAddresses {
    /// Those of `addresses` that the kernel has a route for; all of them when it has for none. Sends nothing.
    static func among(_ addresses: [IPAddress]) -> [IPAddress] {
        let families = Set(addresses.map(\.bitCount))
        guard families.count > 1 else { return addresses }
        let routable = addresses.filter(hasRoute)
        return routable.isEmpty ? addresses : routable
    }

    private static func hasRoute(_ address: IPAddress) -> Bool {
        let isV4 = address.bitCount == 32
        let number = socket(isV4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return false }
        let socket = FileDescriptor(owning: number)
        // Connecting a datagram socket only looks for a route and a source address.
        switch address {
        case .v4(let octets):
            var target = sockaddr_in()
            target.sin_family = sa_family_t(AF_INET)
            target.sin_port = in_port_t(53).bigEndian
            target.sin_addr.s_addr = octets.bigEndian
            return connects(socket.number, &target)
        case .v6(let high, let low):
            var target = sockaddr_in6()
            target.sin6_family = sa_family_t(AF_INET6)
            target.sin6_port = in_port_t(53).bigEndian
            // SAFETY: writes the sixteen bytes of the address.
            unsafe withUnsafeMutableBytes(of: &target.sin6_addr) { bytes in
                unsafe bytes.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
                unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return connects(socket.number, &target)
        }
    }

    private static func connects<Address>(_ socket: Int32, _ address: inout Address) -> Bool {
        // SAFETY: the structure lives during the call and its size is the one that is told.
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
                unsafe connect(socket, target, socklen_t(MemoryLayout<Address>.size)) == 0
            }
        }
    }
}
