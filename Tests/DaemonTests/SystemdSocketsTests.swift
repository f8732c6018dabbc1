import Testing

@testable import Daemon

@Suite struct SystemdSocketsTests {
    @Test(
        "descriptors get their names in order",
        arguments: [
            (Optional("2"), Optional("http:admin"), ["http 3", "admin 4"]),
            ("3", "http", ["http 3", "unknown 4", "unknown 5"]),
            ("2", ":x", ["unknown 3", "x 4"]),
            ("1", nil, ["unknown 3"]),
            ("0", "http", []), ("-1", "http", []), ("100000", nil, []), ("x", nil, []), (nil, "http", []),
        ])
    func assignments(count: String?, names: String?, expected: [String]) {
        let found = SystemdSockets.assignments(count: count, names: names)
        #expect(found.map { "\($0.name) \($0.number)" } == expected)
    }
}
