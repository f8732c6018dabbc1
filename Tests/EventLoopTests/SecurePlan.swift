import Containers
import EventLoop
import TLS
import YAML

/// What kind of `SecureWorld` a seed makes.
struct SecurePlan {
    /// Why the ends do not come to terms.
    enum Discord: CaseIterable { case untrusted, noProtocol }

    let connections: Int
    let isUnix: Bool
    let isOld: Bool
    let hasTickets: Bool
    let beginsLate: Bool
    let serverEndsLast: Bool?
    /// Bytes that a wire holds.
    let held: Int
    let cuts: [CuttingWire.Cut]
    let fault: CuttingWire.Fault?
    /// The content is two records or three, none of them full.
    let hasTail: Bool
    /// Number of the wire that the fault hits.
    let place: Int
    let discord: Discord?
    /// Content that clients' ends send, and servers'.
    let sizes: [Int]
    /// One in so many pieces makes the reader pause.
    let pauses: Int

    init(_ random: inout RandomSource) {
        // A record that is nearly there, and then its end with the next one and what ends the connection.
        let hasTail = random.below(4) == 0
        self.hasTail = hasTail
        connections = hasTail ? 1 : 1 + random.below(3) / 2
        isUnix = random.below(2) == 0
        isOld = random.below(3) == 0
        hasTickets = random.below(2) == 0
        beginsLate = random.below(4) == 0
        serverEndsLast = [nil, false, true][random.below(3)]
        held = [40_000, 200_000, 1 << 20][random.below(3)]
        var cuts: [CuttingWire.Cut] = hasTail ? [.beforeBorder, .all] : CuttingWire.Cut.allCases
        while cuts.count > 3, random.below(8) > 0 { cuts.remove(at: random.below(cuts.count)) }
        // Something has to get on.
        let isSlow = cuts.allSatisfy { [.byte, .stall, .header].contains($0) }
        if isSlow { cuts.append(.anywhere) }
        self.cuts = cuts
        let large = cuts.contains(.byte) || cuts.contains(.header) ? 60_000 : 400_000
        sizes = (0..<2).map { _ in Self.size(&random, large: large, hasTail: hasTail) }
        let end = [60, 1_500, 4_000, 3_000 + sizes[0], 3_000 + sizes[1]][random.below(5)]
        let at = random.below(max(1, end))
        switch hasTail ? 4 : random.below(8) {
        case 0, 1: fault = .ends(at: at)
        case 2: fault = .changes(at: at)
        case 3: fault = .resets(at: at)
        case 4: fault = .losesCloseNotify
        default: fault = nil
        }
        place = random.below(2 * connections)
        discord = fault == nil && random.below(5) == 0 ? Discord.allCases[random.below(2)] : nil
        pauses = [2, 10, .max][random.below(3)]
    }

    var isChanged: Bool { if case .changes = fault { true } else { false } }

    private static func size(_ random: inout RandomSource, large: Int, hasTail: Bool) -> Int {
        if hasTail { return 17_000 + random.below(15_000) }
        return switch random.below(6) {
        case 0: 0
        case 1: 1
        case 2: 16_383 + random.below(4)
        case 3: random.below(3_000)
        default: random.below(large)
        }
    }

    /// Bytes of a send.
    func piece(_ random: inout RandomSource) -> Int {
        if hasTail { return 8_500 + random.below(7_800) }
        return switch random.below(6) {
        case 0: 1
        case 1: 1 + random.below(100)
        case 2: 16_384
        case 3: 16_385
        case 4: 1 + random.below(16_000)
        default: 114_000 + random.below(2_000)
        }
    }

    static func content(_ count: Int, _ isServer: Bool) -> [UInt8] {
        let step = isServer ? 31 : 37
        return (0..<count).map { UInt8(truncatingIfNeeded: $0 &* step &+ ($0 >> 8) &* 7) }
    }

    // MARK: Contexts

    /// Whom the client wants to speak to.
    var name: String { discord == .untrusted ? "evil.example" : "api.example.com" }

    func server() throws -> TLSServer {
        try Self.servers[(hasTickets ? 1 : 0) + (discord == .noProtocol ? 2 : 0)].get()
    }

    func client() throws -> TLSClientContext {
        var settings = TLSClientContext.Settings()
        settings.authorities = try Self.read("ca.pem")
        settings.maxVersion = isOld ? .tls12 : nil
        settings.protocols = discord == .noProtocol ? [.http2] : [.http1]
        return try TLSClientContext(settings)
    }

    private static let servers: [Result<TLSServer, any Error>] = (0..<4).map { kind in
        Result {
            let chain = try CertificateChain(certificates: read("ecdsa.pem"), key: read("ecdsa.key"))
            var settings = TLSServerContext.Settings(policy: [UInt8](repeating: 0, count: 32))
            settings.tickets = kind & 1 == 0 ? nil : TLSTicketKeys()
            settings.protocols = kind & 2 == 0 ? [.http2, .http1] : [.http1]
            let identity = TLSServerContext.Identity(chain: chain.certificatePEM, key: chain.privateKeyPEM)
            return TLSServer(standard: try TLSServerContext(settings, identities: [identity]))
        }
    }

    /// A file of the fixtures of TLS.
    private static func read(_ name: String) throws -> [UInt8] {
        let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return try DiskFile.read("\(tests)/TLSTests/Fixtures/\(name)", limit: 1 << 20)
    }
}
