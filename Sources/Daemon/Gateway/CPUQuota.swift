import Linux

/// How many workers this machine, or the container we are in, has CPU time for.
enum CPUQuota {
    /// CPUs of the affinity mask, or fewer when the control group's quota is smaller; at least 1.
    static func workers() -> Int {
        workers(allowed: Process.allowedCPUs, groups: ControlGroup.own, read: ControlGroup.text)
    }

    /// - Parameters:
    ///   - groups: /proc/self/cgroup.
    ///   - read: gives the contents of a file, nil without it.
    static func workers(allowed: Int, groups: String, read: (String) -> String?) -> Int {
        var quota = Double(allowed)
        for folder in ControlGroup.folders(groups, controller: "cpu") {
            switch folder {
            case .unified(let path):
                quota = min(quota, unified(read("\(path)/cpu.max")) ?? quota)
            case .legacy(let path):
                quota = min(
                    quota, legacy(read("\(path)/cpu.cfs_quota_us"), read("\(path)/cpu.cfs_period_us")) ?? quota)
            }
        }
        // Half a CPU more is worth a worker: it would idle otherwise.
        return max(1, min(allowed, Int(quota.rounded(.up))))
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
}
