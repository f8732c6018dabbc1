/// The oldest version that is spoken.
package enum TLSVersion: String, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"

    var wire: Int32 {
        switch self {
        case .tls12: 0x0303
        case .tls13: 0x0304
        }
    }
}
