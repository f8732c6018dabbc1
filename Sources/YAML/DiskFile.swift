import Glibc

/// Reading of whole files and of directories. Blocks; used while a configuration is loaded, never on a request's path.
package enum DiskFile {
    /// Why something could not be read.
    package struct Failure: Error, Sendable, Equatable {
        /// "no such file", "permission denied".
        package var reason: String
        package init(reason: String) { self.reason = reason }
    }

    /// All bytes of a regular file (or a pipe); more than `limit` is a failure.
    package static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        // SAFETY: the path is bridged to a C string for the call; the buffer below is valid for its own count.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            }
            if count == 0 { return content }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(errno)
            }
            guard content.count + count <= limit else { throw Failure(reason: "larger than \(limit) bytes") }
            content.append(contentsOf: chunk[..<count])
        }
    }

    /// Names in a directory in order, without `.` and `..`.
    package static func list(_ path: String) throws(Failure) -> [String] {
        // SAFETY: the stream is closed once below; an entry's name ends with NUL and is copied before the next call.
        guard let stream = unsafe opendir(path) else { throw failure(errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func failure(_ code: Int32) -> Failure {
        switch code {
        case ENOENT, ENOTDIR: Failure(reason: "no such file")
        case EACCES, EPERM: Failure(reason: "permission denied")
        case EISDIR: Failure(reason: "is a directory")
        case EAGAIN: Failure(reason: "is a pipe without a writer")
        default: Failure(reason: "cannot be read (error \(code))")
        }
    }
}
