import Fuzzing
import Testing

/// A moment of fuzzing without a fuzzer: inputs of the corpus with a few bytes changed, the same ones in each run.
@Suite struct MutationTests {
    /// Bytes that mean something to a parser, so that changes reach it.
    private static let spice =
        Array("\r\n\t :,;=%?#/*@[].{}\"0159afAFxX\0\u{7F}".utf8) + [0x80, 0x81, 0x88, 0xC3, 0xFE, 0xFF]

    /// Inputs of a whole world cost a thousand times what those of a parser cost.
    private static func count(_ target: FuzzTarget) -> Int {
        switch target {
        case .downstream, .upstream, .http2Downstream, .http2Upstream: 40
        case .config, .tlsRecords: 60
        case .requestHead, .responseHead, .chunked, .webSocket, .path, .forwarded, .hpack, .frames: 600
        }
    }

    @Test(arguments: FuzzTarget.allCases) func `no changed input breaks a promise`(target: FuzzTarget) {
        let inputs = Inputs.all("Corpus", of: target)
        #expect(!inputs.isEmpty)
        var state = UInt64(target.rawValue.utf8.count)
        func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % max(1, limit)
        }
        for _ in 0..<Self.count(target) where !inputs.isEmpty {
            let input = inputs[below(inputs.count)]
            var bytes = Array(input.bytes.prefix(400))
            for _ in 0...below(4) {
                let at = below(bytes.count + 1)
                switch below(4) {
                case 0: bytes.insert(Self.spice[below(Self.spice.count)], at: at)
                case 1 where at < bytes.count: bytes.remove(at: at)
                case 2 where at < bytes.count: bytes[at] = Self.spice[below(Self.spice.count)]
                case 3 where at < bytes.count: bytes[at] = UInt8(below(256))
                default: bytes.append(UInt8(below(256)))
                }
            }
            do throws(FuzzViolation) {
                try target.run(bytes)
            } catch {
                Issue.record("\(target.rawValue), out of \(input.name): \(error): \(bytes)")
            }
        }
    }
}
