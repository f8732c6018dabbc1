import Containers

/// Who hears what comes on an HTTP/2 connection of the simulated world.
protocol HTTP2EndUser: AnyObject {
    func head(_ stream: UInt32, _ fields: [(name: String, value: String)], isEnd: Bool)
    func content(_ stream: UInt32, _ bytes: [UInt8], isEnd: Bool)
    func reset(_ stream: UInt32, _ code: HTTP2Code)
    func goingAway(last: UInt32, _ code: HTTP2Code)
    /// All of our content was written.
    func sentContent(_ stream: UInt32)
    /// Our direction's last frame was written.
    func sentEnd(_ stream: UInt32)
    /// The gateway broke a rule, and was reported; the connection is reset.
    func broken()
}

/// One end of an HTTP/2 connection, by the letter of RFC 9113: keeps the windows of both sides, and says when the gateway breaks a
/// rule. What it sends is cut into frames as the dice fall.
final class HTTP2End {
    /// What is kept of a stream.
    struct Lane {
        var sendWindow: Int
        var receiveWindow: Int
        var output = ByteQueue()
        var endsAfterOutput = false
        var trailers: [(name: String, value: String)] = []
        var saidEnd = false
        var sawEnd = false
        /// We have reset it: what still comes was on its way.
        var isReset = false
        /// The gateway has reset it: nothing may come any more.
        var wasReset = false
        /// Its window is never given back.
        var isUnread = false

        var isClosed: Bool { isReset || wasReset || saidEnd && sawEnd }
    }

    static let largestWindow = 0x7FFF_FFFF
    /// Until a frame that has to be answered is.
    private static let patience: Int64 = 100_000_000_000

    let isClient: Bool
    unowned let connection: SimulatedConnection
    unowned let network: SimulatedNetwork
    unowned let user: any HTTP2EndUser
    var pace: HTTP2Pace
    var reader = HTTP2FrameReader()
    var decoder = NaiveHPACK()
    var encoder = NaiveFieldWriter()
    var lanes: [UInt32: Lane] = [:]
    var nextStream: UInt32 = 1
    /// The highest stream that the gateway opened.
    var lastStream: UInt32 = 0

    var sendWindow = 65_535
    var receiveWindow = 65_535
    var hasPeerSettings = false
    var peerWindow = 65_535
    /// Streams that the gateway lets us open.
    var peerStreams = Int.max
    /// Of settings that the gateway has acknowledged.
    var ownWindow = 65_535
    /// Settings that it has not.
    var unacknowledged: [(window: Int, table: Int)] = []
    var pings: [[UInt8]] = []
    /// A block whose end has not come.
    var block: (stream: UInt32, flags: UInt8, bytes: [UInt8])?
    var goAwayLast: UInt32?
    /// We have broken a rule: the gateway ends the connection with an error.
    var isBreaking = false
    var isOver = false
    private var isPumping = false
    /// Bytes written ahead of the network, at most: heads must not stand behind all the content of others.
    private let written: Int
    var settingsSent = 0
    var settingsTaken = 0

    init(
        isClient: Bool, pace: HTTP2Pace, connection: SimulatedConnection, network: SimulatedNetwork,
        user: any HTTP2EndUser
    ) {
        self.isClient = isClient
        self.connection = connection
        self.network = network
        self.user = user
        self.pace = pace
        written = min(16_384, 4 * connection.towardsGateway.window)
    }

    /// Nothing more is read or sent.
    func end() { isOver = true }

    func violate(_ text: String) {
        network.violate("HTTP/2 on connection \(connection.number): \(text)")
        isOver = true
        connection.reset()
        user.broken()
    }

    func write(_ bytes: [UInt8]) {
        if isOver { return }
        network.note {
            let name = bytes.count > 3 ? HTTP2Frame.Kind(rawValue: bytes[3]).map { "\($0)" } : nil
            return "writes \(name ?? "?") \(bytes.count) on \(connection.number): \(bytes.prefix(9))"
        }
        connection.write(bytes)
    }

    /// The gateway knows the settings that were sent first.
    var hasOwnSettings: Bool { settingsTaken > 0 }

    /// From here on the stream's content is not wanted.
    func stopReading(_ stream: UInt32) { lanes[stream]?.isUnread = true }

    /// Streams that are open on this side.
    var openCount: Int { lanes.values.count { !$0.isClosed } }

    func isOpen(_ stream: UInt32) -> Bool { lanes[stream].map { !$0.isClosed } ?? false }

    // MARK: Sending

    func begin(settings: [(UInt16, Int)] = []) {
        connection.whenTaken = { [weak self] in self?.pump() }
        if isClient { write(HTTP2Frame.preface) }
        sendSettings(settings)
        if pace.connectionWindow > receiveWindow {
            write(HTTP2Frame.windowUpdate(0, pace.connectionWindow - receiveWindow))
            receiveWindow = pace.connectionWindow
        }
    }

    private func sendSettings(_ more: [(UInt16, Int)]) {
        var values = more
        if pace.streamWindow != 65_535 || settingsSent > 0 { values.append((4, pace.streamWindow)) }
        if pace.tableSize != 4_096 || settingsSent > 0 { values.append((1, pace.tableSize)) }
        write(HTTP2Frame.settings(values))
        unacknowledged.append((pace.streamWindow, pace.tableSize))
        settingsSent += 1
        let due = settingsSent
        expect("settings") { $0.settingsTaken >= due }
    }

    /// Other settings, in the middle.
    func changeSettings() {
        guard !isOver, settingsSent < 8 else { return }
        pace.changeSettings(&network.random)
        sendSettings([])
    }

    func ping() {
        guard !isOver, pings.count < 8 else { return }
        let payload = (0..<8).map { _ in UInt8(network.random.below(256)) }
        pings.append(payload)
        write(HTTP2Frame.bytes(.ping, payload))
        expect("a ping") { !$0.pings.contains(payload) }
    }

    private func expect(_ what: String, _ isMet: @escaping (HTTP2End) -> Bool) {
        network.after(Self.patience) { [weak self] in
            guard let self, !isOver, !isBreaking, !isMet(self) else { return }
            violate("\(what) without an answer")
        }
    }

    /// Opens a stream with a request.
    func open(_ fields: [(name: String, value: String)], isEnd: Bool) -> UInt32 {
        let stream = nextStream
        nextStream += 2
        lanes[stream] = Lane(sendWindow: peerWindow, receiveWindow: ownWindow)
        sendHead(stream, fields, isEnd: isEnd)
        openWindow(of: stream)
        return stream
    }

    func sendHead(_ stream: UInt32, _ fields: [(name: String, value: String)], isEnd: Bool) {
        guard isOpen(stream), lanes[stream]?.saidEnd == false else { return }
        var bytes = encoder.block(fields, &network.random)
        var kind = HTTP2Frame.Kind.headers
        var flags: UInt8 = isEnd ? HTTP2Frame.endStream : 0
        var frames: [UInt8] = []
        while true {
            var count = min(bytes.count, 16_384)
            if kind == .headers, count > 1, network.random.below(16) == 0 { count = network.random.below(count) }
            if count == bytes.count { flags |= HTTP2Frame.endHeaders }
            var payload = Array(bytes.prefix(count))
            bytes.removeFirst(count)
            if kind == .headers, count < 16_000, network.happens(.streamPadding) {
                let padding = network.random.below(256)
                payload = [UInt8(padding)] + payload + Array(repeating: 0, count: padding)
                flags |= HTTP2Frame.padded
            }
            frames += HTTP2Frame.bytes(kind, flags, stream: stream, payload)
            if flags & HTTP2Frame.endHeaders != 0 { break }
            kind = .continuation
            flags = 0
        }
        write(frames)
        if isEnd { noteEnd(stream) }
    }

    /// What is to be sent, when there are windows for it.
    func send(_ stream: UInt32, _ bytes: [UInt8]) {
        guard isOpen(stream) else { return }
        lanes[stream]?.output.append(bytes)
        pump()
    }

    func finish(_ stream: UInt32, trailers: [(name: String, value: String)] = []) {
        guard isOpen(stream) else { return }
        lanes[stream]?.endsAfterOutput = true
        lanes[stream]?.trailers = trailers
        pump()
    }

    /// Sends what windows let through, one frame of any stream after the other.
    func pump() {
        if isPumping { return }
        isPumping = true
        defer { isPumping = false }
        while !isOver, connection.outboxCount < written {
            let ready = lanes.filter { mayBeSent($0.value) }.keys.sorted()
            guard !ready.isEmpty else { return }
            sendFrame(ready[network.random.below(ready.count)])
        }
    }

    private func mayBeSent(_ lane: Lane) -> Bool {
        guard !lane.isClosed, !lane.saidEnd else { return false }
        if lane.output.isEmpty { return lane.endsAfterOutput }
        return lane.sendWindow > 0 && sendWindow > 0
    }

    private func sendFrame(_ stream: UInt32) {
        guard var lane = lanes[stream] else { return }
        if lane.output.isEmpty, !lane.trailers.isEmpty {
            sendHead(stream, lane.trailers, isEnd: true)
            return
        }
        var room = min(16_384, written, lane.sendWindow, sendWindow)
        var padding: Int?
        if room > 2, network.happens(.streamPadding) {
            padding = network.random.below(min(256, room - 1))
            room -= (padding ?? 0) + 1
        }
        var count = min(room, lane.output.count)
        if count > 1, network.random.below(4) == 0 { count = 1 + network.random.below(count) }
        var payload = lane.output.take(count)
        var flags: UInt8 = 0
        if let padding {
            payload = [UInt8(padding)] + payload + Array(repeating: 0, count: padding)
            flags |= HTTP2Frame.padded
        }
        let isLast = lane.output.isEmpty && lane.endsAfterOutput && lane.trailers.isEmpty
        // The end may come with the last content, or by itself.
        let isEnd = isLast && (count == 0 || network.random.below(2) == 0)
        if isEnd { flags |= HTTP2Frame.endStream }
        lane.sendWindow -= payload.count
        sendWindow -= payload.count
        lanes[stream] = lane
        write(HTTP2Frame.bytes(.data, flags, stream: stream, payload))
        if lane.output.isEmpty, lane.endsAfterOutput { user.sentContent(stream) }
        if isEnd { noteEnd(stream) }
    }

    private func noteEnd(_ stream: UInt32) {
        lanes[stream]?.saidEnd = true
        user.sentEnd(stream)
    }

    func reset(_ stream: UInt32, _ code: HTTP2Code) {
        guard isOpen(stream) else { return }
        write(HTTP2Frame.reset(stream, code))
        lanes[stream]?.isReset = true
    }

    func goAway(_ code: HTTP2Code = .noError) {
        write(HTTP2Frame.goAway(last: isClient ? 0 : lastStream, code))
    }

    // MARK: Windows

    /// A window that is nearly shut is opened, sooner or later.
    func openWindow(of stream: UInt32) {
        guard let lane = lanes[stream], !lane.sawEnd, !lane.isClosed, lane.receiveWindow < 1_000 else { return }
        let missing = pace.target - lane.receiveWindow
        later { $0.update(stream, missing) }
    }

    private func later(_ action: @escaping (HTTP2End) -> Void) {
        guard pace.latest > 0 else { return action(self) }
        network.inflicts(.windowLate)
        network.after(Int64(network.random.below(pace.latest))) { [weak self] in
            if let self, !isOver { action(self) }
        }
    }

    private func update(_ stream: UInt32, _ count: Int) {
        if stream == 0 {
            receiveWindow += count
        } else {
            guard let lane = lanes[stream], !lane.sawEnd, !lane.isClosed, !lane.isUnread else { return }
            lanes[stream]?.receiveWindow += count
        }
        write(HTTP2Frame.windowUpdate(stream, count))
    }

    func giveBack(_ stream: UInt32, _ count: Int) {
        var rest = count
        // What is small stays whole: frames would only ever become smaller.
        let piece = pace.drops && count >= 3_000 ? count / 3 + 1 : count
        while rest > 0 {
            let part = min(piece, rest)
            rest -= part
            later { $0.update(stream, part) }
        }
    }
}
