import Containers
import HTTP

/// The last host that this worker brought into its one form: clients of one service send the same one again and again.
struct HostMemo: ~Copyable {
    private static let limit = 256

    private var raw = Buffer(capacity: HostMemo.limit)
    private var canonical = Buffer(capacity: HostMemo.limit)

    init() {}

    /// Fills `host` with the request's host in its one form. False: it is not valid.
    mutating func fill(_ host: inout Buffer, _ head: borrowing RequestHead, _ bytes: borrowing Buffer) -> Bool {
        let authority = head.authority
        if authority.isEmpty { return true }
        if raw.count == Int(authority.count), Self.isSame(raw, bytes, authority) {
            host.append(canonical)
            return true
        }
        guard RequestSteps.fillHost(&host, head, bytes) else { return false }
        if authority.count <= Self.limit, host.count <= Self.limit {
            raw.clear()
            raw.append(bytes, authority.range)
            canonical.clear()
            canonical.append(host)
        }
        return true
    }

    private static func isSame(_ raw: borrowing Buffer, _ bytes: borrowing Buffer, _ range: ByteRange) -> Bool {
        ByteClass.equals(raw.span, bytes.span.extracting(range.range))
    }
}
