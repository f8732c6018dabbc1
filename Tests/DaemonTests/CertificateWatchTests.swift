import Containers
import Linux
import Testing

@testable import Daemon

/// When files with certificates are read again.
@Suite struct CertificateWatchTests {
    private static let second: Int64 = 1_000_000_000

    private static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    /// Two files, of which the watch knows.
    private final class Disk {
        let names: [String]
        var watch = CertificateWatch()

        init() throws {
            let stem = "/tmp/martlet-test-\(Process.id)-\(Clock.randomSeed())"
            names = [stem + ".pem", stem + ".key"]
            for name in names { try write(name, "old") }
            var known: [String: FileIdentity] = [:]
            for name in names { known[name] = FileIdentity(name) }
            #expect(known.count == 2)
            watch.begin(names, known: known, interval: 5 * CertificateWatchTests.second, now: at(0))
        }

        deinit {
            for name in names { try? SocketFile.remove(name) }
        }

        func write(_ name: String, _ text: String) throws {
            try FileAccess.replaceFile(name, with: Array(text.utf8))
        }
    }

    @Test func `Files that stay as they are are not read`() throws {
        let disk = try Disk()
        #expect(disk.watch.next == Self.at(5))
        let isEarly = disk.watch.look(now: Self.at(4.9))
        let first = disk.watch.look(now: Self.at(5))
        let second = disk.watch.look(now: Self.at(10))
        #expect(!isEarly && !first && !second)
        #expect(disk.watch.next == Self.at(15))
    }

    @Test func `What changed is read once it stays as it is for a moment, and not twice`() throws {
        let disk = try Disk()
        try disk.write(disk.names[0], "new and longer")
        let found = disk.watch.look(now: Self.at(5))
        #expect(!found && disk.watch.next == Self.at(5.5))
        // The second file of the pair comes.
        try disk.write(disk.names[1], "new and longer")
        let half = disk.watch.look(now: Self.at(5.5))
        #expect(!half && disk.watch.next == Self.at(6))
        let whole = disk.watch.look(now: Self.at(6))
        #expect(whole && disk.watch.next == Self.at(11))
        let again = disk.watch.look(now: Self.at(11))
        #expect(!again && disk.watch.next == Self.at(16))
    }

    @Test func `A file that goes, comes back, or is another one behind a link, has changed`() throws {
        let disk = try Disk()
        var now = 5.0
        func isRead() -> Bool {
            defer { now += 5.5 }
            return !disk.watch.look(now: Self.at(now)) && disk.watch.look(now: Self.at(now + 0.5))
        }
        try SocketFile.remove(disk.names[0])
        #expect(isRead())
        #expect(!isRead())
        try disk.write(disk.names[0], "old")
        #expect(isRead())
        try disk.write(disk.names[0] + ".new", "old")
        try SocketFile.rename(disk.names[0] + ".new", to: disk.names[0])
        #expect(isRead())
        #expect(!isRead())
    }

    @Test func `Files of which nothing is known are read, since they may have changed before`() throws {
        let disk = try Disk()
        disk.watch.begin(disk.names, known: [:], interval: Self.second, now: Self.at(0))
        let found = disk.watch.look(now: Self.at(1))
        let isRead = disk.watch.look(now: Self.at(1.5))
        #expect(!found && isRead)
    }

    @Test func `Nobody looks where that is switched off, or where there is no file`() throws {
        let disk = try Disk()
        disk.watch.begin(disk.names, known: [:], interval: nil, now: Self.at(0))
        #expect(disk.watch.next == nil && !disk.watch.look(now: Self.at(100)))
        disk.watch.begin([], known: [:], interval: Self.second, now: Self.at(0))
        #expect(disk.watch.next == nil && !disk.watch.look(now: Self.at(100)))
    }
}
