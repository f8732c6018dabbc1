internal import CLinux

/// Blocking access to small files and to the standard streams; for the control thread, never for a worker.
package enum FileAccess {
    /// What `path` says, at most `limit` bytes; `tooLarge` when there is more.
    package static func contents(ofPath path: String, limit: Int) throws(Errno) -> [UInt8] {
        // SAFETY: the string lives during the call.
        let file = FileDescriptor(owning: try Errno.check(unsafe cl_open_read(path)))
        var bytes: [UInt8] = []
        let chunk = 64 * 1024
        while true {
            var result = 0
            let part = unsafe [UInt8](unsafeUninitializedCapacity: chunk) { buffer, initialized in
                // SAFETY: the kernel initialises what it counts.
                result = unsafe cl_read(file.number, buffer.baseAddress, buffer.count)
                initialized = max(0, result)
            }
            if result < 0 { throw Errno(Int32(truncatingIfNeeded: -result)) }
            if result == 0 { return bytes }
            if bytes.count + part.count > limit { throw .fileTooLarge }
            bytes += part
        }
    }

    /// A file's bytes from its beginning; its offset is neither used nor moved.
    package static func contents(of number: Int32, limit: Int) throws(Errno) -> [UInt8] {
        let size = cl_file_size(number)
        if size < 0 { throw Errno(Int32(truncatingIfNeeded: -size)) }
        if size > Int64(limit) { throw .fileTooLarge }
        var failure = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, initialized in
            while initialized < Int(size), let base = buffer.baseAddress {
                // SAFETY: what is left of the block begins at `initialized`.
                let result = unsafe cl_read_at(number, base + initialized, Int(size) - initialized, Int64(initialized))
                if result <= 0 {
                    failure = result
                    return
                }
                initialized += result
            }
        }
        if failure < 0 { throw Errno(Int32(truncatingIfNeeded: -failure)) }
        return bytes
    }

    /// Writes all of it.
    package static func write(_ bytes: ArraySlice<UInt8>, to number: Int32) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            // SAFETY: the memory is the slice's and lives during the call.
            let result = unsafe rest.withUnsafeBufferPointer { unsafe cl_write(number, $0.baseAddress, $0.count) }
            if result < 0 { throw Errno(Int32(truncatingIfNeeded: -result)) }
            rest = rest.dropFirst(result)
        }
    }

    /// Writes text to standard output; false when nobody reads it.
    @discardableResult
    package static func print(_ text: String) -> Bool { writeText(text, to: 1) }

    /// Writes text to standard error.
    @discardableResult
    package static func printError(_ text: String) -> Bool { writeText(text, to: 2) }

    private static func writeText(_ text: String, to number: Int32) -> Bool {
        do {
            try write(Array(text.utf8)[...], to: number)
            return true
        } catch {
            return false
        }
    }
}

extension FileAccess {
    /// Writes a file beside `path` and renames it: readers see the old contents or the new, never a part.
    package static func replaceFile(_ path: String, with bytes: [UInt8]) throws(Errno) {
        let temporary = "\(path).\(Process.id).new"
        // SAFETY: the string lives during the call.
        let file = FileDescriptor(owning: try Errno.check(unsafe cl_create(temporary)))
        do throws(Errno) {
            try write(bytes[...], to: file.number)
            try SocketFile.rename(temporary, to: path)
        } catch {
            try? SocketFile.remove(temporary)
            throw error
        }
    }
}
