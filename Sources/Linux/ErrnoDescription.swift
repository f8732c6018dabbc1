internal import CLinux

extension Errno {
    package static let noSuchProcess = Errno(3)
    package static let fileExists = Errno(17)
    package static let invalidArgument = Errno(22)
    package static let fileTooLarge = Errno(27)
    package static let nameTooLong = Errno(36)
    package static let messageTooLong = Errno(90)
}

extension Errno: CustomStringConvertible {
    /// The kernel's words for it, lower case first: `address already in use`.
    @usableFromInline package var description: String {
        // SAFETY: the C library's texts are constants.
        guard let text = unsafe cl_error_text(number) else { return "error \(number)" }
        let words = unsafe String(cString: text)
        return words.prefix(1).lowercased() + words.dropFirst()
    }
}
