import Containers
import TLS

/// The keys of TLS sessions on their way to the next gateway process: the supervisor keeps them as bytes, and only in memory.
package struct SessionKeys: Sendable, Equatable {
    package var bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    init(_ heritage: TLSTicketKeys.Heritage) {
        var writer = MessageWriter()
        // The clock of the machine never says 0 again.
        writer.write(UInt64(clamping: heritage.nextRotation?.nanoseconds ?? 0))
        writer.write(heritage.keys)
        bytes = writer.bytes
    }

    var heritage: TLSTicketKeys.Heritage {
        get throws(MalformedMessage) {
            var reader = MessageReader(bytes)
            guard let time = Int64(exactly: try reader.number64()) else { throw MalformedMessage() }
            let keys = try reader.blob()
            try reader.finish()
            return TLSTicketKeys.Heritage(keys: keys, nextRotation: time == 0 ? nil : Instant(nanoseconds: time))
        }
    }
}
