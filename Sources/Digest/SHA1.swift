private import COpenSSL

/// SHA-1 (FIPS 180-4), only for `Sec-WebSocket-Accept` (RFC 6455 section 4.2.2), where it protects nothing.
package enum SHA1 {
    /// The digest of `bytes`.
    package static func digest(_ bytes: Span<UInt8>) -> InlineArray<20, UInt8> {
        var digest = InlineArray<20, UInt8>(repeating: 0)
        var out = digest.mutableSpan
        // SAFETY: OpenSSL reads `source.count` bytes and writes exactly 20; both pointers end with the closures.
        unsafe bytes.withUnsafeBufferPointer { source in
            unsafe out.withUnsafeMutableBufferPointer { target in
                unsafe cossl_sha1(source.baseAddress, source.count, target.baseAddress)
            }
        }
        return digest
    }
}
