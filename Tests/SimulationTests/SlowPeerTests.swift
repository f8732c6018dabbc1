import Config
import Containers
import HTTP
import Net
import Proxy
import Simulation
import Telemetry
import Testing

/// Clients that are slow, and clients that only look slow because somebody else is. Virtual seconds.
@Suite struct SlowPeerTests {
    @Test func `an upload at the minimum rate is not cut`() throws {
        var scene = try Scene(origin: Script.answerAfter(content: 60_000))
        let client = scene.client { peer in
            peer.send(Script.post(60_000))
            peer.trickle(60_000, piece: 300, every: .seconds(1))
        }
        scene.run(.seconds(210))
        #expect(client.text.hasPrefix("HTTP/1.1 200"), "\(client.text)")
    }

    @Test func `an upload below the minimum rate is answered 408 when its patience is over, and never completed`()
        throws
    {
        var isComplete = false
        var scene = try Scene(origin: Script.answerAfter(content: 60_000) { isComplete = true })
        let client = scene.client { peer in
            peer.send(Script.post(60_000))
            peer.trickle(60_000, piece: 1, every: .seconds(1))
        }
        scene.run(.seconds(60))
        #expect(client.text.hasPrefix("HTTP/1.1 408") && client.text.contains("request_body_too_slow"))
        let seconds = try #require(client.seconds)
        #expect(seconds > 9.9 && seconds < 12, "\(seconds)")
        #expect(!isComplete && scene.worker.counters.count(.bodyTooSlow) == 1)
        #expect(scene.worker.accounts.downstreams == 0 && scene.worker.accounts.upstreams == 0)
    }

    @Test func `bytes of the answer do not buy time for a request that stalls`() throws {
        var scene = try Scene { peer in
            peer.onBytes = {
                peer.onBytes = {}
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                peer.trickle(100_000, piece: 1_000, every: .seconds(1))
            }
        }
        let client = scene.client { peer in peer.send(Script.post(60_000) + "begin") }
        scene.run(.seconds(40))
        let seconds = try #require(client.seconds)
        #expect(seconds < 16, "\(seconds)")
    }

    @Test func `the rate is the one that is configured, and can be off`() throws {
        for (rate, isCut) in [(20, false), (2_000, true), (nil, false)] as [(Int?, Bool)] {
            var scene = try Scene(origin: Script.answerAfter(content: 4_000)) { config in
                config.listeners[0].limits.requestRate = rate
            }
            let client = scene.client { peer in
                peer.send(Script.post(4_000))
                peer.trickle(4_000, piece: 100, every: .seconds(1))
            }
            scene.run(.seconds(60))
            #expect(client.text.hasPrefix(isCut ? "HTTP/1.1 408" : "HTTP/1.1 200"), "\(String(describing: rate))")
        }
    }

    @Test func `an upstream that takes the request slowly is not the client's fault`() throws {
        var scene = try Scene { peer in
            peer.read(.slowly(bytes: 1_000, every: 10_000_000_000))
            Script.answerAfter(content: 300_000)(peer)
        } configure: { config in
            // What its kernel holds is sent, as far as we know.
            config.upstreams[0].timeouts.response = .seconds(3_000)
        }
        let client = scene.client { peer in
            peer.send(Script.post(300_000))
            peer.send(zeros: 300_000)
        }
        // 100 bytes a second reach the upstream: the client waits with whole buffers.
        scene.run(.seconds(3_100))
        #expect(client.text.hasPrefix("HTTP/1.1 200"), "\(client.text)")
    }

    @Test func `a client that was fast may pause as long as the idle timeout`() throws {
        for (pause, isCut) in [(25, false), (35, true)] {
            var scene = try Scene(origin: Script.answerAfter(content: 100_000))
            let client = scene.client { peer in
                peer.send(Script.post(100_000))
                peer.send(zeros: 50_000)
                peer.after(.seconds(pause)) { peer.send(zeros: 50_000) }
            }
            scene.run(.seconds(60))
            #expect(client.text.hasPrefix(isCut ? "HTTP/1.1 408" : "HTTP/1.1 200"), "\(pause)")
        }
    }

    @Test func `a client that waits for 100 Continue waits for the upstream`() throws {
        var scene = try Scene { peer in
            peer.onBytes = {
                peer.onBytes = {}
                peer.after(.seconds(50)) { peer.send("HTTP/1.1 100 Continue\r\n\r\n") }
                Script.answerAfter(content: 10)(peer)
            }
        } configure: { config in
            config.upstreams[0].timeouts.response = .seconds(60)
        }
        let client = scene.client { peer in
            peer.send(Script.post(10, "Expect: 100-continue\r\n"))
            peer.onBytes = {
                peer.onBytes = {}
                peer.send("0123456789")
            }
        }
        scene.run(.seconds(55))
        #expect(client.text.contains("HTTP/1.1 200 OK"), "\(client.text)")
    }

    @Test func `a client that got its 100 Continue has to send`() throws {
        var scene = try Scene { peer in
            peer.onBytes = {
                peer.onBytes = {}
                peer.send("HTTP/1.1 100 Continue\r\n\r\n")
            }
        }
        let client = scene.client { peer in peer.send(Script.post(10, "Expect: 100-continue\r\n")) }
        scene.run(.seconds(20))
        #expect(client.text.contains("HTTP/1.1 408"), "\(client.text)")
    }

    // MARK: Readers

    @Test func `an answer is read at the minimum rate as long as it takes`() throws {
        var scene = try Scene(origin: Script.answer(count: 400_000))
        let client = scene.client { peer in
            peer.read(.slowly(bytes: 600, every: 2_000_000_000))
            peer.send(Script.get)
        }
        scene.run(.seconds(1_500))
        #expect(client.count > 400_000 && !client.isReset)
    }

    @Test func `a reader below the minimum rate is cut and lets the upstream go`() throws {
        var scene = try Scene(origin: Script.answer(count: 10_000_000))
        let client = scene.client { peer in
            peer.read(.slowly(bytes: 1, every: 1_000_000_000))
            peer.send(Script.get)
        }
        scene.run(.seconds(90))
        #expect(client.isReset)
        #expect(scene.worker.counters.count(.readTooSlow) == 1)
        #expect(scene.worker.accounts.upstreams == 0 && scene.worker.accounts.exchanges == 0)
        #expect(scene.network.queuedBytesMax < 196_608)
    }

    @Test func `a reader that stops is cut after the idle timeout, also while it sends`() throws {
        var scene = try Scene { peer in
            Script.answer(count: 10_000_000)(peer)
        } configure: { config in
            config.listeners[0].limits.responseRate = nil
        }
        let client = scene.client { peer in
            peer.read(.never)
            peer.send(Script.post(1_000_000))
            peer.trickle(1_000_000, piece: 1_000, every: .seconds(1))
        }
        scene.run(.seconds(70))
        #expect(scene.worker.counters.count(.writeTimeout) == 1)
        #expect(client.isReset)
    }

    @Test func `the time that a kept connection may be idle does not end an upload on it`() throws {
        var connection: SimulatedConnection?
        var origin: ScriptedPeer?
        var scene = try Scene(
            origin: { peer in
                origin = peer
                connection = peer.connection
                peer.onBytes = {
                    peer.onBytes = {}
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n01")
                    peer.read(.never)
                }
            }, configure: { $0.upstreams[0].pool.idleTimeout = .seconds(2) })
        let client = scene.client { $0.send(Script.get) }
        scene.run(.milliseconds(100))
        // A request that fills all but a little of the way there: it is answered, unread, and the connection kept.
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        scene.run(.milliseconds(100))
        let room = try #require(connection?.roomTowardsPeer)
        let framing = 200
        let count = room - framing
        client.send(String(count, radix: 16) + "\r\n")
        client.send(zeros: count)
        client.send("\r\n0\r\n\r\n")
        scene.run(.milliseconds(100))
        origin?.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n02")
        scene.run(.milliseconds(100))
        #expect(client.text.hasSuffix("02"), "\(client.text)")

        // There is no room for the next head: it is queued longer than the connection might have been idle.
        let padding = String(repeating: "p", count: 2 * framing)
        client.send(Script.post(10, "X-Padding: \(padding)\r\n"))
        scene.run(.seconds(4))
        #expect(client.occurrences(of: "HTTP/1.1") == 2, "\(client.text)")
        origin?.read(.atOnce)
        client.send(zeros: 10)
        scene.run(.seconds(1))
        origin?.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n03")
        scene.run(.milliseconds(100))
        #expect(client.text.hasSuffix("03"), "\(client.text)")
    }

    @Test func `an upstream that answers slowly is not the client's fault`() throws {
        var scene = try Scene { peer in
            peer.onBytes = {
                peer.onBytes = {}
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                peer.trickle(100, piece: 1, every: .seconds(20))
            }
        }
        let client = scene.client { $0.send(Script.get) }
        scene.run(.seconds(2_100))
        #expect(client.text.hasSuffix(String(repeating: "0", count: 100)), "\(client.text)")
    }

    // MARK: Waiting

    @Test func `a connection without a byte ends after first_byte, one between requests after keep_alive`() throws {
        var scene = try Scene(configure: { config in
            config.listeners[0].timeouts.firstByte = .seconds(7)
            config.listeners[0].timeouts.keepAlive = .seconds(20)
        })
        let silent = scene.client { _ in }
        let idle = scene.client { $0.send(Script.get) }
        scene.run(.seconds(30))
        #expect(try #require(silent.seconds) > 6.9 && silent.seconds ?? 0 < 7.5)
        #expect(try #require(idle.seconds) > 19.9 && idle.seconds ?? 0 < 21)
    }

    @Test func `a head has its time from the first byte, however it trickles`() throws {
        var scene = try Scene()
        let client = scene.client { peer in
            peer.after(.seconds(20)) {
                peer.send("GET /")
                peer.trickle(1_000, piece: 1, every: .seconds(1))
            }
        }
        scene.run(.seconds(60))
        #expect(client.text.hasPrefix("HTTP/1.1 408"))
        #expect(try #require(client.seconds) > 29.9 && client.seconds ?? 0 < 31.5)
        #expect(scene.worker.counters.count(.requestTimeout) == 1)
    }

    @Test func `an upstream's head has its time from the request's last byte, however it trickles`() throws {
        var scene = try Scene { peer in
            peer.onBytes = {
                peer.onBytes = {}
                peer.send("HTTP/1.1 200 OK\r\nX: ")
                peer.trickle(1_000, piece: 1, every: .seconds(1))
            }
        }
        let client = scene.client { $0.send(Script.get) }
        scene.run(.seconds(60))
        #expect(client.text.hasPrefix("HTTP/1.1 504") && client.text.contains("response_timeout"))
        #expect(scene.worker.accounts.upstreams == 0)
    }

    /// Seconds until the gateway closes a connection whose last answer is out, to a client that goes on sending.
    private func lingering(_ bytes: Int, limit: Int = 64 << 20) throws -> Int {
        var scene = try Scene(configure: { config in
            config.listeners[0].timeouts.lingerIdle = .seconds(3)
            config.listeners[0].timeouts.linger = .seconds(8)
            config.listeners[0].limits.linger = limit
        })
        let client = scene.client { peer in
            peer.closesAtEnd = false
            peer.send("nonsense\r\n\r\n")
            peer.after(.seconds(1)) { peer.trickle(1_000_000, piece: bytes, every: .seconds(1)) }
        }
        var seconds = 0
        scene.run(.milliseconds(500))
        while scene.worker.accounts.downstreams > 0, seconds < 60 {
            scene.run(.seconds(1))
            seconds += 1
        }
        #expect(client.text.hasPrefix("HTTP/1.1 400"))
        return seconds
    }

    @Test func `after the last answer a client that stays is closed, silent or not`() throws {
        #expect(try lingering(0) == 3)
        #expect(try lingering(100) == 8)
        #expect(try lingering(100, limit: 250) == 3)
    }
}
