internal import CLinux

/// Messages to a Unix socket that takes datagrams.
package enum Datagram {
    /// How long one may wait for room at the other side, in milliseconds.
    private static let patience: Int32 = 1_000

    /// - Parameters:
    ///   - path: of the socket; with `@` in front, its abstract name.
    ///   - descriptor: one that the other side gets too.
    package static func send(_ text: String, to path: String, descriptor: Int32? = nil) throws(Errno) {
        let bytes = Array(text.utf8)
        // SAFETY: string and array live during the call.
        _ = try Errno.check(unsafe cl_send_datagram(path, bytes, bytes.count, descriptor ?? -1, Self.patience))
    }
}
