import Linux
import Testing

@testable import Daemon

@Suite struct ConfigSnapshotTests {
    static let sample = ConfigSnapshot(generation: 17, record: Array("listen: :80\n".utf8))

    @Test("a snapshot survives the way through a sealed memory file")
    func memoryFile() throws {
        let file = try MemoryFile.sealed(name: "test", contents: Self.sample.bytes)
        #expect(MemoryFile.isSealed(file.number))
        #expect(ConfigSnapshot.read(from: file.number) == Self.sample)
        #expect(ConfigSnapshot.read(from: file.number) == Self.sample)
        #expect(throws: Errno.self) { try FileAccess.write([1], to: file.number) }
    }

    @Test("a snapshot that was cut is refused")
    func cut() {
        let bytes = Self.sample.bytes
        for count in 0..<bytes.count {
            #expect(throws: MalformedMessage.self) { try ConfigSnapshot(bytes: Array(bytes.prefix(count))) }
        }
        #expect(throws: MalformedMessage.self) { try ConfigSnapshot(bytes: bytes + [0]) }
    }

    @Test("a descriptor that is no sealed file has no snapshot")
    func unsealed() throws {
        let (left, right) = try MessageSocket.pair()
        defer {
            Descriptors.close(left)
            Descriptors.close(right)
        }
        #expect(!MemoryFile.isSealed(left))
        #expect(ConfigSnapshot.read(from: left) == nil)
    }
}
