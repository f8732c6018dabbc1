import Testing

@testable import Daemon

@Suite struct MemoryQuotaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var groups: String
        var files: [String: String] = [:]
        /// MiB for buffers; the machine has 1000.
        var expected: Int
        var testDescription: String { what }
    }

    static let cases = [
        Case(what: "no control group", groups: "", expected: 500),
        Case(what: "no limit", groups: "0::/a\n", files: ["/sys/fs/cgroup/a/memory.max": "max\n"], expected: 500),
        Case(
            what: "a limit", groups: "0::/a\n", files: ["/sys/fs/cgroup/a/memory.max": "\(256 << 20)\n"], expected: 128),
        Case(
            what: "the group is slowed down before its limit", groups: "0::/a\n",
            files: ["/sys/fs/cgroup/a/memory.max": "\(256 << 20)\n", "/sys/fs/cgroup/a/memory.high": "\(64 << 20)\n"],
            expected: 32),
        Case(
            what: "the parent's limit is smaller", groups: "0::/a/b\n",
            files: ["/sys/fs/cgroup/a/b/memory.max": "\(512 << 20)", "/sys/fs/cgroup/a/memory.max": "\(128 << 20)"],
            expected: 64),
        Case(
            what: "more than there is", groups: "0::/\n", files: ["/sys/fs/cgroup/memory.max": "\(4000 << 20)"],
            expected: 500),
        Case(
            what: "the first version", groups: "9:memory:/x\n5:cpu:/y\n",
            files: ["/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "\(100 << 20)\n"], expected: 50),
        Case(
            what: "the first version without a limit", groups: "9:memory:/x\n",
            files: ["/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n"], expected: 500),
        Case(what: "nonsense", groups: "0::/a\nx\n::\n", files: ["/sys/fs/cgroup/a/memory.max": "-5"], expected: 500),
    ]

    @Test("buffers get half of the machine's memory or of the smallest limit on the way", arguments: cases)
    func buffers(row: Case) {
        let machine = "MemTotal:        \(1000 << 10) kB\nMemFree:  5 kB\n"
        let bytes = MemoryQuota.buffers(machine: machine, groups: row.groups) { row.files[$0] }
        #expect(bytes == row.expected << 20)
    }

    @Test("a machine that says nothing has no limit")
    func nothing() {
        #expect(MemoryQuota.buffers(machine: "", groups: "") { _ in nil } == .max)
        #expect(MemoryQuota.buffers() < .max)
    }
}
