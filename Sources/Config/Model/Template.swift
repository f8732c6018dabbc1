/// A value known only when a request is there. One grammar in templates (`{client_ip}`) and keys (bare).
package enum Variable: Sendable, Equatable, Hashable {
    case clientIP, requestID, host, method, path, route, identity
    /// `http` or `https`.
    case scheme
    /// Of the client's connection; empty without TLS.
    case tlsVersion, tlsCipher
    /// The name that the client asked for in the TLS handshake.
    case tlsSNI
    /// Of the client's certificate; empty without one.
    case tlsClientSubject, tlsClientFingerprint
    case pathParameter(String)
    case query(String)
    /// Lower-case field name.
    case header(String)
    case cookie(String)
}

/// Text with variables: `/v2/users/{path.id}`. `{{` is a brace.
package struct Template: Sendable, Equatable {
    package enum Segment: Sendable, Equatable {
        case literal([UInt8])
        case variable(Variable)
    }
    package var segments: [Segment]
    /// As written, with secrets masked.
    package var source: String

    package init(segments: [Segment], source: String) {
        self.segments = segments
        self.source = source
    }

    /// A template without variables.
    package init(literal: String) {
        segments = [.literal(Array(literal.utf8))]
        source = literal
    }
}
