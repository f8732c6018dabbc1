package import HTTP

/// Why a chunked body cannot be read on. Neither the body nor anything behind it may be believed.
package enum ChunkedFailure: Error, Equatable {
    /// A breach of the grammar of RFC 9112 section 7.1, or extensions or a size beyond their bounds.
    case invalid
    /// More than 8 KiB or 32 fields of trailers.
    case trailersTooLarge

    /// The code when a client sent it.
    package var requestCode: ErrorCode {
        switch self {
        case .invalid: .badRequest
        case .trailersTooLarge: .trailersTooLarge
        }
    }

    /// The code when an upstream sent it.
    package var responseCode: ErrorCode { .responseInvalid }
}
