import Config
import Containers
import Net
import Synchronization

@testable import Upstream

let second: Int64 = 1_000_000_000

func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * Double(second))) }

/// An endpoint 10.0.0.`number`:80.
func endpoint(_ number: Int, weight: Int = 1, backup: Bool = false) -> UpstreamConfig.Endpoint {
    var endpoint = UpstreamConfig.Endpoint(
        url: "http://10.0.0.\(number):80",
        target: .address(.ip(.v4(0x0A00_0000 + UInt32(number)), port: 80)), authority: "10.0.0.\(number):80")
    endpoint.weight = weight
    endpoint.isBackup = backup
    return endpoint
}

func named(_ name: String, port: UInt16 = 80) -> UpstreamConfig.Endpoint {
    UpstreamConfig.Endpoint(
        url: "http://\(name):\(port)", target: .name(name, port: port), authority: "\(name):\(port)")
}

func configuration(
    _ endpoints: [UpstreamConfig.Endpoint], _ balance: UpstreamConfig.Balance = .roundRobin,
    change: (inout UpstreamConfig) -> Void = { _ in }
) -> UpstreamConfig {
    var config = UpstreamConfig(name: "test", location: Location(file: "test.yaml", line: 1, column: 1))
    config.endpoints = endpoints
    config.balance = balance
    change(&config)
    return config
}

func upstream(
    _ endpoints: [UpstreamConfig.Endpoint], _ balance: UpstreamConfig.Balance = .roundRobin,
    change: (inout UpstreamConfig) -> Void = { _ in }
) -> UpstreamState {
    UpstreamState.make(config: configuration(endpoints, balance, change: change), previous: nil)
}

/// Lets an endpoint refuse until it is set aside.
func setAside(_ endpoint: EndpointState, at now: Instant) {
    for _ in 0..<EndpointState.failuresLimit { endpoint.noteConnectFailure(now: now) }
}

/// A balancer with its random source: one worker's view.
struct Picker: ~Copyable {
    let upstream: UpstreamState
    var random: RandomSource
    var balancer: Balancer

    init(_ upstream: UpstreamState, seed: UInt64 = 1) {
        self.upstream = upstream
        random = RandomSource(seed: seed)
        balancer = Balancer(upstream, random: &random)
    }

    mutating func pick(now: Instant = at(1), key: UInt64 = 0, tried: [Int] = []) -> Int? {
        var set = TriedEndpoints()
        for index in tried { set.insert(index) }
        return balancer.pick(upstream, now: now, random: &random, key: key, tried: set)
    }

    mutating func picks(_ count: Int, now: Instant = at(1)) -> [Int?] {
        var all: [Int?] = []
        for _ in 0..<count { all.append(pick(now: now)) }
        return all
    }

    mutating func histogram(_ count: Int, now: Instant = at(1)) -> [Int] {
        var counts = Array(repeating: 0, count: upstream.endpoints.count)
        for _ in 0..<count {
            if let index = pick(now: now) { counts[index] += 1 }
        }
        return counts
    }
}

let everyBalance: [UpstreamConfig.Balance] = [.roundRobin, .leastRequests, .powerOfTwo, .random, .hash([])]

extension UpstreamState {
    /// As the engine counts a request that is given to an endpoint.
    func beginRequest(endpoint index: Int) { endpoints[index].inFlight.wrappingAdd(1, ordering: .relaxed) }
    func endRequest(endpoint index: Int) { endpoints[index].inFlight.wrappingSubtract(1, ordering: .relaxed) }
}
