internal import CLinux

/// Signals as something to wait for and to read, instead of code that interrupts.
///
/// Made on the main thread before any other starts, so that every thread has these signals blocked. Equal signals that
/// arrive before they are read are one.
package struct SignalDescriptor: ~Copyable {
    private let descriptor: FileDescriptor

    package init(_ signals: [Signal]) throws(Errno) {
        let numbers = signals.map(\.rawValue)
        // SAFETY: the array lives during the call.
        descriptor = FileDescriptor(owning: try Errno.check(unsafe cl_signal_descriptor(numbers, numbers.count)))
    }

    package var number: Int32 { descriptor.number }

    /// The next signal that arrived, with the pid of its sender (0: the kernel, a terminal, another pid namespace).
    package func next() -> (signal: Signal, sender: Int32)? {
        var number: Int32 = 0
        var sender: Int32 = 0
        // SAFETY: both numbers live here.
        while unsafe cl_next_signal(descriptor.number, &number, &sender) == 1 {
            if let signal = Signal(rawValue: number) { return (signal, sender) }
        }
        return nil
    }
}
