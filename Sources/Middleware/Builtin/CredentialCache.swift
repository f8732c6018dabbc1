internal import Containers
private import Digest
private import Synchronization

/// Credentials that were right a while ago, so that not every request pays for a password hash.
///
/// It holds no passwords: only SHA-256 digests of them with a secret of this process around, so that neither memory
/// dumps nor chosen credentials are of use. What is looked for includes the stored hash: changing a user's password
/// makes the old one unknown at once. Bounded; the entry that ends first gives way.
final class CredentialCache: Sendable {
    static let capacity = 4096
    private static let ways = 8

    private struct Entry {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var end: Int64 = .min
    }

    private let entries = Mutex<[Entry]>([])
    private let secret: [UInt8]

    init() {
        var generator = SystemRandomNumberGenerator()
        secret = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// The name of credentials in here. `scratch` holds them decoded (`user:password`) and nothing else; it needs room
    /// for the hash and twice the secret behind them.
    func digest(_ scratch: inout Buffer, hash: Span<UInt8>) -> InlineArray<32, UInt8>? {
        let count = scratch.count
        let secret = secret
        guard scratch.tailroom >= hash.count + 1 + secret.count else { return nil }
        // The hash has no NUL, so the last one is a border; the secret stands at the end, where no length extension
        // helps.
        scratch.append(0)
        scratch.append(hash)
        scratch.append(secret.span)
        let digest = SHA256.digest(scratch.span)
        scratch.keepFirst(count)
        return digest
    }

    func contains(_ digest: InlineArray<32, UInt8>, now: Instant) -> Bool {
        entries.withLock { entries in
            guard !entries.isEmpty else { return false }
            var isFound = false
            for index in Self.set(of: digest) where entries[index].end > now.nanoseconds {
                if ConstantTime.equals(entries[index].digest.span, digest.span) { isFound = true }
            }
            return isFound
        }
    }

    func insert(_ digest: InlineArray<32, UInt8>, until end: Instant) {
        entries.withLock { entries in
            if entries.isEmpty { entries = Array(repeating: Entry(), count: Self.capacity) }
            let set = Self.set(of: digest)
            var oldest = set.lowerBound
            for index in set {
                if ConstantTime.equals(entries[index].digest.span, digest.span) {
                    oldest = index
                    break
                }
                if entries[index].end < entries[oldest].end { oldest = index }
            }
            entries[oldest] = Entry(digest: digest, end: end.nanoseconds)
        }
    }

    private static func set(of digest: InlineArray<32, UInt8>) -> Range<Int> {
        let start = (Int(digest[0]) << 8 | Int(digest[1])) % (capacity / ways) * ways
        return start..<(start + ways)
    }
}
