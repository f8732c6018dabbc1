/// What passed in one run of bytes of one direction.
package struct WebSocketScan: Equatable, Sendable {
    /// The run ends between two frames: a frame of ours could follow.
    package var isAtBorder = true
    /// Offset behind the last whole frame that ends in the run, nil when none does.
    package var lastBorder: Int?
    /// A close frame passed; no frame follows it.
    package var sawClose = false
    /// Whole data frames, pings and pongs that ended in this run.
    package var dataFrames = 0
    package var pings = 0
    package var pongs = 0

    package init() {}

    /// One data frame was all that passed.
    init(messageOf count: Int) {
        lastBorder = count
        dataFrames = 1
    }
}
