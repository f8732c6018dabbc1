/// A short run of bytes in lower case, packed into two words: comparing it costs three comparisons.
@usableFromInline
package struct PackedToken: Equatable, Sendable {
    @usableFromInline let low: UInt64
    @usableFromInline let high: UInt64
    @usableFromInline let count: Int

    /// Packs up to 16 bytes; of longer runs only the count.
    ///
    /// The bytes must be without control characters other than HTAB, as every validated value is: then setting bit 5
    /// folds the case of letters and makes no other byte one that stands in a token below.
    @inlinable
    package init(_ bytes: Span<UInt8>) {
        let caseBits: UInt64 = 0x2020_2020_2020_2020
        count = bytes.count
        if bytes.count >= 8 {
            low = ByteScan.word(bytes) | caseBits
            let behind = bytes.count &- 8
            if behind == 0 || behind > 8 {
                high = 0
            } else {
                let last = ByteScan.word(bytes.extracting(droppingFirst: behind)) | caseBits
                high = last &>> UInt64(truncatingIfNeeded: 64 &- 8 &* behind)
            }
        } else {
            var word: UInt64 = 0
            for index in 0..<bytes.count {
                word |= UInt64(bytes[index] | 0x20) &<< UInt64(truncatingIfNeeded: 8 &* index)
            }
            low = word
            high = 0
        }
    }

    @inlinable
    init(low: UInt64, high: UInt64 = 0, count: Int) {
        self.low = low
        self.high = high
        self.count = count
    }

    // The words are the names' bytes, little-endian; a test packs each name and compares.
    @inlinable package static var close: PackedToken { PackedToken(low: 0x65_736F_6C63, count: 5) }
    @inlinable package static var keepAlive: PackedToken {
        PackedToken(low: 0x696C_612D_7065_656B, high: 0x6576, count: 10)
    }
    @inlinable package static var upgrade: PackedToken { PackedToken(low: 0x65_6461_7267_7075, count: 7) }
    @inlinable package static var te: PackedToken { PackedToken(low: 0x6574, count: 2) }
    @inlinable package static var trailers: PackedToken { PackedToken(low: 0x7372_656C_6961_7274, count: 8) }
    @inlinable package static var chunked: PackedToken { PackedToken(low: 0x64_656B_6E75_6863, count: 7) }
    @inlinable package static var websocket: PackedToken {
        PackedToken(low: 0x656B_636F_7362_6577, high: 0x74, count: 9)
    }
    @inlinable package static var hundredContinue: PackedToken {
        PackedToken(low: 0x746E_6F63_2D30_3031, high: 0x6575_6E69, count: 12)
    }
    @inlinable package static var thirteen: PackedToken { PackedToken(low: 0x3331, count: 2) }
    @inlinable package static var http: PackedToken { PackedToken(low: 0x2F_2F3A_7074_7468, count: 7) }
    @inlinable package static var https: PackedToken { PackedToken(low: 0x2F2F_3A73_7074_7468, count: 8) }
    @inlinable package static var timeout: PackedToken { PackedToken(low: 0x74_756F_656D_6974, count: 7) }
    @inlinable package static var contentEncoding: PackedToken {
        PackedToken(low: 0x2D74_6E65_746E_6F63, high: 0x676E_6964_6F63_6E65, count: 16)
    }
    @inlinable package static var contentRange: PackedToken {
        PackedToken(low: 0x2D74_6E65_746E_6F63, high: 0x65_676E_6172, count: 13)
    }
    @inlinable package static var range: PackedToken { PackedToken(low: 0x65_676E_6172, count: 5) }
    @inlinable package static var pragma: PackedToken { PackedToken(low: 0x616D_6761_7270, count: 6) }
    @inlinable package static var grpc: PackedToken {
        PackedToken(low: 0x7461_6369_6C70_7061, high: 0x6370_7267_2F6E_6F69, count: 16)
    }
}
