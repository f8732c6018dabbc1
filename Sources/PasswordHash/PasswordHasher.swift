private import CCrypt
private import Glibc

/// Verifies passwords on one thread: owns the 32 KiB of working memory that crypt_r needs.
///
/// One verification takes from milliseconds to a second, as the hash wants it: never on an event loop.
@safe
package struct PasswordHasher: ~Copyable {
    private let memory: UnsafeMutablePointer<crypt_data>

    package init() {
        // SAFETY: owned by this value alone until `deinit`. The structure is plain bytes for which zero is the
        // documented initial state.
        unsafe memory = .allocate(capacity: 1)
        unsafe memset(memory, 0, MemoryLayout<crypt_data>.size)
    }

    deinit {
        // SAFETY: allocated in `init`; wiped first, since it held passwords.
        unsafe explicit_bzero(memory, MemoryLayout<crypt_data>.size)
        unsafe memory.deallocate()
    }

    /// Whether `password` is the one of `hash`. False also for a hash of another method than ours, a password with a
    /// NUL byte, and one that is too long for the method.
    package mutating func verify(password: Span<UInt8>, hash: String) -> Bool {
        guard let method = PasswordHash.method(of: hash), password.count <= PasswordHash.passwordLimit(method) else {
            return false
        }
        var phrase = InlineArray<512, UInt8>(repeating: 0)
        for index in 0..<password.count {
            guard password[index] != 0 else { return false }
            phrase[index] = password[index]
        }
        return compute(&phrase, hash)
    }

    private mutating func compute(_ phrase: inout InlineArray<512, UInt8>, _ hash: String) -> Bool {
        var bytes = phrase.mutableSpan
        // SAFETY: at most 511 bytes of the phrase were set, so it ends with a NUL; the hash is NUL-terminated for the
        // call; crypt_r writes into `memory` alone, and its result points into it, ends with a NUL and is read before
        // anything else uses the memory. The phrase's memory is wiped before it goes out of scope.
        return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            defer {
                if let start = buffer.baseAddress { unsafe explicit_bzero(start, buffer.count) }
            }
            return unsafe buffer.withMemoryRebound(to: CChar.self) { phrase in
                guard let start = phrase.baseAddress, let result = unsafe crypt_r(start, hash, memory) else {
                    return false
                }
                let count = unsafe strnlen(result, PasswordHash.limit + 1)
                return unsafe Self.equals(UnsafeBufferPointer(start: result, count: count), hash)
            }
        }
    }

    /// Compares in time that depends on the lengths alone. A failure of crypt_r gives a text that begins with `*`,
    /// which no hash of ours does.
    private static func equals(_ result: UnsafeBufferPointer<CChar>, _ hash: String) -> Bool {
        guard result.count == hash.utf8.count else { return false }
        var difference: UInt8 = 0
        var index = 0
        for byte in hash.utf8 {
            // SAFETY: both have the same count, checked above.
            unsafe difference |= UInt8(bitPattern: result[index]) ^ byte
            index += 1
        }
        return difference == 0
    }
}
