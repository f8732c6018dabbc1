package import Config
package import Containers
internal import HTTP
internal import Net

/// The key by which requests are told apart (rate limits, hash balancing): a list of variables.
///
/// Every part is written with its length before it, so that different parts never make equal keys. A part that a
/// request does not have is empty: all such requests share one key.
package struct CompiledKey: Sendable {
    private let text: [UInt8]
    private let variables: [CompiledVariable]
    /// IPv6 clients count by this many bits of their address.
    private let ipv6Prefix: Int

    package init(_ variables: [Variable], ipv6Prefix: Int = 128) {
        var text: [UInt8] = []
        self.variables = variables.map { CompiledVariable($0, text: &text) }
        self.text = text
        self.ipv6Prefix = min(max(ipv6Prefix, 0), 128)
    }

    /// Appends the key of a request. A part that has no room is cut; its length still counts.
    package func append(to output: inout Buffer, _ request: borrowing RequestContext) {
        for index in 0..<variables.count {
            let variable = variables[index]
            if variable.kind == .clientIP {
                appendAddress(request.client, to: &output)
                continue
            }
            guard output.tailroom >= 2 else { return }
            output.append(0)
            output.append(0)
            let start = output.count
            _ = request.append(variable.kind, name: text.span.extracting(variable.name), to: &output)
            let count = output.count - start
            output[start - 2] = UInt8(truncatingIfNeeded: count >> 8)
            output[start - 1] = UInt8(truncatingIfNeeded: count)
        }
    }

    /// Appends 4 or 16 bytes; an IPv4 address inside IPv6 counts as the IPv4 address.
    private func appendAddress(_ address: IPAddress, to output: inout Buffer) {
        guard output.tailroom >= 17 else { return }
        switch address.clientKey(v6Prefix: ipv6Prefix) {
        case .v4(let bits): Self.append(UInt64(bits), bytes: 4, to: &output)
        case .v6(let high, let low):
            output.append(16)
            Self.appendRaw(high, bytes: 8, to: &output)
            Self.appendRaw(low, bytes: 8, to: &output)
        }
    }

    private static func append(_ value: UInt64, bytes: Int, to output: inout Buffer) {
        output.append(UInt8(truncatingIfNeeded: bytes))
        appendRaw(value, bytes: bytes, to: &output)
    }

    private static func appendRaw(_ value: UInt64, bytes: Int, to output: inout Buffer) {
        for index in stride(from: bytes - 1, through: 0, by: -1) {
            output.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }
}
