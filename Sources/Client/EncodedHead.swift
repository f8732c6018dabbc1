import HTTP
import Middleware

/// A request head in normal form, without its Host line: that stands between the two parts.
struct EncodedHead {
    enum Failure: Error {
        case invalid(String)
    }

    /// Bytes that method, target and fields may have.
    static let limit = 65_536

    let method: HTTP.Method
    let requestLine: [UInt8]
    /// With the framing field and the empty line.
    let fields: [UInt8]

    /// Checks every byte of what callers say. Fields of framing and of the connection are not theirs to set.
    init(
        method: String, target: [UInt8], fields: [MessageField], framing: BodyFraming
    ) throws(Failure) {
        let methodBytes = Array(method.utf8)
        guard !methodBytes.isEmpty, methodBytes.allSatisfy(ByteClass.isToken) else {
            throw .invalid("`\(method)` is no method")
        }
        let known = HTTP.Method.recognise(methodBytes.span)
        guard known != .connect else { throw .invalid("CONNECT is not supported") }
        guard target.first == 0x2F, ClientURL.isTarget(target) else { throw .invalid("the target is not valid") }
        var line = methodBytes
        line.append(0x20)
        line += target
        line += " HTTP/1.1\r\n".utf8
        var lines: [UInt8] = []
        for field in fields {
            guard FieldName(field.name).isValid else { throw .invalid("`\(field.name)` cannot be set as a field") }
            guard field.value.allSatisfy(ByteClass.isFieldValue) else {
                throw .invalid("the value of `\(field.name)` has a byte that no field value may have")
            }
            lines += field.name.utf8
            lines += ": ".utf8
            lines += field.value
            lines += "\r\n".utf8
        }
        guard line.count + lines.count <= Self.limit else { throw .invalid("the request head is too large") }
        switch framing {
        case .none, .untilClose:
            // RFC 9110 section 8.6: methods that usually have content say that there is none.
            if known == .post || known == .put || known == .patch { lines += "Content-Length: 0\r\n".utf8 }
        case .length(let count): lines += "Content-Length: \(count)\r\n".utf8
        case .chunked: lines += "Transfer-Encoding: chunked\r\n".utf8
        }
        lines += "\r\n".utf8
        self.method = known
        requestLine = line
        self.fields = lines
    }
}
