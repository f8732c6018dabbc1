private import CRE2

/// A regular expression on bytes: RE2 syntax, Latin-1, matched in time linear in the input.
///
/// Immutable, and safe to use from every worker at once; matching allocates nothing once the automaton is warm. A class,
/// since the compiler loops over optionals of a struct with an imported reference inside (Swift 6.3.1).
package final class RegularExpression: Sendable {
    /// About what one expression may use, its automaton included: a large one becomes slower, never larger.
    private static let memoryLimit: Int64 = 1 << 20

    private let compiled: CRE2Expression

    /// Compiles a pattern of ASCII characters; other bytes are written `\xE9`.
    package init(_ pattern: String) throws(RegularExpressionError) {
        let bytes = Array(pattern.utf8)
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            // Latin-1 would read each byte of such a character as a character of its own.
            throw RegularExpressionError(message: #"only ASCII characters can stand here; write another byte as \xE9"#)
        }
        var message = [CChar](repeating: 0, count: 256)
        let capacity = message.count
        // SAFETY: both arrays outlive the call, their counts are passed, and the shim keeps neither pointer.
        let expression = unsafe bytes.withUnsafeBufferPointer { pattern in
            unsafe message.withUnsafeMutableBufferPointer { message in
                unsafe message.baseAddress.flatMap { text in
                    unsafe cre2_create(pattern.baseAddress, pattern.count, Self.memoryLimit, text, capacity)
                }
            }
        }
        guard let expression else {
            let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw RegularExpressionError(message: String(decoding: text, as: UTF8.self))
        }
        compiled = expression
    }

    /// Whether the whole of `bytes` matches.
    package func matchesFully(_ bytes: Span<UInt8>) -> Bool {
        // SAFETY: the pointer is used only inside the call, with the span's own count.
        unsafe bytes.withUnsafeBufferPointer { unsafe cre2_matches(compiled, $0.baseAddress, $0.count, true) }
    }

    /// Whether any part of `bytes` matches.
    package func isFound(in bytes: Span<UInt8>) -> Bool {
        // SAFETY: as in `matchesFully`.
        unsafe bytes.withUnsafeBufferPointer { unsafe cre2_matches(compiled, $0.baseAddress, $0.count, false) }
    }

    /// Whether it is certain that no bytes match both expressions: `fully` both from end to end, else anywhere.
    ///
    /// False says nothing. Slow; for checks of a configuration.
    package func isDisjoint(from other: RegularExpression, fully: Bool) -> Bool {
        cre2_are_disjoint(compiled, other.compiled, fully)
    }
}
