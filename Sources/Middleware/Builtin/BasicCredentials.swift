internal import Containers
private import Digest
private import HTTP

/// Credentials of the Basic scheme (RFC 7617): `Basic BASE64(user:password)`.
struct BasicCredentials: Equatable {
    /// Bytes of the encoded part that are read.
    static let limit = 1024

    /// Where the user's name and the password stand in the decoded bytes.
    let user: Range<Int>
    let password: Range<Int>

    /// Decodes the value of an Authorization field behind what `output` holds. Nil for another scheme, text that is not
    /// base64 in its one form, or without a colon.
    init?(_ value: Span<UInt8>, into output: inout Buffer) {
        let start = output.count
        guard let token = Self.token(of: value), token.count <= Self.limit,
            Base64.decode(value.extracting(token), to: &output)
        else { return nil }
        var colon = start
        while colon < output.count && output[colon] != 0x3A { colon += 1 }
        guard colon < output.count else { return nil }
        user = start..<colon
        password = (colon + 1)..<output.count
    }

    private static func token(of value: Span<UInt8>) -> Range<Int>? {
        guard value.count > 6, value[5] == 0x20 else { return nil }
        var isBasic = true
        for (index, letter) in "basic".utf8.enumerated() where ByteClass.lowercased(value[index]) != letter {
            isBasic = false
        }
        guard isBasic else { return nil }
        var start = 6
        while start < value.count && value[start] == 0x20 { start += 1 }
        return start < value.count ? start..<value.count : nil
    }
}
