internal import Containers
internal import Linux
internal import Synchronization

/// Writes what a queue brings, on a thread of its own: the only place where a full disk or a blocked pipe is waited
/// for.
struct LogWriter: ~Copyable {
    /// How long one attempt waits for a pipe or socket.
    private static let patience: Int32 = 200
    /// Attempts in vain after which a writer that shall stop gives up.
    private static let attemptsWhenStopping = 5

    private let queue: LogQueue
    /// Opens the output anew: after it was retired, or when journald was restarted.
    private let open: @Sendable () -> LogFile?
    private var file: LogFile?
    /// The output ends in the middle of a line, because the rest of it could not be written.
    private var isInsideLine = false

    init(_ queue: LogQueue, open: @escaping @Sendable () -> LogFile?) {
        self.queue = queue
        self.open = open
    }

    mutating func run() {
        LogFile.blockSignals()
        var chunks: [LogChunk] = []
        chunks.reserveCapacity(LogQueue.chunksLimit)
        while queue.next(&file, &chunks) {
            for chunk in chunks {
                if file == nil { file = open() }
                let dropped = chunk.content.withLock { content in
                    switch queue.framing {
                    case .lines: writeLines(&content)
                    case .journal: writeEntries(&content)
                    }
                }
                if dropped > 0 { queue.drop(dropped) }
                queue.giveBack(chunk)
            }
        }
        queue.noteFinished()
    }

    /// Writes all lines; returns how many could not be.
    private mutating func writeLines(_ content: inout LogChunk.Content) -> Int {
        let lines = content.lines
        var canWrite = true
        if isInsideLine {
            var end = Buffer(capacity: 1)
            end.append(0x0A)
            canWrite = write(&end, limit: 1)
        }
        while canWrite && !content.buffer.isEmpty {
            canWrite = write(&content.buffer, limit: content.buffer.count)
        }
        let dropped = Self.lineEnds(content.buffer.span)
        queue.writtenLines.wrappingAdd(lines - dropped, ordering: .relaxed)
        return dropped
    }

    /// Writes the front of the buffer; false when that failed for good.
    private mutating func write(_ buffer: inout Buffer, limit: Int) -> Bool {
        var attempts = 0
        while true {
            guard file != nil, let result = file?.write(buffer, limit: limit, milliseconds: Self.patience) else {
                return false
            }
            switch result {
            case .bytes(let count):
                isInsideLine = buffer[count - 1] != 0x0A
                buffer.dropFirst(count)
                return true
            case .wouldBlock:
                attempts += 1
                if attempts >= Self.attemptsWhenStopping && queue.isStopping { return false }
            case .failed:
                return false
            }
        }
    }

    /// Sends each entry as one datagram; returns how many could not be sent.
    private mutating func writeEntries(_ content: inout LogChunk.Content) -> Int {
        var dropped = 0
        var mayReconnect = true
        while !content.buffer.isEmpty {
            let length = LogFraming.entryLength(content.buffer)
            content.buffer.dropFirst(min(LogFraming.lengthBytes, content.buffer.count))
            let rest = content.buffer.count - length
            if !write(&content.buffer, limit: length), mayReconnect {
                // journald was restarted: its socket is another one now.
                mayReconnect = false
                if let new = open() { file = consume new }
                _ = write(&content.buffer, limit: length)
            }
            if content.buffer.count > rest {
                dropped += 1
                content.buffer.dropFirst(content.buffer.count - rest)
            }
        }
        queue.writtenLines.wrappingAdd(content.lines - dropped, ordering: .relaxed)
        return dropped
    }

    private static func lineEnds(_ bytes: Span<UInt8>) -> Int {
        var count = 0
        for index in 0..<bytes.count where bytes[index] == 0x0A { count += 1 }
        return count
    }
}
