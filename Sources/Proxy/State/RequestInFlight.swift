import Synchronization
import Upstream

/// A request's place among those in flight of an endpoint, by which balancing tells a busy one. It holds on to the endpoint itself:
/// a pool that ends, or in which the endpoint stands elsewhere after a reload, does not lose the count.
struct RequestInFlight: ~Copyable {
    private var endpoint: EndpointState?

    /// Counts it, unless it is counted.
    mutating func begin(at endpoint: EndpointState) {
        guard self.endpoint == nil else { return }
        endpoint.inFlight.wrappingAdd(1, ordering: .relaxed)
        self.endpoint = endpoint
    }

    /// Ends what `begin` began; nothing without that.
    mutating func end() {
        endpoint.take()?.inFlight.wrappingSubtract(1, ordering: .relaxed)
    }
}
