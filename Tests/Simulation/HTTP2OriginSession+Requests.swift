import Containers

/// What the gateway asks of an origin on its streams.
extension HTTP2OriginSession: HTTP2EndUser {
    func head(_ stream: UInt32, _ fields: [(name: String, value: String)], isEnd: Bool) {
        do throws(StrictHead.Malformed) {
            if stream > lastBegun {
                lastBegun = stream
                begin(stream, try HTTP2Fields.request(fields, isSecure: connection.peerSecurity != nil), isEnd: isEnd)
            } else {
                try HTTP2Fields.trailers(fields)
                if !isEnd { throw .init(reason: "trailers without an end") }
                if isEnd { complete(stream) }
            }
        } catch {
            network.violate("the gateway sent a malformed request: \(error.reason): \(fields)")
        }
    }

    private func begin(_ stream: UInt32, _ head: StrictHead, isEnd: Bool) {
        guard let end else { return }
        if end.isOver { return }
        served += 1
        if let streamsLimit, end.hasOwnSettings, end.openCount > streamsLimit {
            network.violate("\(end.openCount) streams on connection \(connection.number), which takes \(streamsLimit)")
        }
        let nonce = String(head.startLine.split(separator: " ").dropFirst().first?.dropFirst(3).prefix(16) ?? "")
        if stream > lastServed {
            shadow.exchange(nonce)?.taints.append("behind an origin's GOAWAY")
            return
        }
        if network.happens(.originRefusesStream) {
            shadow.exchange(nonce)?.taints.append("stream refused")
            end.reset(stream, .refusedStream)
            return
        }
        if network.random.below(4) == 0, network.happens(.originGoesAway) {
            // This one and those behind it were never begun.
            shadow.exchange(nonce)?.taints.append("behind an origin's GOAWAY")
            goAway(behind: stream > 2 ? stream - 2 : 0)
            if works.isEmpty { forget(stream) }
            return
        }
        guard let seen = shadow.origin(sees: nonce, head: head, isLate: true) else {
            leave(byReset: true)
            return
        }
        network.note { "origin sees \(nonce) on \(connection.number), stream \(stream)" }
        works[stream] = Work(
            exchange: seen, expected: Payload.bytes(nonce, .request, count: seen.plan.requestBody.count))
        if head.values("expect") == ["100-continue"] { end.sendHead(stream, [(":status", "100")], isEnd: false) }
        if seen.plan.originDefect == .stopsReading {
            network.inflicts(.originStopsReading)
            taint(stream, "not read")
            end.stopReading(stream)
        } else if seen.plan.answersEarly {
            network.inflicts(.originEarlyAnswer)
            seen.isEarly = true
            think(stream)
        }
        if seen.tunnelPlan != nil {
            if isEnd { network.violate("\(nonce): CONNECT that ends the stream") }
            complete(stream)
        } else if isEnd {
            complete(stream)
        }
    }

    /// RFC 8441 section 5.
    private func switchProtocols(_ stream: UInt32, _ exchange: ShadowModel.Exchange, _ plan: TunnelPlan) {
        guard let end else { return }
        let nonce = (name: "x-nonce", value: exchange.plan.nonce)
        switch plan.handshake {
        case .refused:
            network.inflicts(.tunnelRefused)
            end.sendHead(stream, [(":status", "403"), nonce, ("content-length", "2")], isEnd: false)
            end.send(stream, Array("no".utf8))
            end.finish(stream)
        case .wrongKey:
            // There is no key: a failure of its own kind.
            network.inflicts(.tunnelWrongKey)
            exchange.taints.append("wrong key")
            end.reset(stream, .connectError)
            forget(stream)
        case .accepted:
            end.sendHead(stream, [(":status", "200"), nonce], isEnd: false)
            let wire = HTTP2Wire(end, stream)
            let tunnel = TunnelEnd(.response, of: exchange, plan, on: wire, network) { [unowned self] in forget(stream)
            }
            works[stream]?.tunnel = tunnel
            tunnel.start()
        }
    }

    func content(_ stream: UInt32, _ bytes: [UInt8], isEnd: Bool) {
        guard let work = works[stream] else { return }
        if let tunnel = work.tunnel {
            if !bytes.isEmpty { tunnel.received(bytes) }
            if isEnd { tunnel.ended() }
            return
        }
        if work.exchange.plan.clientDefect?.isMalformed != true,
            !Payload.stands(bytes, at: work.received, in: work.expected)
        {
            network.violate("\(work.exchange.plan.nonce): wrong bytes in a request body at \(work.received)")
        }
        works[stream]?.received += bytes.count
        if isEnd { complete(stream) }
    }

    private func complete(_ stream: UInt32) {
        guard let work = works[stream] else { return }
        works[stream]?.isRequestComplete = true
        shadow.originReachedEnd(work.exchange, received: work.received)
        if let plan = work.exchange.tunnelPlan {
            switchProtocols(stream, work.exchange, plan)
            return
        }
        if !work.exchange.plan.answersEarly {
            think(stream)
        } else if end?.lanes[stream]?.saidEnd == true {
            forget(stream)
        }
    }

    func reset(_ stream: UInt32, _ code: HTTP2Code) {
        guard let work = works[stream] else { return }
        work.tunnel?.ended()
        forget(stream)
    }

    func goingAway(last: UInt32, _ code: HTTP2Code) {}

    func sentEnd(_ stream: UInt32) { answered(stream) }

    func sentContent(_ stream: UInt32) {}

    func broken() { leave(byReset: true) }
}
