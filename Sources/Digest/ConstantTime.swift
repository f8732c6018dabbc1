private import COpenSSL

/// Comparison of secrets.
package enum ConstantTime {
    /// Whether both runs of bytes are equal. The time it takes depends on the counts alone, never on the content.
    package static func equals(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        let count = left.count
        guard count == right.count else { return false }
        // SAFETY: both spans have `count` readable bytes; the pointers end with the closures.
        return unsafe left.withUnsafeBufferPointer { first in
            unsafe right.withUnsafeBufferPointer { second in
                guard let one = first.baseAddress, let other = second.baseAddress else { return true }
                return unsafe cossl_equal(one, other, count) == 1
            }
        }
    }
}
