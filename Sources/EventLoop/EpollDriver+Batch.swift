public import Containers
import Linux

/// Sends that wait for the end of the turn and go to the kernel one behind the other.
///
/// Receiving and sending are two long ways through the kernel that share little code: each connection's receive followed by its send
/// throws both out of the processor's caches in turn.
extension EpollDriver {
    /// Buffers of a batch; a full one is sent at once.
    static var batchCapacity: Int { 64 }

    @usableFromInline
    package mutating func sendInTurn(_ socket: SocketID, _ buffer: consuming Buffer) {
        // SAFETY: the entry is not removed before the pointer's last use.
        guard let slot = unsafe slots.pointer(socket), !buffer.isEmpty, unsafe slot.pointee.maySend else {
            send(socket, buffer, more: false)
            return
        }
        unsafe slot.pointee.flags.formUnion(.batched)
        batch.append(BatchedSend(socket: socket, buffer: buffer))
        if batch.isFull { sendBatch() }
    }

    /// Sends what waits. The order among connections means nothing.
    mutating func sendBatch() {
        while let next = batch.popLast() {
            // SAFETY: the entry is not removed before the pointer's last use.
            guard let slot = unsafe slots.pointer(next.socket) else {
                buffers.give(next.buffer)
                continue
            }
            unsafe slot.pointee.flags.subtract(.batched)
            transmit(next.socket, unsafe slot.pointee.descriptor.number, next.buffer)
        }
    }

    /// What was sent before on this socket is with the kernel, or queued, from here on. Nothing for an unknown socket.
    @inline(__always)
    mutating func settle(_ id: SocketID) {
        // SAFETY: the entry is not removed before the pointer's last use.
        if let slot = unsafe slots.pointer(id), unsafe slot.pointee.flags.contains(.batched) { sendBatch() }
    }
}

/// A buffer that waits for the end of the turn.
@usableFromInline
struct BatchedSend: ~Copyable {
    let socket: SocketID
    let buffer: Buffer
}
