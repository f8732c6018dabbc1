internal import CLinux

/// A file without a path that cannot change any more: what one process hands to the next.
package enum MemoryFile {
    /// Makes a sealed file with these contents.
    package static func sealed(name: String, contents: [UInt8]) throws(Errno) -> FileDescriptor {
        // SAFETY: the string lives during the call.
        let file = FileDescriptor(owning: try Errno.check(unsafe cl_memory_file(name)))
        try FileAccess.write(contents[...], to: file.number)
        _ = try Errno.check(cl_seal(file.number))
        return file
    }

    /// The contents from the beginning, wherever the descriptor's offset is; nil when the file is not sealed.
    package static func contents(of number: Int32, limit: Int) throws(Errno) -> [UInt8]? {
        guard cl_is_sealed(number) == 1 else { return nil }
        return try FileAccess.contents(of: number, limit: limit)
    }

    /// Whether nobody can change it any more.
    package static func isSealed(_ number: Int32) -> Bool { cl_is_sealed(number) == 1 }
}
