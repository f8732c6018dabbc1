import Synchronization
import Testing

@testable import Proxy

@Suite struct AdoptionTests {
    @Test("who waits for workers is told how many have not come so far, and at once when all have")
    func counts() throws {
        let adoption = try Adoption(workers: 2)
        #expect(adoption.wait(milliseconds: 1) == 2)
        adoption.note()
        #expect(adoption.wait(milliseconds: 1) == 1)
        adoption.note()
        #expect(adoption.wait(milliseconds: 60_000) == 0)
    }

    @Test("a worker that has ended is not waited for")
    func ended() throws {
        let adoption = try Adoption(workers: 2)
        let before = Inbox {}
        let after = Inbox {}
        before.post(.told(adoption))
        #expect(before.close().isEmpty)
        #expect(after.close().isEmpty)
        after.post(.told(adoption))
        #expect(adoption.wait(milliseconds: 60_000) == 0)
    }
}
