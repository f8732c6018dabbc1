/// What the middleware around the limiter saw, in the order in which it happened.
package enum LimiterProbe: Sendable {
    case asks(nonce: String, group: String, now: Int64, interval: Int64, tolerance: Int64)
    case passed(nonce: String)
}

/// One bucket for each group, over all workers and configurations: what the limiter must have decided.
final class LimiterModel {
    private let network: SimulatedNetwork
    private let shadow: ShadowModel
    /// When each group's debt is paid.
    private var paidAt: [String: Int64] = [:]
    private(set) var refused = 0

    init(network: SimulatedNetwork, shadow: ShadowModel) {
        self.network = network
        self.shadow = shadow
    }

    func follow(_ probes: [LimiterProbe]) {
        var index = 0
        while index < probes.count {
            guard case .asks(let nonce, let group, let now, let interval, let tolerance) = probes[index] else {
                network.violate("passed a limiter that was not asked")
                return
            }
            index += 1
            var hasPassed = false
            if index < probes.count, case .passed(nonce) = probes[index] {
                hasPassed = true
                index += 1
            }
            let debt = max(paidAt[group] ?? now, now) - now + interval
            let mayPass = debt <= tolerance
            if mayPass { paidAt[group] = now + debt } else { refused += 1 }
            shadow.limited(nonce, mayPass: mayPass)
            if mayPass != hasPassed {
                network.violate("\(nonce): the limiter \(hasPassed ? "let it pass" : "refused it") with debt \(debt)")
            }
        }
    }
}
