import Containers

/// How one end of an HTTP/2 connection opens its windows.
struct HTTP2Pace {
    /// SETTINGS_INITIAL_WINDOW_SIZE.
    var streamWindow = 65_535
    /// SETTINGS_HEADER_TABLE_SIZE.
    var tableSize = 4_096
    var connectionWindow = 65_535
    /// To what a window is opened that is nearly shut.
    var target = 65_535
    /// Time after which windows are given back, at most.
    var latest = 0
    /// They are given back in three parts.
    var drops = false

    init(_ network: SimulatedNetwork) {
        if network.happens(.windowSmall) {
            streamWindow = [0, 1, 100, 5_000, 1_000_000][network.random.below(5)]
            tableSize = [0, 100, 4_096, 65_536][network.random.below(4)]
            target = [1_000, 20_000, 65_535][network.random.below(3)]
        }
        if network.random.below(2) == 0 { connectionWindow = 1_000_000 }
        if network.decides(.windowLate) {
            latest = [1_000_000, 20_000_000, 200_000_000][network.random.below(3)]
            if latest > 100_000_000 { target = max(target, 20_000) }
        }
        drops = network.happens(.windowDrops)
    }

    mutating func changeSettings(_ random: inout RandomSource) {
        streamWindow = [0, 1, 3_000, 65_535, 200_000][random.below(5)]
        tableSize = [0, 60, 300, 4_096][random.below(4)]
    }
}
