import Config
import Linux
import Net

/// The sockets that the engine listens on now, and how the next configuration's come to be.
struct ListenerSet {
    /// Sockets of one configuration: their description must fit a message to the supervisor.
    static let limit = 512

    private(set) var bound: [BoundListener] = []

    var specs: [ListenSpec] { bound.map(\.spec) }

    /// A set for the listeners of `config`: places that this one has keep their descriptors, others are opened. On failure
    /// everything that was opened is given back.
    func next<Binder: ListenerBinder & ~Copyable>(
        for config: GatewayConfig, binder: inout Binder
    ) throws(BindFailure) -> ListenerSet {
        var result = ListenerSet()
        do throws(BindFailure) {
            for listener in config.allListeners {
                for (ordinal, bind) in listener.bind.enumerated() {
                    let spec = ListenSpec(bind, listener: listener.name, ordinal: ordinal)
                    try result.add(spec, name: listener.name, from: self, binder: &binder)
                }
            }
        } catch {
            discard(result, binder: &binder)
            throw error
        }
        return result
    }

    private mutating func add<Binder: ListenerBinder & ~Copyable>(
        _ spec: ListenSpec, name: String, from current: ListenerSet, binder: inout Binder
    ) throws(BindFailure) {
        guard bound.count < Self.limit else { throw BindFailure(spec, "more than \(Self.limit) listening sockets") }
        let existing = current.bound.filter { $0.spec.place == spec.place }
        if !existing.isEmpty {
            // Asked although we have it: the binder checks the new mode and owner.
            if existing.contains(where: { $0.spec != spec }) {
                for descriptor in try binder.open(spec) { Descriptors.close(descriptor) }
            }
            for var listener in existing {
                listener.name = name
                listener.spec = spec
                bound.append(listener)
            }
            return
        }
        for descriptor in try binder.open(spec) {
            let address = Self.address(spec, descriptor)
            bound.append(BoundListener(name: name, spec: spec, descriptor: descriptor, address: address))
        }
    }

    /// Closes what only `other` has.
    func discard<Binder: ListenerBinder & ~Copyable>(_ other: ListenerSet, binder: inout Binder) {
        let kept = Set(bound.map(\.descriptor))
        let places = Set(bound.map(\.spec.place))
        for listener in other.bound where !kept.contains(listener.descriptor) {
            Descriptors.close(listener.descriptor)
        }
        let unused = other.specs.filter { !places.contains($0.place) }
        if !unused.isEmpty { binder.release(unused) }
    }

    private static func address(_ spec: ListenSpec, _ descriptor: Int32) -> SocketAddress {
        // The kernel knows a socket file only by its temporary name.
        if case .unix(let path) = spec.place { return .unix(path: path) }
        return (try? Socket.localAddress(descriptor)) ?? .ip(.v4(0), port: 0)
    }
}
