import Linux

/// What the signals that arrived since the last look ask for. However many came, each demand is made once.
struct Demands: Equatable {
    /// Stop serving, in peace the first time.
    var stop = false
    /// Stop at once.
    var stopNow = false
    var reload = false
    var reopenLogs = false
    /// Pids whose signals were not heeded.
    var strangers: [Int32] = []

    /// - Parameter supervisor: the only one whose signals count; nil: everybody's do. A service manager that signals all
    ///   processes of a service would otherwise be heard twice, and the second SIGTERM means "at once".
    mutating func add(_ signal: Signal, from sender: Int32, supervisor: Int32?) {
        if let supervisor, sender != supervisor {
            if !strangers.contains(sender) { strangers.append(sender) }
            return
        }
        switch signal {
        case .terminate, .interrupt: stop = true
        case .quit: stopNow = true
        case .hangup: reload = true
        case .user1: reopenLogs = true
        case .kill, .abort, .pipe, .child, .fileSize: break
        }
    }
}
