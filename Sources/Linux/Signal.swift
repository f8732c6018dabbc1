/// The signals that the daemon gives a meaning to.
package enum Signal: Int32, Sendable, CaseIterable {
    case hangup = 1
    case interrupt = 2
    case quit = 3
    case abort = 6
    case kill = 9
    case user1 = 10
    case pipe = 13
    case terminate = 15
    case child = 17
    case fileSize = 25
}
