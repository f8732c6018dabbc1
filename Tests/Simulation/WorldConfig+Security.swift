import Config
import Containers
import Net
import TLS

/// What of a world speaks TLS.
extension WorldConfig {
    /// Where clients come in with TLS.
    static func secured(_ plain: ListenerConfig, seed: UInt64) throws -> ListenerConfig {
        var random = RandomSource(seed: seed ^ 0x0715_EC11)
        var listener = plain
        listener.name = "secured"
        listener.timeouts.handshake = .seconds(4)
        listener.protocols =
            [[.http1], [.http2], [.http1, .http2], [.http2, .http1], [.http2, .http1]][random.below(5)]
        if random.below(4) == 0 { listener.proxyProtocol = [CIDRBlock(address: .v4(0x0B00_0000), prefix: 8)] }
        var tls = ListenerTLS()
        tls.certificates = [ServerCertificate(chain: try SecureContexts.chain.get(), file: "fixture.pem")]
        tls.sessionTickets = random.below(4) > 0
        var policy = TLSPolicy()
        policy.minVersion = .tls13
        tls.hosts = [TLSHost(name: .exact(SecureContexts.strictName), policy: policy)]
        listener.tls = tls
        return listener
    }

    /// Lets some endpoints be reached by TLS alone: none of them in a third of the worlds.
    static func secure(_ upstream: inout UpstreamConfig, seed: UInt64) throws {
        var random = RandomSource(seed: seed ^ 0x0715_EC22)
        let mode = random.below(3)
        guard mode > 0 else { return }
        upstream.tls = UpstreamTLS(authorities: try SecureContexts.authorities.get())
        upstream.tls?.serverName = SecureContexts.name
        upstream.timeouts.connect = .seconds(4)
        for index in upstream.endpoints.indices where mode == 1 || random.below(2) == 0 {
            upstream.endpoints[index] = secured(upstream.endpoints[index])
        }
        fitProtocol(&upstream, &random)
    }

    /// As `secure`, for endpoints that come into force later.
    static func secureAgain(_ upstream: inout UpstreamConfig, _ random: inout RandomSource) {
        guard upstream.tls != nil else { return }
        for index in upstream.endpoints.indices where random.below(3) > 0 {
            upstream.endpoints[index] = secured(upstream.endpoints[index])
        }
        fitProtocol(&upstream, &random)
    }

    /// A protocol that all of the endpoints may speak.
    static func fitProtocol(_ upstream: inout UpstreamConfig, _ random: inout RandomSource) {
        let secure = upstream.endpoints.count { $0.isTLS }
        if secure == upstream.endpoints.count {
            upstream.protocolVersion = [.http1, .http2, .auto, .auto][random.below(4)]
        } else if secure > 0 || upstream.protocolVersion == .http2 || upstream.protocolVersion == .auto {
            upstream.protocolVersion = [.http1, .http2Cleartext, .auto][random.below(3)]
        }
    }

    private static func secured(_ plain: UpstreamConfig.Endpoint) -> UpstreamConfig.Endpoint {
        let target: UpstreamConfig.Endpoint.Target =
            switch plain.target {
            case .address(.ip(let address, _)): .address(.ip(address, port: Simulation.securePort))
            case .name(let name, _): .name(name, port: Simulation.securePort)
            case .unix(let path), .address(.unix(let path)): .unix(path: path + Simulation.secureSuffix)
            }
        return UpstreamConfig.Endpoint(
            url: "https" + plain.url.dropFirst(4) + "/secure", target: target, authority: plain.authority, isTLS: true)
    }
}
