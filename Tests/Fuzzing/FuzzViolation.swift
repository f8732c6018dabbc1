/// A promise that the code under test broke for an input.
package struct FuzzViolation: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Throws what is wrong when a promise does not hold.
func require(_ holds: Bool, _ reason: @autoclosure () -> String) throws(FuzzViolation) {
    if !holds { throw FuzzViolation(reason()) }
}

/// Bytes as text for messages.
func shown(_ bytes: some Collection<UInt8>) -> String {
    String(decoding: bytes.prefix(400), as: UTF8.self).debugDescription
}
