import TLS

/// Contexts with the certificates of `Fixtures`.
enum StreamFixture {
    static func identity(_ name: String) throws -> TLSServerContext.Identity {
        let chain = try CertificateChain(
            certificates: Fixture.bytes("\(name).pem"), key: Fixture.bytes("\(name).key"))
        return .init(chain: chain.certificatePEM, key: chain.privateKeyPEM)
    }

    static func context(
        _ names: [String], policy: UInt8 = 0, _ change: (inout TLSServerContext.Settings) -> Void = { _ in }
    ) throws -> TLSServerContext {
        var settings = TLSServerContext.Settings(policy: [UInt8](repeating: policy, count: 32))
        settings.policyNumber = Int(policy)
        change(&settings)
        return try TLSServerContext(settings, identities: names.map { try identity($0) })
    }

    static func client(_ change: (inout TLSClientContext.Settings) -> Void = { _ in }) throws -> TLSClientContext {
        var settings = TLSClientContext.Settings()
        settings.authorities = try Fixture.bytes("ca.pem")
        change(&settings)
        return try TLSClientContext(settings)
    }
}
