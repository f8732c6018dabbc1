import Containers
import EventLoop
import Linux
import Net
import Testing

@Suite struct EpollDriverTests {
    @Test func `the time of day is the kernel's, between two looks at its clock too`() throws {
        var driver = try EpollDriver.make(connections: 4, wake: try Wakeup())
        for _ in 0..<4 {
            let before = nanoseconds(Clock.wall)
            driver.wait(until: driver.now.advanced(by: 40_000_000))
            let told = (driver.wallClockSeconds, driver.wallClockNanoseconds)
            let after = nanoseconds(Clock.wall)
            #expect((0..<1_000_000_000).contains(told.1))
            // Wide bounds: a busy machine may stop this thread between any two of the readings.
            #expect(nanoseconds(told) > before - 500_000_000 && nanoseconds(told) < after + 500_000_000)
        }
    }

    @Test func `one wait tells of a wake-up, a new connection and bytes`() throws {
        let wake = try Wakeup()
        var driver = try EpollDriver.make(connections: 4, wake: wake)
        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 16)
        let address = try Socket.localAddress(listener.number)
        driver.listen(listener.number, listener: 7)
        let first = try connect(address)
        guard case .accepted(let socket, 7, _) = nextEvent(&driver) else {
            Issue.record("not accepted")
            return
        }
        var hello = Buffer(capacity: 16)
        hello.append("hello")
        #expect(Socket.send(first.number, hello) == .bytes(5))
        wake.signal()
        let second = try connect(address)

        var (wakes, accepts, bytes) = (0, 0, 0)
        for _ in 0..<100 where wakes == 0 || accepts == 0 || bytes < 5 {
            driver.wait(until: driver.now.advanced(by: 50_000_000))
            // What the wait saw stands before the first event is handled.
            let sawBytes = !driver.isQuiet(socket, peek: false)
            while let event = driver.next() {
                switch consume event {
                case .woken: wakes += 1
                case .accepted(_, let number, _):
                    #expect(number == 7)
                    accepts += 1
                case .data(let id, let buffer):
                    #expect(id == socket && sawBytes)
                    bytes += buffer.count
                    driver.buffers.give(buffer)
                default: Issue.record("another event")
                }
            }
        }
        #expect(wakes == 1 && accepts == 1 && bytes == 5)
        #expect(driver.buffers.outstanding == 0)
        _ = second.number
    }

    @Test(
        "what this machine has run out of is no failure of the other side",
        arguments: [Errno.tooManyFiles, .tooManyFilesInSystem, .noMemory, .noBuffers, .addressNotAvailable])
    func exhausted(error: Errno) {
        #expect(IOFailure(error) == .exhausted)
    }

    private func connect(_ address: SocketAddress) throws -> FileDescriptor {
        var isPending = false
        return try Socket.connect(to: address, isPending: &isPending)
    }

    private func nextEvent(_ driver: inout EpollDriver) -> IOEvent? {
        for _ in 0..<100 {
            driver.wait(until: driver.now.advanced(by: 50_000_000))
            if let event = driver.next() { return event }
        }
        return nil
    }

    private func nanoseconds(_ time: (seconds: Int64, nanoseconds: Int64)) -> Int64 {
        time.seconds * 1_000_000_000 + time.nanoseconds
    }
}
