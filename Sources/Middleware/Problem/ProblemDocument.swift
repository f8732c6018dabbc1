package import Containers
package import HTTP

/// The body of an error that the gateway answers itself: RFC 9457 problem details as JSON, or the same as plain text or
/// HTML for clients that prefer that.
///
///     {"type":"urn:martlet:error:no_route","title":"No route matches the request","status":404,
///      "code":"no_route","request_id":"…"}
package enum ProblemDocument {
    /// Room that the buffer must have; with less, nothing is written.
    package static let limit = 8192
    /// Bytes of a detail that are shown.
    package static let detailLimit = 512

    /// Appends the document of a local reply.
    ///
    /// - Parameters:
    ///   - detail: for people; nothing about the inside.
    ///   - requestID: bytes as they came; everything is escaped.
    ///   - accept: value of the request's Accept field, nil without one.
    /// - Returns: the content type.
    package static func append(
        code: ErrorCode, detail: String, requestID: Span<UInt8>, accept: Span<UInt8>?, to body: inout Buffer
    ) -> StaticString {
        append(status: code.row.status, code: code, detail: detail, requestID: requestID, accept: accept, to: &body)
    }

    /// Appends the document of a reply that has a status of its own, as replies of custom middleware have.
    package static func append(
        status: Int, code: ErrorCode, detail: String, requestID: Span<UInt8>, accept: Span<UInt8>?,
        to body: inout Buffer
    ) -> StaticString {
        let acceptance = Acceptance(accept)
        if body.tailroom >= limit {
            let document = Document(status: status, code: code, detail: detail)
            switch acceptance {
            case .problem: document.appendJSON(requestID, to: &body)
            case .html: document.appendHTML(requestID, to: &body)
            case .plain: document.appendPlain(requestID, to: &body)
            }
        }
        return switch acceptance {
        case .problem: "application/problem+json"
        case .html: "text/html; charset=utf-8"
        case .plain: "text/plain; charset=utf-8"
        }
    }

    /// Appends the value of `Proxy-Status` (RFC 9209) for an error: `martlet; error=dns_error; details="dns_error"`.
    package static func appendProxyStatus(_ code: ErrorCode, to value: inout Buffer) {
        let row = code.row
        guard value.tailroom >= 128 else { return }
        value.append("martlet")
        if row.proxyStatus.utf8CodeUnitCount > 0 {
            value.append("; error=")
            value.append(row.proxyStatus)
        }
        if row.name.utf8CodeUnitCount > 0 {
            value.append("; details=\"")
            value.append(row.name)
            value.append("\"")
        }
    }
}

private struct Document {
    let status: Int
    let code: ErrorCode
    let detail: String

    private var name: StaticString { code == .none ? "error" : code.row.name }
    private var title: StaticString { code == .none ? Self.title(status) : code.row.title }

    func appendJSON(_ requestID: Span<UInt8>, to body: inout Buffer) {
        body.append("{\"type\":\"urn:martlet:error:")
        body.append(name)
        body.append("\",\"title\":\"")
        body.append(title)
        body.append("\",\"status\":")
        body.append(decimal: status)
        if !detail.isEmpty {
            body.append(",\"detail\":\"")
            appendDetail(to: &body, TextEscaping.json)
            body.append("\"")
        }
        body.append(",\"code\":\"")
        body.append(name)
        body.append("\",\"request_id\":\"")
        appendID(requestID, to: &body, TextEscaping.json)
        body.append("\"}\n")
    }

    func appendHTML(_ requestID: Span<UInt8>, to body: inout Buffer) {
        body.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
        body.append(decimal: status)
        body.append(" ")
        body.append(title)
        body.append("</title></head>\n<body><h1>")
        body.append(decimal: status)
        body.append(" ")
        body.append(title)
        body.append("</h1>\n")
        if !detail.isEmpty {
            body.append("<p>")
            appendDetail(to: &body, TextEscaping.html)
            body.append("</p>\n")
        }
        body.append("<p>Code: <code>")
        body.append(name)
        body.append("</code><br>Request: <code>")
        appendID(requestID, to: &body, TextEscaping.html)
        body.append("</code></p></body></html>\n")
    }

    func appendPlain(_ requestID: Span<UInt8>, to body: inout Buffer) {
        body.append(decimal: status)
        body.append(" ")
        body.append(title)
        body.append("\n")
        if !detail.isEmpty {
            appendDetail(to: &body, TextEscaping.plain)
            body.append("\n")
        }
        body.append("code: ")
        body.append(name)
        body.append("\nrequest_id: ")
        appendID(requestID, to: &body, TextEscaping.plain)
        body.append("\n")
    }

    /// The detail, cut on a border of characters.
    private func appendDetail(to body: inout Buffer, _ escaping: TextEscaping) {
        var count = 0
        for scalar in detail.unicodeScalars {
            let bytes = UTF8.encode(scalar)
            count += bytes?.count ?? 0
            if count > ProblemDocument.detailLimit { return }
            for byte in bytes ?? UTF8.encodedReplacementCharacter {
                if byte < 0x80 { escaping.append(byte, to: &body) } else { body.append(byte) }
            }
        }
    }

    private func appendID(_ requestID: Span<UInt8>, to body: inout Buffer, _ escaping: TextEscaping) {
        for index in 0..<min(requestID.count, RequestContext.requestIDLimit) {
            escaping.append(requestID[index], to: &body)
        }
    }

    private static func title(_ status: Int) -> StaticString {
        switch status {
        case 400: "Bad request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not found"
        case 429: "Too many requests"
        case 400..<500: "The request was refused"
        case 503: "Service unavailable"
        default: "The gateway could not serve the request"
        }
    }
}

/// Puts single bytes into text so that they mean nothing there. At most six bytes come out for one.
private enum TextEscaping {
    case json, html, plain

    func append(_ byte: UInt8, to text: inout Buffer) {
        switch (self, byte) {
        case (.json, 0x22), (.json, 0x5C):
            text.append(0x5C)
            text.append(byte)
        case (.html, 0x26): text.append("&amp;")
        case (.html, 0x3C): text.append("&lt;")
        case (.html, 0x3E): text.append("&gt;")
        case (.html, 0x22): text.append("&quot;")
        case (.html, 0x27): text.append("&#39;")
        case (.json, 0..<0x20), (.json, 0x7F...):
            // Bytes above 0x7F that are no part of checked text: read as Latin-1.
            text.append("\\u00")
            text.append(Self.digit(byte >> 4))
            text.append(Self.digit(byte & 15))
        case (_, 0..<0x20), (_, 0x7F...): text.append(0x3F)
        default: text.append(byte)
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }
}
