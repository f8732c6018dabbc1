import Containers
import HTTP
import HTTP1

/// Trailers that a route lets through from clients.
enum AllowedTrailers {
    static func append(_ trailers: borrowing TrailerSection, only names: [[UInt8]], to buffer: inout Buffer) {
        for index in 0..<trailers.count {
            let line = trailers[index]
            let end = line.value.upper &+ 2
            guard !line.isRemoved, end &- line.name.lower <= buffer.tailroom else { continue }
            for name in names where ByteClass.equalsIgnoringCase(trailers.bytes.extracting(line.name.range), name.span)
            {
                buffer.append(trailers.bytes.extracting(line.name.lower..<end))
                break
            }
        }
    }
}
