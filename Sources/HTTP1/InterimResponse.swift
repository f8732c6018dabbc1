/// Interim responses that we make ourselves.
package enum InterimResponse {
    /// RFC 9110 section 15.2.1.
    package static var `continue`: StaticString { "HTTP/1.1 100 Continue\r\n\r\n" }
}
