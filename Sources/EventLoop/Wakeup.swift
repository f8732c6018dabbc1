package import Linux

/// Wakes a worker's driver from any thread.
package final class Wakeup: Sendable {
    private let event: EventFD

    package init() throws(Errno) {
        event = try EventFD()
    }

    var number: Int32 { event.number }

    package func signal() { event.signal() }

    func clear() { event.clear() }
}
