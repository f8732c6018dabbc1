import Middleware
import Containers
import EventLoop
import HTTP
import Telemetry

/// One line per exchange in the access log, also for those that no route saw.
extension Worker where Driver: ~Copyable {
    mutating func logExchange(_ exchange: SlabKey) {
        let number = logLane(of: exchange)
        counters.note(status: exchanges[exchange].status)
        guard number >= 0 else { return }
        let route = exchanges[exchange].logNames?.route ?? exchanges[exchange].route?.names.route ?? []
        let upstream = exchanges[exchange].logNames?.upstream ?? poolName(exchange)
        let endpoint = exchanges[exchange].logNames?.endpoint ?? endpointName(exchange)
        if let bytes = exchanges[exchange].requestBytes.take() {
            writeLine(exchange, number, bytes, route: route, upstream: upstream, endpoint: endpoint)
            exchanges[exchange].requestBytes = consume bytes
        } else {
            // Still being decided: the bytes are with the request context.
            var bytes = Buffer(capacity: 1)
            swap(&bytes, &request.bytes)
            writeLine(exchange, number, bytes, route: route, upstream: upstream, endpoint: endpoint)
            swap(&bytes, &request.bytes)
        }
    }

    /// The access log's number, -1: not logged.
    private mutating func logLane(of exchange: SlabKey) -> Int {
        if let lane = exchanges[exchange].logNames?.lane { return lane }
        if let lane = exchanges[exchange].route?.logLane { return lane }
        let use = exchanges[exchange].snapshot
        return snapshots.contains(use) ? snapshots[use].snapshot.logLane : -1
    }

    private mutating func writeLine(
        _ exchange: SlabKey, _ number: Int, _ bytes: borrowing Buffer, route: [UInt8], upstream: [UInt8],
        endpoint: [UInt8]
    ) {
        let record = exchanges[exchange].record(now: driver.now)
        let all = bytes.span
        let head = all.extracting(0..<min(exchanges[exchange].headBytes, all.count))
        let id = all.extracting(exchanges[exchange].requestID.range(within: all.count))
        let identity = all.extracting(exchanges[exchange].identity.range(within: all.count))
        if let answer = exchanges[exchange].responseHead.take() {
            let texts = ExchangeTexts(
                head: head, responseHead: answer.span, requestID: id, route: route.span, upstream: upstream.span,
                endpoint: endpoint.span, identity: identity)
            lanes.append(number, record, texts, now: driver.now)
        } else {
            let texts = ExchangeTexts(
                head: head, responseHead: all.extracting(0..<0), requestID: id, route: route.span,
                upstream: upstream.span, endpoint: endpoint.span, identity: identity)
            lanes.append(number, record, texts, now: driver.now)
        }
    }

    /// Keeps the answer's head where the log's format reads its fields.
    mutating func keepResponseHead(_ exchange: SlabKey, _ head: borrowing Buffer) {
        guard logsResponseFields(exchange) else { return }
        var copy = driver.buffers.take(atLeast: head.count)
        copy.append(head)
        if let old = exchanges[exchange].responseHead.take() { driver.buffers.give(old) }
        exchanges[exchange].responseHead = consume copy
    }

    mutating func logsResponseFields(_ exchange: SlabKey) -> Bool {
        let number = logLane(of: exchange)
        return number >= 0 && lanes.needsResponseFields(number)
    }

    private mutating func poolName(_ exchange: SlabKey) -> [UInt8] {
        let pool = exchanges[exchange].pool
        return pools.contains(pool) ? pools[pool].name : []
    }

    private mutating func endpointName(_ exchange: SlabKey) -> [UInt8] {
        let pool = exchanges[exchange].pool
        let index = exchanges[exchange].endpoint
        guard pools.contains(pool), index >= 0, index < pools[pool].endpointNames.count else { return [] }
        return pools[pool].endpointNames[index]
    }

    /// Copies the names that the line needs: the exchange lets its snapshot go.
    mutating func noteLogNames(_ exchange: SlabKey) {
        exchanges[exchange].logNames = LogNames(
            lane: logLane(of: exchange), route: exchanges[exchange].route?.names.route ?? [],
            upstream: poolName(exchange),
            endpoint: endpointName(exchange))
    }
}

/// What a log line says of an exchange whose snapshot is gone.
struct LogNames {
    let lane: Int
    let route: [UInt8]
    let upstream: [UInt8]
    let endpoint: [UInt8]
}
