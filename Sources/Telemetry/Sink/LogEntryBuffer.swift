internal import Containers

/// One entry of the application log in the making. It grows as needed and is cut when it goes out: these are rare and
/// small.
struct LogEntryBuffer {
    let framing: LogFraming
    var bytes: [UInt8] = []

    init(framing: LogFraming) {
        self.framing = framing
    }

    /// Appends the entry to an empty chunk; what does not fit is cut off.
    func copy(priority: Int, to buffer: inout Buffer) {
        switch framing {
        case .lines:
            append(to: &buffer, reserve: 1)
            buffer.append(0x0A)
        case .journal:
            let start = LogFraming.beginEntry(priority: priority, &buffer)
            append(to: &buffer, reserve: 1)
            buffer.append(0x0A)
            LogFraming.endEntry(from: start, &buffer)
        }
    }

    private func append(to buffer: inout Buffer, reserve: Int) {
        buffer.append(bytes.span.extracting(0..<min(bytes.count, buffer.tailroom - reserve)))
    }
}
