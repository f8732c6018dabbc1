import Config
import Containers
import Telemetry

/// What a gateway process says of itself.
struct AdminStatus {
    let facts: MetricsDesk.Facts
    let figures: MetricsDesk.Figures
    let now: Instant

    private var state: String { facts.isReady ? "serving" : "draining" }
    private var uptime: Int64 { max(0, now.since(facts.started)) / 1_000_000_000 }

    var json: String {
        var json = JSONWriter(isIndented: true)
        json.object { json in
            json.member("version", facts.version)
            json.member("pid", Int64(facts.processID))
            json.member("state", state)
            json.member("uptime_seconds", uptime)
            json.member("generation", Int64(clamping: facts.generation))
            json.member("workers", Int64(figures.workers))
            json.key("connections")
            json.object { json in
                json.member("client", figures.report.clientConnections)
                json.member("upstream", figures.report.upstreamConnections)
            }
            json.member("requests", figures.report.counters.requests)
            json.key("listeners")
            json.array { json in
                for listener in facts.listeners {
                    json.object { json in
                        json.member("name", listener.name)
                        json.member("address", listener.address)
                    }
                }
            }
            json.key("last_reload")
            if let last = facts.reloads.last { last.write(to: &json) } else { json.raw("null") }
        }
        return json.text + "\n"
    }

    var text: String {
        var lines = [
            "martlet \(facts.version), pid \(facts.processID), \(state) for \(Self.time(uptime))",
            "generation \(facts.generation), \(figures.workers) workers",
            "connections: \(figures.report.clientConnections) of clients, \(figures.report.upstreamConnections) to upstreams",
            "requests: \(figures.report.counters.requests)",
        ]
        lines += facts.listeners.map { "listener \($0.name): \($0.address)" }
        if let last = facts.reloads.last {
            lines.append("last reload: \(last.succeeded ? "in force" : "refused"), see `martlet reload` or the log")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// `2d 3h`, `3h 5m`, `5m 7s`, `7s`.
    private static func time(_ seconds: Int64) -> String {
        let units: [(name: String, length: Int64)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]
        guard let first = units.firstIndex(where: { seconds >= $0.length }) else { return "0s" }
        var text = "\(seconds / units[first].length)\(units[first].name)"
        if first + 1 < units.count {
            let rest = seconds % units[first].length / units[first + 1].length
            if rest > 0 { text += " \(rest)\(units[first + 1].name)" }
        }
        return text
    }

    static func reloads(_ outcomes: [ReloadOutcome]) -> String {
        var json = JSONWriter(isIndented: true)
        json.object { json in
            json.key("reloads")
            json.array { json in
                for outcome in outcomes { outcome.write(to: &json) }
            }
        }
        return json.text + "\n"
    }
}

extension ReloadOutcome {
    var json: String {
        var json = JSONWriter(isIndented: true)
        write(to: &json)
        return json.text + "\n"
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("outcome", succeeded ? "in_force" : "refused")
            json.member("generation", Int64(clamping: generation))
            json.member("time", time)
            json.member("milliseconds", milliseconds)
            json.member("report", report)
            json.key("restart")
            json.array { json in
                for key in restart { json.string(key) }
            }
        }
    }

    /// For people: what `martlet reload` prints.
    var text: String {
        guard succeeded else { return report }
        let waiting = restart.map { "! \($0): changes only with a restart\n" }.joined()
        return report + waiting + "generation \(generation) is in force after \(milliseconds) ms\n"
    }
}
