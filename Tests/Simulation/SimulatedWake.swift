import Synchronization

/// Makes the simulated driver say `woken`, from wherever an inbox is posted to.
package final class SimulatedWake: Sendable {
    private let isSet = Atomic<Bool>(false)

    package init() {}

    package func signal() { isSet.store(true, ordering: .releasing) }

    func take() -> Bool { isSet.exchange(false, ordering: .acquiring) }
}
