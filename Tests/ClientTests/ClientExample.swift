import Client
import HTTPTypes

struct Order: Codable, Sendable, Equatable {
    var id: Int
    var items: [String]
}

/// Talks to a service that keeps orders.
struct OrderService: Sendable {
    let session: ClientSession
    let base: String

    /// The orders of a customer, or nil when there is no such customer.
    func orders(of customer: String, page: Int) async throws -> [Order]? {
        let response = try await session.get(
            "\(base)/orders", query: [("customer", customer), ("page", "\(page)")],
            headers: [.accept: "application/json"])
        guard response.status != 404 else { return nil }
        return try await response.json(limit: 1_000_000)
    }

    /// Places an order; gives up after two seconds in all.
    func place(_ order: Order) async throws -> Bool {
        let response = try await session.post(
            "\(base)/orders", json: order, timeouts: ClientTimeouts(total: .seconds(2)))
        return response.status == 201
    }

    /// Copies an export to somewhere else without ever holding more of it than a few pieces.
    func copyExport(to url: String) async throws -> Int {
        let export = try await session.get("\(base)/export")
        let answer = try await session.post(url, body: .stream(export.body))
        return answer.status
    }
}
