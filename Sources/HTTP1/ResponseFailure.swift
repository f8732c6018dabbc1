package import HTTP

/// Why a response cannot be believed. The connection it came on must be closed.
package struct ResponseFailure: Error, Equatable {
    /// `responseInvalid` or `responseHeadersTooLarge`.
    package let code: ErrorCode

    package init(_ code: ErrorCode) {
        self.code = code
    }
}
