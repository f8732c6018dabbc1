import HTTP1
import Testing

@Suite struct ConnectionBoundCredentialsTests {
    @Test(arguments: ["NTLM TlRM", "ntlm TlRM", "Negotiate YII=", "NEGOTIATE", "NTLM", "Negotiate\tYII="])
    func `NTLM and Negotiate bind the connection`(value: String) {
        let bytes = Array(value.utf8)
        #expect(holds(ConnectionBoundCredentials.isMember(bytes.span)))
    }

    @Test(arguments: ["", "Basic YTpi", "Bearer NTLM", "NTLMv9 x", "Negotiated x", "NTL", " NTLM x"])
    func `Other schemes belong to the request`(value: String) {
        let bytes = Array(value.utf8)
        #expect(holds(!ConnectionBoundCredentials.isMember(bytes.span)))
    }
}
