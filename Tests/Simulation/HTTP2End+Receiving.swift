import Containers

/// What comes from the gateway, and whether it may.
extension HTTP2End {
    func received(_ bytes: [UInt8]) {
        reader.feed(bytes)
        while !isOver, let frame = reader.next() { take(frame) }
    }

    private func take(_ frame: HTTP2Frame) {
        if frame.payload.count > 16_384 { return violate("a frame of \(frame.payload.count) bytes") }
        if !hasPeerSettings, frame.kind != .settings || frame.has(HTTP2Frame.acknowledges) {
            return violate("the first frame is \(String(describing: frame.kind))")
        }
        if let block, frame.kind != .continuation || frame.stream != block.stream {
            return violate("a frame inside of a field block")
        }
        switch frame.kind {
        case .data: takeData(frame)
        case .headers: takeHeaders(frame)
        case .continuation:
            guard block != nil else { return violate("CONTINUATION without a block") }
            block?.bytes += frame.payload
            if frame.has(HTTP2Frame.endHeaders) { takeBlock() }
        case .settings: takeSettings(frame)
        case .reset: takeReset(frame)
        case .ping: takePing(frame)
        case .windowUpdate: takeWindowUpdate(frame)
        case .goAway: takeGoAway(frame)
        case .priority, .pushPromise, nil: violate("a frame that a gateway does not send")
        }
    }

    /// Whether anybody has opened the stream.
    private func isIdle(_ stream: UInt32) -> Bool {
        stream % 2 == 0 || stream >= (isClient ? nextStream : lastStream + 1)
    }

    /// Whether a frame may come on a stream; false for those that are to be passed over.
    private func mayCome(_ stream: UInt32) -> Bool {
        guard let lane = lanes[stream] else {
            violate("a frame on stream \(stream), which is idle")
            return false
        }
        if lane.sawEnd || lane.wasReset {
            violate("a frame on stream \(stream) behind its end")
            return false
        }
        return !lane.isReset
    }

    private func takeData(_ frame: HTTP2Frame) {
        let count = frame.payload.count
        var payload = frame.payload[...]
        if frame.has(HTTP2Frame.padded) {
            guard let padding = payload.popFirst(), Int(padding) <= payload.count else { return violate("padding") }
            payload.removeLast(Int(padding))
        }
        receiveWindow -= count
        if receiveWindow < 0 { return violate("the connection's window is overrun by \(-receiveWindow)") }
        lanes[frame.stream]?.receiveWindow -= count
        if let window = lanes[frame.stream]?.receiveWindow, window < 0, count > 0 {
            return violate("the window of stream \(frame.stream) is overrun by \(-window)")
        }
        giveBack(0, count)
        guard mayCome(frame.stream) else { return }
        let isEnd = frame.has(HTTP2Frame.endStream)
        if isEnd { lanes[frame.stream]?.sawEnd = true } else { giveBack(frame.stream, count) }
        user.content(frame.stream, Array(payload), isEnd: isEnd)
    }

    private func takeHeaders(_ frame: HTTP2Frame) {
        var payload = frame.payload[...]
        if frame.has(HTTP2Frame.padded) {
            guard let padding = payload.popFirst(), Int(padding) <= payload.count else { return violate("padding") }
            payload.removeLast(Int(padding))
        }
        block = (frame.stream, frame.flags, Array(payload))
        if frame.has(HTTP2Frame.endHeaders) { takeBlock() }
    }

    private func takeBlock() {
        guard let whole = block else { return }
        block = nil
        guard let lines = decoder.decode(whole.bytes) else { return violate("a broken field block") }
        let isNew = !isClient && whole.stream % 2 == 1 && whole.stream > lastStream
        if isNew {
            lastStream = whole.stream
            lanes[whole.stream] = Lane(sendWindow: peerWindow, receiveWindow: ownWindow)
        }
        guard mayCome(whole.stream) else { return }
        let isEnd = whole.flags & HTTP2Frame.endStream != 0
        if isEnd { lanes[whole.stream]?.sawEnd = true }
        if isNew { openWindow(of: whole.stream) }
        user.head(whole.stream, HTTP2Fields.read(lines), isEnd: isEnd)
    }

    private func takeSettings(_ frame: HTTP2Frame) {
        if frame.has(HTTP2Frame.acknowledges) {
            guard !unacknowledged.isEmpty else { return violate("settings that nobody sent are acknowledged") }
            let taken = unacknowledged.removeFirst()
            settingsTaken += 1
            decoder.announced(taken.table)
            let difference = taken.window - ownWindow
            ownWindow = taken.window
            for stream in lanes.keys.sorted() {
                lanes[stream]?.receiveWindow += difference
                openWindow(of: stream)
            }
            return
        }
        hasPeerSettings = true
        for place in stride(from: 0, to: frame.payload.count, by: 6) {
            let value = Int(frame.word(at: place + 2))
            switch UInt16(frame.payload[place]) << 8 | UInt16(frame.payload[place + 1]) {
            case 1: encoder.announced(value)
            case 3: peerStreams = value
            case 4:
                for stream in lanes.keys { lanes[stream]?.sendWindow += value - peerWindow }
                peerWindow = value
            default: break
            }
        }
        write(HTTP2Frame.bytes(.settings, HTTP2Frame.acknowledges, []))
        pump()
    }

    private func takeReset(_ frame: HTTP2Frame) {
        guard !isIdle(frame.stream), let lane = lanes[frame.stream], frame.payload.count == 4 else {
            return violate("RST_STREAM on stream \(frame.stream)")
        }
        if lane.wasReset { return violate("RST_STREAM twice on stream \(frame.stream)") }
        guard let code = HTTP2Code(rawValue: frame.word(at: 0)) else { return violate("an unknown code") }
        network.note { "the gateway resets stream \(frame.stream) on \(connection.number): \(code)" }
        lanes[frame.stream]?.wasReset = true
        if !lane.isReset { user.reset(frame.stream, code) }
    }

    private func takePing(_ frame: HTTP2Frame) {
        guard frame.has(HTTP2Frame.acknowledges) else {
            write(HTTP2Frame.bytes(.ping, HTTP2Frame.acknowledges, frame.payload))
            return
        }
        guard pings.first == frame.payload else { return violate("a ping that nobody sent is answered") }
        pings.removeFirst()
    }

    private func takeWindowUpdate(_ frame: HTTP2Frame) {
        let count = frame.payload.count == 4 ? Int(frame.word(at: 0)) : 0
        if count == 0 { return violate("an empty WINDOW_UPDATE") }
        if frame.stream == 0 {
            sendWindow += count
            if sendWindow > Self.largestWindow { return violate("a connection's window that is too large") }
        } else {
            if isIdle(frame.stream) { return violate("WINDOW_UPDATE on stream \(frame.stream), which is idle") }
            lanes[frame.stream]?.sendWindow += count
        }
        pump()
    }

    private func takeGoAway(_ frame: HTTP2Frame) {
        guard frame.payload.count >= 8, let code = HTTP2Code(rawValue: frame.word(at: 4)) else {
            return violate("a GOAWAY that nobody can read")
        }
        let last = frame.word(at: 0)
        if let former = goAwayLast, former < last { return violate("GOAWAY takes more streams than before") }
        goAwayLast = last
        if code != .noError, !isBreaking { return violate("ends with \(code)") }
        user.goingAway(last: last, code)
    }
}
