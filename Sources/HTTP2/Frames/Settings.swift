import Containers

/// What we announce (RFC 9113 section 6.5.2). What has the RFC's default is not sent.
package struct LocalSettings: Sendable, Equatable {
    /// Bytes of our decoder's table, at most 4,096.
    package var tableSize = 4_096
    /// A server's: streams that the client may have open.
    package var concurrentStreams = 100
    package var streamWindow = 65_535
    /// Of the connection; raised from 65,535 by a WINDOW_UPDATE.
    package var connectionWindow = 1 << 20
    /// SETTINGS_MAX_HEADER_LIST_SIZE.
    package var fieldBytes = 65_536
    /// A server's: extended CONNECT is served (RFC 8441).
    package var allowsConnect = false

    /// SETTINGS_MAX_FRAME_SIZE stays the least that there is.
    static let frameSize = 16_384
    static let largestWindow = 0x7FFF_FFFF

    package init() {}

    /// The frames that a side begins with: nine parameters' room at most.
    static let byteCount = 9 + 6 * 6 + 13

    func append(isServer: Bool, to output: inout Buffer) {
        var parameters: [(UInt8, Int)] = []
        if tableSize < 4_096 { parameters.append((1, tableSize)) }
        if isServer {
            parameters.append((3, concurrentStreams))
            if allowsConnect { parameters.append((8, 1)) }
        } else {
            parameters.append((2, 0))
        }
        if streamWindow != 65_535 { parameters.append((4, streamWindow)) }
        parameters.append((6, fieldBytes))
        FrameWriter.header(6 * parameters.count, FrameType.settings, 0, 0, to: &output)
        for (name, value) in parameters {
            output.append(0)
            output.append(name)
            FrameWriter.word(UInt32(truncatingIfNeeded: value), to: &output)
        }
        if connectionWindow > 65_535 {
            FrameWriter.windowUpdate(0, connectionWindow - 65_535, to: &output)
        }
    }
}

/// What the peer announced.
package struct PeerSettings: Sendable, Equatable {
    package internal(set) var tableSize = 4_096
    /// Nil: no bound.
    package internal(set) var concurrentStreams: Int?
    package internal(set) var streamWindow = 65_535
    package internal(set) var frameSize = 16_384
    package internal(set) var fieldBytes = Int.max
    package internal(set) var allowsConnect = false

    /// Takes one parameter; what is wrong with it, nil when nothing is.
    mutating func take(_ name: UInt16, _ value: UInt32, isServer: Bool) -> (HTTP2Error, FailureReason)? {
        switch name {
        case 1: tableSize = Int(value)
        case 2:
            // RFC 9113 section 6.5.2: a server must not say that it could be pushed to.
            if value > (isServer ? 1 : 0) { return (.protocolError, .settingsValue) }
        case 3: concurrentStreams = Int(value)
        case 4:
            if value > 0x7FFF_FFFF { return (.flowControlError, .settingsValue) }
            streamWindow = Int(value)
        case 5:
            if value < 16_384 || value > 0xFF_FFFF { return (.protocolError, .settingsValue) }
            frameSize = Int(value)
        case 6: fieldBytes = Int(value)
        case 8:
            // RFC 8441 section 3: once said, it stays.
            if value > 1 || (allowsConnect && value == 0) { return (.protocolError, .settingsValue) }
            allowsConnect = value == 1
        default: break
        }
        return nil
    }
}
