import Containers
import Linux

/// When to read files with certificates again: once something about them changed and then stayed as it is for a moment, since a
/// certificate and its key are two files.
struct CertificateWatch {
    /// How long files have to stay as they are, in nanoseconds, at most.
    static let settlingTime: Int64 = 500_000_000

    private var paths: [String] = []
    private var interval: Int64?
    /// As the files were when they were last read; nil: nobody knows.
    private var known: [FileIdentity?]?
    /// As they were at the last look, which found something new.
    private var seen: [FileIdentity?]?
    /// When the next look is due; nil: none is.
    private(set) var next: Instant?

    /// A configuration is in force that was read from these files, at some time before.
    ///
    /// - Parameters:
    ///   - identities: of the files before they were read, as far as that is known.
    ///   - interval: nanoseconds between looks; nil: nobody looks.
    mutating func begin(
        _ files: some Sequence<String>, known identities: [String: FileIdentity], interval: Int64?, now: Instant
    ) {
        paths = files.sorted()
        known = identities.isEmpty ? nil : paths.map { identities[$0] }
        seen = nil
        self.interval = interval
        next = paths.isEmpty ? nil : interval.map { now.advanced(by: $0) }
    }

    /// A look. True: the files have to be read; whatever comes of it, they are not read twice in one state.
    mutating func look(now: Instant, _ identity: (String) -> FileIdentity? = { FileIdentity($0) }) -> Bool {
        guard let interval, let due = next, now >= due else { return false }
        let found = paths.map(identity)
        if let known, known == found {
            seen = nil
            next = now.advanced(by: interval)
            return false
        }
        guard let seen, seen == found else {
            self.seen = found
            next = now.advanced(by: min(interval, Self.settlingTime))
            return false
        }
        known = found
        self.seen = nil
        next = now.advanced(by: interval)
        return true
    }
}
