internal import CLinux

/// Waiting for a few descriptors, for threads that have no event loop.
package enum Poll {
    /// Which of up to 32 descriptors are readable, at their end, or broken: a bit each, by their index.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package func contains(index: Int) -> Bool { rawValue & (1 << UInt32(index)) != 0 }
    }

    /// Waits until one is ready; nil waits for ever. Empty after the time, and when a signal handler ran.
    package static func wait(_ descriptors: [Int32], milliseconds: Int32?) -> Readiness {
        var ready: UInt32 = 0
        // SAFETY: array and number live during the call.
        _ = unsafe cl_poll(descriptors, descriptors.count, milliseconds ?? -1, &ready)
        return Readiness(rawValue: ready)
    }

    /// Waits until a descriptor can be written to, or is broken. False after the time.
    package static func waitWritable(_ descriptor: Int32, milliseconds: Int32) -> Bool {
        cl_poll_writable(descriptor, milliseconds) > 0
    }
}
