/// What is fuzzed. `run` gives an input to the code that ships and throws when a promise is broken; it neither reads a
/// clock nor throws dice, so that an input always does the same.
///
/// The raw value names the folders of corpus and findings, the dictionary and the argument of `make fuzz`.
package enum FuzzTarget: String, CaseIterable, Sendable {
    case requestHead = "request-head"
    case responseHead = "response-head"
    case chunked
    case hpack
    case frames = "http2-frames"
    case tlsRecords = "tls-records"
    case webSocket = "websocket"
    case path
    case forwarded
    case downstream
    case upstream
    case http2Downstream = "http2-downstream"
    case http2Upstream = "http2-upstream"
    case config

    package func run(_ input: [UInt8]) throws(FuzzViolation) {
        switch self {
        case .requestHead: try RequestHeadFuzz.run(input)
        case .responseHead: try ResponseHeadFuzz.run(input)
        case .chunked: try ChunkedFuzz.run(input)
        case .hpack: try HPACKFuzz.run(input)
        case .frames: try FramesFuzz.run(input)
        case .tlsRecords: try TLSRecordsFuzz.run(input)
        case .webSocket: try WebSocketFuzz.run(input)
        case .path: try PathFuzz.run(input)
        case .forwarded: try ForwardedFuzz.run(input)
        case .downstream: try DownstreamFuzz.run(input)
        case .upstream: try UpstreamFuzz.run(input)
        case .http2Downstream: try HTTP2DownstreamFuzz.run(input)
        case .http2Upstream: try UpstreamFuzz.run(input, inHTTP2: true)
        case .config: try ConfigFuzz.run(input)
        }
    }

    /// Bytes of an input beyond which nothing new is to be expected.
    package var inputLimit: Int {
        switch self {
        case .path, .tlsRecords: 512
        case .requestHead, .responseHead, .webSocket, .forwarded, .hpack: 2_048
        case .chunked, .frames, .downstream, .upstream, .http2Downstream, .http2Upstream, .config: 4_096
        }
    }
}
