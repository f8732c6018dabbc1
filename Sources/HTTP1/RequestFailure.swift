package import HTTP

/// Why a request cannot be served. After it nothing of the connection may be read as a request any more.
package struct RequestFailure: Error, Equatable {
    package let code: ErrorCode

    package init(_ code: ErrorCode) {
        self.code = code
    }
}
