import HTTP
import Testing

@Suite struct FieldAdditionsTests {
    private static func append(_ name: String, _ value: String, to additions: inout FieldAdditions) -> Bool {
        additions.append(name: Array(name.utf8).span, value: Array(value.utf8).span)
    }

    @Test func `Lines are kept as they will be sent`() {
        var additions = FieldAdditions()
        #expect(Self.append("Via", "1.1 x", to: &additions))
        #expect(Self.append("X-Empty", "", to: &additions))
        #expect(holds(additions.span.count == "Via: 1.1 x\r\nX-Empty: \r\n".utf8.count))
        additions.removeAll()
        #expect(holds(additions.isEmpty))
    }

    @Test func `Nothing that ends a line gets in`() {
        var additions = FieldAdditions()
        for name in ["", "A B", "A:", "A\r\nB", "\u{e9}"] { #expect(!Self.append(name, "x", to: &additions)) }
        for value in ["a\r\nB: c", "a\n", "\0", "a\u{7F}"] { #expect(!Self.append("A", value, to: &additions)) }
        #expect(holds(additions.isEmpty))
    }

    @Test func `What does not fit is refused whole`() {
        var additions = FieldAdditions()
        let long = String(repeating: "x", count: FieldAdditions.limit - 5)
        #expect(!Self.append("AB", long, to: &additions))
        #expect(Self.append("A", long, to: &additions))
        #expect(!Self.append("A", "", to: &additions))
    }
}
