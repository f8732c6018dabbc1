import HTTP
import Testing

@Suite struct MethodTests {
    @Test func `Every method but CONNECT and TRACE is named as supported`() {
        let expected = Method.allCases.filter { ![.connect, .trace, .other].contains($0) }.map(\.name.description)
        #expect(Method.supported == expected.joined(separator: ", "))
    }
}
