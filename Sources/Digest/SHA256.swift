private import COpenSSL

/// SHA-256 (FIPS 180-4) of bytes that lie in memory at once. No allocation, no locks.
package enum SHA256 {
    /// The digest of `bytes`.
    package static func digest(_ bytes: Span<UInt8>) -> InlineArray<32, UInt8> {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var out = digest.mutableSpan
        // SAFETY: OpenSSL reads `source.count` bytes and writes exactly 32; both pointers end with the closures.
        unsafe bytes.withUnsafeBufferPointer { source in
            unsafe out.withUnsafeMutableBufferPointer { target in
                unsafe cossl_sha256(source.baseAddress, source.count, target.baseAddress)
            }
        }
        return digest
    }
}
