import HTTP

/// The pseudo-header fields of RFC 9113 section 8.3 and RFC 8441 section 4.
enum PseudoField: UInt8, Sendable {
    /// An ordinary name.
    case none
    case method, scheme, path, authority, status, `protocol`
    /// A name that begins with a colon and is none of these.
    case unknown

    /// What a name is; the words are its bytes, little-endian.
    init(_ name: Span<UInt8>) {
        guard name.count > 0, name[0] == 0x3A else {
            self = .none
            return
        }
        let first = ByteScan.word(name, at: 0)
        switch (name.count, first) {
        case (7, 0x64_6F68_7465_6D3A): self = .method
        case (7, 0x65_6D65_6863_733A): self = .scheme
        case (5, 0x68_7461_703A): self = .path
        case (7, 0x73_7574_6174_733A): self = .status
        case (10, 0x6972_6F68_7475_613A): self = ByteScan.word(name, at: 8) == 0x7974 ? .authority : .unknown
        case (9, 0x6F63_6F74_6F72_703A): self = name[8] == 0x6C ? .protocol : .unknown
        default: self = .unknown
        }
    }

    /// For sets of them.
    @inline(__always)
    var bit: UInt8 { 1 &<< rawValue }
}
