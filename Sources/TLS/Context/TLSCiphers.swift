/// Cipher suites of TLS 1.2; those of 1.3 are all good, and all there.
enum TLSCiphers {
    /// With forward secrecy and authenticated encryption only; AES first where the processor does it.
    static let intermediate =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
}
