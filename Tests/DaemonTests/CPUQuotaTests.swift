import Testing

@testable import Daemon

@Suite struct CPUQuotaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var allowed: Int
        var groups: String
        var files: [String: String] = [:]
        var expected: Int
        var testDescription: String { what }
    }

    static let cases = [
        Case(what: "no control group", allowed: 8, groups: "", expected: 8),
        Case(
            what: "no quota", allowed: 8, groups: "0::/a\n", files: ["/sys/fs/cgroup/a/cpu.max": "max 100000\n"],
            expected: 8),
        Case(
            what: "two CPUs", allowed: 8, groups: "0::/a\n", files: ["/sys/fs/cgroup/a/cpu.max": "200000 100000\n"],
            expected: 2),
        Case(
            what: "one and a half", allowed: 8, groups: "0::/a\n",
            files: ["/sys/fs/cgroup/a/cpu.max": "150000 100000\n"], expected: 2),
        Case(
            what: "a tenth", allowed: 8, groups: "0::/a\n", files: ["/sys/fs/cgroup/a/cpu.max": "10000 100000\n"],
            expected: 1),
        Case(
            what: "more than there are", allowed: 2, groups: "0::/\n",
            files: ["/sys/fs/cgroup/cpu.max": "800000 100000\n"], expected: 2),
        Case(
            what: "the parent's quota is smaller", allowed: 8, groups: "0::/a/b\n",
            files: ["/sys/fs/cgroup/a/b/cpu.max": "400000 100000", "/sys/fs/cgroup/a/cpu.max": "100000 100000"],
            expected: 1),
        Case(
            what: "the first version", allowed: 8, groups: "5:cpu,cpuacct:/x\n4:memory:/y\n",
            files: [
                "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "300000\n",
                "/sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
            ],
            expected: 3),
        Case(
            what: "the first version without a quota", allowed: 8, groups: "5:cpu:/\n",
            files: ["/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"],
            expected: 8),
        Case(
            what: "nonsense", allowed: 3, groups: "0::/a\nx\n::\n", files: ["/sys/fs/cgroup/a/cpu.max": "0 0 0"],
            expected: 3),
    ]

    @Test("workers fit the affinity mask and the smallest quota on the way", arguments: cases)
    func workers(row: Case) {
        #expect(CPUQuota.workers(allowed: row.allowed, groups: row.groups) { row.files[$0] } == row.expected)
    }

    @Test("there is always a worker on this machine")
    func here() {
        #expect(CPUQuota.workers() >= 1)
    }
}
