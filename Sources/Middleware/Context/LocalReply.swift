package import HTTP

/// A response that the gateway makes itself.
public struct LocalReply: Sendable {
    /// 200 to 599.
    public var status: Int
    /// Further field lines; framing, Date and the error fields are made by the gateway.
    public var headers: [(name: String, value: String)] = []
    public var body: [UInt8] = []
    public var contentType: String?
    /// Why; `.none` for a reply that is no error (a redirect, a preflight's answer). An error without a body of its own
    /// gets a problem document.
    package var code: ErrorCode = .none
    /// For the problem document; says nothing about the inside.
    public var detail: String = ""

    public init(status: Int) {
        self.status = status
    }

    package init(_ code: ErrorCode, detail: String = "") {
        status = code.row.status
        self.code = code
        self.detail = detail
    }
}
