internal import Config
internal import HTTP

/// A variable of the configuration without indirections: evaluating it counts no references.
struct CompiledVariable: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case clientIP, requestID, host, method, path, route, identity, pathParameter, query, header, cookie
        case scheme, tlsVersion, tlsCipher, tlsSNI, tlsClientSubject, tlsClientFingerprint
        /// The field, which an absolute-form target replaces.
        case hostField
    }

    let kind: Kind
    /// Where the name stands in the bytes of whoever holds this variable; header names are in lower case.
    let name: Range<Int>

    /// Compiles a variable; its name is appended to `text`.
    init(_ variable: Variable, text: inout [UInt8]) {
        let start = text.count
        switch variable {
        case .clientIP: kind = .clientIP
        case .requestID: kind = .requestID
        case .host: kind = .host
        case .method: kind = .method
        case .path: kind = .path
        case .route: kind = .route
        case .identity: kind = .identity
        case .scheme: kind = .scheme
        case .tlsVersion: kind = .tlsVersion
        case .tlsCipher: kind = .tlsCipher
        case .tlsSNI: kind = .tlsSNI
        case .tlsClientSubject: kind = .tlsClientSubject
        case .tlsClientFingerprint: kind = .tlsClientFingerprint
        case .pathParameter(let name): (kind, text) = (.pathParameter, text + Array(name.utf8))
        case .query(let name): (kind, text) = (.query, text + Array(name.utf8))
        case .header("host"): kind = .hostField
        case .header(let name): (kind, text) = (.header, text + name.utf8.map(ByteClass.lowercased))
        case .cookie(let name): (kind, text) = (.cookie, text + Array(name.utf8))
        }
        name = start..<text.count
    }

    private init(kind: Kind, name: Range<Int>) {
        self.kind = kind
        self.name = name
    }

    /// The variable when the bytes of its name stand `offset` further on.
    func moved(by offset: Int) -> CompiledVariable {
        CompiledVariable(kind: kind, name: (name.lowerBound + offset)..<(name.upperBound + offset))
    }

    /// Whether the value is known only while the request is decided on.
    var isRequestPhaseOnly: Bool { kind == .pathParameter }
}
