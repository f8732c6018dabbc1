private import CCrypt

/// Password hashes in the form of crypt(5).
package enum PasswordHash {
    /// The methods that are slow enough to keep passwords today. Everything older is refused.
    package enum Method: Sendable, Equatable, CaseIterable {
        case bcrypt, sha256, sha512, yescrypt
    }

    /// The method of a hash, nil when it is none of ours or its salt is not well-formed.
    package static func method(of hash: String) -> Method? {
        guard hash.utf8.count <= limit, hash.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A }) else {
            return nil
        }
        guard let method = prefix(of: hash) else { return nil }
        // SAFETY: the string is NUL-terminated for the call; the function only reads it.
        let salt = unsafe crypt_checksalt(hash)
        // SHA-256-crypt counts as legacy, since new hashes should use a better method.
        guard salt == CRYPT_SALT_OK || salt == CRYPT_SALT_METHOD_LEGACY else { return nil }
        return method
    }

    /// Bytes of a hash (`CRYPT_OUTPUT_SIZE` less its NUL).
    static let limit = 383

    private static func prefix(of hash: String) -> Method? {
        let prefixes: [(String, Method)] = [
            ("$2a$", .bcrypt), ("$2b$", .bcrypt), ("$2y$", .bcrypt), ("$5$", .sha256), ("$6$", .sha512),
            ("$y$", .yescrypt),
        ]
        return prefixes.first { hash.utf8.starts(with: $0.0.utf8) }?.1
    }

    /// Most bytes of a password: bcrypt would silently ignore what follows the 72nd.
    static func passwordLimit(_ method: Method) -> Int {
        method == .bcrypt ? 72 : 511
    }
}
