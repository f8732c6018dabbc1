import Linux
import Net
import Testing

@testable import Daemon

@Suite struct DescriptorTests {
    @Test("a socket that refuses new connections still completes those that have begun")
    func refuse() throws {
        let listener = try Socket.listen(on: .ip(.v4(0x7F00_0001), port: 0), backlog: 16)
        let address = try Socket.localAddress(listener.number)
        let early = try BlockingConnection.connect(to: address, timeoutMilliseconds: 20_000)
        Descriptors.refuseNewConnections(listener.number)
        var isPending = false
        let late = try Socket.connect(to: address, isPending: &isPending)
        #expect(isPending)
        #expect(!Poll.waitWritable(late.number, milliseconds: 20))
        var peer = SocketAddress.unix(path: "")
        let accepted = BlockingConnection(
            try Socket.accept(listener.number, peer: &peer), timeoutMilliseconds: 20_000)
        try early.send([1, 2, 3])
        early.shutdownWrite()
        #expect(try readAll(accepted) == [1, 2, 3])
    }

    @Test("descriptors travel with their message, and what nobody takes is closed")
    func passing() throws {
        let (left, right) = try MessageSocket.pair()
        let here = MessageSocket(owning: left)
        let there = MessageSocket(owning: right)
        let file = try MemoryFile.sealed(name: "test", contents: [7, 8, 9])
        try here.send([1], descriptors: [file.number, file.number])
        guard case .message(let bytes, let numbers) = there.receive() else {
            Issue.record("no message")
            return
        }
        #expect(bytes == [1])
        #expect(numbers.count == 2)
        var received = ReceivedDescriptors(numbers)
        if let first = received.takeFirst() {
            let number = first.number
            #expect(try MemoryFile.contents(of: number, limit: 10) == [7, 8, 9])
            #expect(throws: Errno.fileTooLarge) { try MemoryFile.contents(of: number, limit: 2) }
        }
        #expect(received.takeAll() == [numbers[1]])
        Descriptors.close(numbers[1])
    }

    @Test("messages keep their borders, and the other side's end is seen")
    func borders() throws {
        let (left, right) = try MessageSocket.pair()
        let there = MessageSocket(owning: right)
        do {
            let here = MessageSocket(owning: left)
            try here.send([1, 2])
            try here.send([3])
        }
        for expected in [[1, 2], [3]] as [[UInt8]] {
            guard case .message(let bytes, let numbers) = there.receive() else {
                Issue.record("no message")
                return
            }
            #expect(bytes == expected)
            #expect(numbers.isEmpty)
        }
        guard case .end = there.receive() else {
            Issue.record("no end")
            return
        }
    }

    @Test("threads run and are joined")
    func threads() throws {
        let journal = Journal()
        let thread = try Thread(name: "test", stack: 256 * 1024) { journal.write("ran") }
        thread.join()
        #expect(journal.all == ["ran"])
    }

    @Test("the environment is read as a whole")
    func environment() {
        #expect(Process.environment["PATH"] == Process.environment("PATH"))
        #expect(Process.environment("NO_SUCH_VARIABLE_OF_ANYBODY") == nil)
        #expect(Process.executablePath?.hasPrefix("/") == true)
        #expect(Process.allowedCPUs >= 1)
    }
}
