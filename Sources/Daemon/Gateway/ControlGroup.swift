import Linux

/// The files of the control groups that this process is in, and of the groups around them: the smallest limit on the way to the
/// root counts.
enum ControlGroup {
    private static let fileLimit = 64 * 1024

    /// Folders below a controller's root, with what they are of.
    enum Folder: Equatable {
        /// Of the one hierarchy of version 2.
        case unified(String)
        /// Of one or more controllers of version 1, with the roots where these usually are.
        case legacy(String)
    }

    /// Folders that may have limits of `controller`, the innermost not first. `groups` is /proc/self/cgroup.
    static func folders(_ groups: String, controller: String) -> [Folder] {
        var folders: [Folder] = []
        for group in groups.split(separator: "\n") {
            let parts = group.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for folder in ancestors(String(parts[2])) {
                if parts[0] == "0" {
                    folders += ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map { .unified("\($0)\(folder)") }
                } else if parts[1].split(separator: ",").contains(Substring(controller)) {
                    folders += Set([controller, String(parts[1])]).sorted().map {
                        .legacy("/sys/fs/cgroup/\($0)\(folder)")
                    }
                }
            }
        }
        return folders
    }

    /// `/a/b`, `/a` and the root.
    private static func ancestors(_ path: String) -> [String] {
        var folders = [""]
        var folder = ""
        for part in path.split(separator: "/").prefix(64) {
            folder += "/" + part
            folders.append(folder)
        }
        return folders
    }

    static var own: String { text("/proc/self/cgroup") ?? "" }

    static func text(_ path: String) -> String? {
        guard let bytes = try? FileAccess.contents(ofPath: path, limit: fileLimit) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
