extension HTTP2Limits: ConfigSection {
    static let title = "limits of HTTP/2"
    static let sentence =
        "What a client may do on one connection of HTTP/2. More ends the connection with `ENHANCE_YOUR_CALM`, unless said otherwise."
    static let keys: [ConfigKey<HTTP2Limits>] = [
        ConfigKey(
            "streams", \.streams, .integer(1...8_000), default: 128,
            "Streams open at once; more are refused, and counted as `stream_errors`."),
        ConfigKey(
            "stream_window", \.streamWindow, .size(16_384...(1 << 24)), default: 65_535,
            "Bytes of one request that are kept while its upstream does not take them."),
        ConfigKey(
            "connection_window", \.connectionWindow, .size(65_535...(1 << 28)), default: 1 << 20,
            "The same for all requests of a connection."),
        ConfigKey(
            "header_block", \.headerBlock, .size(4_096...1_048_576), default: 65_536,
            "Bytes of a head as they are sent, compressed."),
        ConfigKey(
            "continuations", \.continuations, .integer(0...1_000), default: 16, "CONTINUATION frames of one head."),
        ConfigKey(
            "window", \.window, .duration(.seconds(1)...(.seconds(3_600))), default: .seconds(10),
            "The time in which `rapid_resets`, `pings` and `settings` are counted."),
        ConfigKey(
            "rapid_resets", \.rapidResets, .integer(1...1_000_000), default: 100,
            "Requests that the client takes back before they are answered, in one `window`."),
        ConfigKey(
            "stream_errors", \.streamErrors, .integer(1...1_000_000), default: 100,
            "Streams of a connection that had to be reset because the client broke a rule."),
        ConfigKey(
            "pings", \.pings, .integer(1...1_000_000), default: 100,
            "PING frames in one `window`, beside two for each frame with fields or content that went either way in it."),
        ConfigKey("settings", \.settings, .integer(1...1_000_000), default: 20, "SETTINGS frames in one `window`."),
        ConfigKey(
            "empty_frames", \.emptyFrames, .integer(1...1_000_000), default: 10,
            "DATA, HEADERS and CONTINUATION frames in a row that bring nothing."),
        ConfigKey(
            "priorities", \.priorities, .integer(1...1_000_000), default: 200,
            "PRIORITY frames of a connection, beside two for each stream."),
        ConfigKey(
            "window_updates", \.windowUpdates, .integer(1...1_000_000), default: 100,
            "WINDOW_UPDATE frames of a connection, beside two for each stream and twenty for each DATA frame that it got."
        ),
        ConfigKey(
            "ignored_frames", \.ignoredFrames, .integer(1...1_000_000), default: 1_000,
            "Frames of unknown types, or of streams that are gone, beside eight for each stream. Content that was on its way when the gateway reset its stream is none."
        ),
        ConfigKey(
            "unread_replies", \.unreadReplies, .integer(1...1_000_000), default: 1_000,
            "Answers to PING, SETTINGS and faulty frames that the client does not read."),
    ]
}
