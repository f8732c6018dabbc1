import Linux

/// How many workers this machine, or the container we are in, has CPU time for.
enum CPUQuota {
    private static let fileLimit = 64 * 1024

    /// CPUs of the affinity mask, or fewer when the control group's quota is smaller; at least 1.
    static func workers() -> Int {
        let groups = text("/proc/self/cgroup") ?? ""
        return workers(allowed: Process.allowedCPUs, groups: groups, read: text)
    }

    /// - Parameters:
    ///   - groups: /proc/self/cgroup.
    ///   - read: gives the contents of a file, nil without it.
    static func workers(allowed: Int, groups: String, read: (String) -> String?) -> Int {
        var quota = Double(allowed)
        for group in groups.split(separator: "\n") {
            let parts = group.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for folder in ancestors(String(parts[2])) {
                if parts[0] == "0" {
                    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
                        quota = min(quota, unified(read("\(root)\(folder)/cpu.max")) ?? quota)
                    }
                } else if parts[1].split(separator: ",").contains("cpu") {
                    for root in ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"] {
                        let limit = legacy(
                            read("\(root)\(folder)/cpu.cfs_quota_us"), read("\(root)\(folder)/cpu.cfs_period_us"))
                        quota = min(quota, limit ?? quota)
                    }
                }
            }
        }
        // Half a CPU more is worth a worker: it would idle otherwise.
        return max(1, min(allowed, Int(quota.rounded(.up))))
    }

    /// `/a/b`, `/a` and the root: the smallest quota on the way counts.
    private static func ancestors(_ path: String) -> [String] {
        var folders = [""]
        var folder = ""
        for part in path.split(separator: "/").prefix(64) {
            folder += "/" + part
            folders.append(folder)
        }
        return folders
    }

    /// `max 100000` or `150000 100000`.
    private static func unified(_ text: String?) -> Double? {
        let numbers = (text ?? "").split(whereSeparator: { $0 == " " || $0 == "\n" })
        return numbers.count == 2 ? ratio(numbers[0], numbers[1]) : nil
    }

    private static func legacy(_ quota: String?, _ period: String?) -> Double? {
        guard let quota, let period else { return nil }
        return ratio(quota.prefix { $0 != "\n" }, period.prefix { $0 != "\n" })
    }

    private static func ratio(_ quota: Substring, _ period: Substring) -> Double? {
        guard let quota = Int64(quota), let period = Int64(period), quota > 0, period > 0 else { return nil }
        return Double(quota) / Double(period)
    }

    private static func text(_ path: String) -> String? {
        guard let bytes = try? FileAccess.contents(ofPath: path, limit: fileLimit) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
