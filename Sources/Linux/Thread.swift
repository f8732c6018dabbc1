internal import CLinux

/// A thread of the kernel, for work that blocks.
package struct Thread: ~Copyable, Sendable {
    private let handle: UInt64

    /// Starts a thread that is waited for with `join`. `name` shows in `top -H`, at most 15 bytes; `stack` 0: the usual size.
    package init(name: String, stack: Int = 0, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        var handle: UInt64 = 0
        // SAFETY: the number lives here.
        try unsafe Self.start(name: name, stack: stack, body, handle: &handle)
        self.handle = handle
    }

    /// Starts a thread that nobody waits for.
    package static func detach(name: String, stack: Int = 0, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        // SAFETY: without a place for the handle the thread is detached.
        try unsafe start(name: name, stack: stack, body, handle: nil)
    }

    /// Waits until the body has returned.
    package consuming func join() {
        _ = cl_join_thread(handle)
    }

    /// Ties the calling thread to one CPU of its affinity mask: the one at `index`, counted round.
    package static func pin(toCPU index: Int) {
        _ = cl_pin_thread(Int32(truncatingIfNeeded: index & 0xFFFF))
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private static func start(
        name: String, stack: Int, _ body: @escaping @Sendable () -> Void, handle: UnsafeMutablePointer<UInt64>?
    ) throws(Errno) {
        let context = unsafe Unmanaged.passRetained(Body(body))
        // SAFETY: the thread takes over the reference; nobody else uses the context.
        let result = unsafe cl_start_thread(
            { context in
                guard let context = unsafe context else { return }
                unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, context.toOpaque(), stack, name, handle)
        guard result < 0 else { return }
        // SAFETY: the thread was not made, so the reference is still ours.
        unsafe context.release()
        throw Errno(-result)
    }
}
