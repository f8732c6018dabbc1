internal import CTLS
package import Containers
import Synchronization

/// The keys that session tickets (RFC 5077, RFC 8446 section 4.6.1) are sealed with: shared by all contexts and workers, kept over
/// reloads. The newest seals; as long as a ticket may live, the older ones open.
@safe
package final class TLSTicketKeys: Sendable {
    /// Bytes of a key: its name, a cipher key and an authentication key.
    package static let keyCount = Int(CTLS_TICKET_KEY_COUNT)
    /// Keys at once: the newest, and those before it.
    package static let limit = 3

    /// Nanoseconds that a key seals: with the two before it, tickets open for two hours at least, which is as long as they hold.
    package static let sealingTime: Int64 = 3_600_000_000_000

    private struct State {
        var keys: [UInt8] = []
        var nextRotation: Instant?
    }

    // SAFETY: the library's object has a lock of its own.
    nonisolated(unsafe) let tickets: OpaquePointer
    private let state = Mutex(State())

    /// With a first key. Nil when memory or randomness has run out.
    package init?() {
        guard let tickets = unsafe ctls_tickets_new() else { return nil }
        unsafe self.tickets = tickets
        guard rotate() else { return nil }
    }

    deinit {
        unsafe ctls_tickets_release(tickets)
    }

    /// Makes a new key when the newest has served its time. Called now and then.
    package func keepFresh(now: Instant) {
        let isDue = state.withLock { state in
            guard let next = state.nextRotation else {
                state.nextRotation = now.advanced(by: Self.sealingTime)
                return false
            }
            if now < next { return false }
            state.nextRotation = now.advanced(by: Self.sealingTime)
            return true
        }
        // Without randomness the old key goes on.
        if isDue { _ = rotate() }
    }

    /// A new key seals from here on. False: there is no randomness to be had.
    @discardableResult
    package func rotate() -> Bool {
        var made = [UInt8](repeating: 0, count: Self.keyCount)
        // SAFETY: as many bytes are written as there is room for.
        guard unsafe made.withUnsafeMutableBufferPointer({ unsafe ctls_random($0.baseAddress, $0.count) }) == 1 else {
            return false
        }
        state.withLock { state in
            state.keys = Array((made + state.keys).prefix(Self.limit * Self.keyCount))
            set(state.keys)
        }
        return true
    }

    /// What a successor goes on with. Secret.
    package struct Heritage: Sendable, Equatable {
        /// Newest first.
        package var keys: [UInt8]
        /// When the newest has served its time, by the clock of the machine; nil: it has just begun.
        package var nextRotation: Instant?

        package init(keys: [UInt8], nextRotation: Instant? = nil) {
            self.keys = keys
            self.nextRotation = nextRotation
        }
    }

    package var heritage: Heritage {
        state.withLock { Heritage(keys: $0.keys, nextRotation: $0.nextRotation) }
    }

    /// Takes over the keys of a predecessor. False: these are none.
    package func adopt(_ heritage: Heritage) -> Bool {
        let keys = heritage.keys
        guard !keys.isEmpty, keys.count.isMultiple(of: Self.keyCount), keys.count <= Self.limit * Self.keyCount else {
            return false
        }
        state.withLock { state in
            state.keys = keys
            state.nextRotation = heritage.nextRotation
            set(keys)
        }
        return true
    }

    private func set(_ all: [UInt8]) {
        // SAFETY: the library copies the keys during the call.
        unsafe all.withUnsafeBufferPointer { bytes in
            unsafe ctls_tickets_set(tickets, bytes.baseAddress, bytes.count / Self.keyCount)
        }
    }
}
