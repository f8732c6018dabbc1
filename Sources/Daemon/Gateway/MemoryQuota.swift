import Linux

/// How much memory this machine, or the container we are in, leaves to buffers.
enum MemoryQuota {
    /// Half of the machine's memory, or of the control group's limit when that is smaller: sockets of the kernel count there too.
    static func buffers() -> Int {
        buffers(
            machine: ControlGroup.text("/proc/meminfo") ?? "", groups: ControlGroup.own, read: ControlGroup.text)
    }

    /// - Parameters:
    ///   - machine: /proc/meminfo.
    ///   - groups: /proc/self/cgroup.
    ///   - read: gives the contents of a file, nil without it.
    static func buffers(machine: String, groups: String, read: (String) -> String?) -> Int {
        var limit = total(machine) ?? .max
        for folder in ControlGroup.folders(groups, controller: "memory") {
            switch folder {
            case .unified(let path):
                // `max` is no number.
                limit = min(limit, number(read("\(path)/memory.max")) ?? limit)
                limit = min(limit, number(read("\(path)/memory.high")) ?? limit)
            case .legacy(let path):
                limit = min(limit, number(read("\(path)/memory.limit_in_bytes")) ?? limit)
            }
        }
        return limit == .max ? .max : limit / 2
    }

    /// `MemTotal:       16384 kB`.
    private static func total(_ text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix("MemTotal:") {
            let words = line.split(separator: " ")
            guard words.count > 1, let kilobytes = Int(words[1]), kilobytes > 0, kilobytes < 1 << 50 else { return nil }
            return kilobytes * 1_024
        }
        return nil
    }

    private static func number(_ text: String?) -> Int? {
        guard let text, let value = Int(text.prefix { $0 != "\n" }), value > 0 else { return nil }
        return value
    }
}
