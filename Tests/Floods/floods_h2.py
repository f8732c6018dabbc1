#!/usr/bin/env python3
"""Floods of HTTP/2 against Martlet, nginx and HAProxy, and what a well-behaved client beside them sees.

    floods_h2.py --martlet BIN [--proxy NAME] [--only NAME] [--seconds S] [--smoke] [--keep FILE] [--write docs/security.md]

The proxy has a core of its own; the flood, which sends as fast as it can, the client and the services share the other one. Each
flood meets a proxy that was just started. The client asks in HTTP/2 from an address of its own. Marks, for Martlet: the flood
ends as its row says, the memory stays within 64 MiB of the idle one, all answers of the client are right, and its 99th
percentile is at most five times that without a flood, or 20 ms if that is more. `--keep` joins the results of several runs.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass

import floods
import measure
from floods import FIRST, FOLDER, GATEWAY_CORE, IS_REAL_TIME, LOAD_CORE, MIB, VICTIM, Seen, printed_port, read_victim, start
from proxies import free_port

MOST_MEMORY = 64 * MIB
VICTIM_RATE = 200
CALM, CLOSED, SIZE = "11", "5", "6"

MARTLET = """
workers: 1
access_log: off
limits: {{ connections: 17000 }}
listeners: {{ default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c], limits: {{ connections: 17000 }} }} }}
upstreams:
  good: {{ endpoints: ["http://127.0.0.1:{good}"] }}
  bad: {{ endpoints: ["http://127.0.0.1:{bad}"] }}
routes:
  - {{ path: /item, upstream: good }}
  - {{ path: /*, upstream: bad }}
"""

NGINX = """
daemon off;
user root root;
worker_processes 1;
worker_rlimit_nofile 40000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  proxy_max_temp_file_size 0;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream good {{ server 127.0.0.1:{good}; keepalive 100; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen 127.0.0.1:{port} http2 backlog=4096;
    location = /item {{ proxy_pass http://good; }}
    location / {{ proxy_pass http://127.0.0.1:{bad}; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn {most}
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-request 10s
frontend clients
  bind 127.0.0.1:{port} proto h2 backlog 4096
  use_backend good if {{ path /item }}
  default_backend bad
backend good
  server one 127.0.0.1:{good}
backend bad
  server one 127.0.0.1:{bad}
"""


@dataclass
class Flood:
    name: str
    what: str
    connections: int = 8
    ends: tuple[str, ...] = (CALM,)
    """How Martlet ends its connections: codes of GOAWAY, `open` where they stay within their limits, `closed` without GOAWAY."""


FLOODS = [
    Flood("rapid-reset", "rapid reset: requests that are reset at once"),
    Flood("made-zero", "MadeYouReset: WINDOW_UPDATE of 0"),
    Flood("made-over", "MadeYouReset: WINDOW_UPDATE beyond 2^31-1"),
    Flood("made-data", "MadeYouReset: DATA behind END_STREAM", ends=(CALM, CLOSED)),
    Flood("made-priority", "MadeYouReset: PRIORITY of 4 bytes"),
    Flood("continuations", "CONTINUATION of one byte, without end"),
    Flood("endless-head", "a head of 16 KiB frames, without end"),
    Flood("bomb", "HPACK bomb: 4,000 bytes, named 12,000 times in each head"),
    Flood("crumbs", "4,000 cookies in each head"),
    Flood("fields", "400 fields in each head", ends=(CALM, "0", "open")),
    Flood("large-heads", "heads of 60 KB", ends=(CALM, "0", "open")),
    Flood("pings", "PING"),
    Flood("settings", "SETTINGS, empty"),
    Flood("long-settings", "SETTINGS of 2,730 values, with 50 streams open"),
    Flood("empty-data", "DATA, empty"),
    Flood("empty-heads", "HEADERS and CONTINUATION, empty"),
    Flood("priorities", "PRIORITY"),
    Flood("window-updates", "WINDOW_UPDATE of 1"),
    Flood("unknown", "frames of an unknown type"),
    Flood("orphans", "DATA of a stream that was reset", ends=(CALM, CLOSED)),
    Flood("unread-pings", "PING; nothing is read", ends=(CALM, "closed", "reset", "open")),
    Flood("unread-answers", "100 endless answers a connection; nothing is read", 20, ("open",)),
    Flood("no-window", "100 endless answers a connection, without a window", 20, ("open",)),
    Flood("dribble", "100 endless answers a connection, windows of 1 byte", 20, (CALM, "open")),
    Flood("silent-uploads", "100 uploads a connection that never come", 20, ("open",)),
    Flood("idle", "idle connections", 10_000, ("open",)),
    Flood("slow-preface", "prefaces of one byte a second", 2_000, ("open",)),
    Flood("half-frames", "frames that never end, one byte a second", 2_000, ("open",)),
]
PROXIES = ("Martlet", "nginx", "HAProxy")


def most_connections() -> int:
    """HAProxy wants two descriptors for each."""
    return min(18_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100)


class Proxy:
    """One of the three, on its core, before the services of the bench."""

    def __init__(self, bench: "Bench", name: str):
        self.name = name
        self.port = free_port()
        path = os.path.join(bench.folder, f"{name}.conf")
        self.log = os.path.join(bench.folder, f"{name}.log")
        template = {"Martlet": MARTLET, "nginx": NGINX, "HAProxy": HAPROXY}[name]
        with open(path, "w") as file:
            file.write(template.format(folder=bench.folder, port=self.port, good=bench.good_port, bad=bench.bad_port, most=most_connections()))
        command = {"Martlet": [bench.martlet, "run", "--config", path], "nginx": ["nginx", "-p", bench.folder, "-c", path, "-e", self.log],
                   "HAProxy": ["haproxy", "-db", "-f", path]}[name]
        with open(self.log, "wb") as log:
            self.process = start(command, GATEWAY_CORE, stdout=log, stderr=log)
        self.wait()
        self.pid = self.worker()

    def wait(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.name == "Martlet" and (found := floods.Bench.listening(self.log)):
                self.port = found
                return
            if self.name != "Martlet" and self.worker() and floods.is_listening(self.port):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        with open(self.log) as log:
            raise RuntimeError(f"{self.name} does not listen: {log.read()}")

    def worker(self) -> int:
        return measure.children(self.process.pid)[-1]

    def is_alive(self) -> bool:
        return self.process.poll() is None and self.worker() == self.pid

    def stop(self) -> None:
        # nginx keeps its cache of sockets until the last connection is over; nobody waits for that here.
        for pid in reversed(measure.children(self.process.pid)):
            os.kill(pid, 9)
        self.process.wait(20)


class Bench:
    def __init__(self, martlet: str, folder: str):
        self.martlet, self.folder = martlet, folder
        self.programs = os.path.join(folder, "programs")
        os.makedirs(self.programs)
        for source in ("flood-h2.c", "victim.c", "../Benchmarks/upstream.c"):
            measure.compile_one(os.path.join(FOLDER, source), self.program(os.path.basename(source)[:-2]), [])
        self.good = start([*FIRST, self.program("upstream"), os.path.join(folder, "stats")], LOAD_CORE, stdout=floods.PIPE)
        self.good_port = printed_port(self.good)
        self.bad = None
        self.start_bad()

    def start_bad(self) -> None:
        """Anew for each flood: what the last one left there must not slow down the next."""
        self.stop_bad()
        self.bad = start([sys.executable, os.path.join(FOLDER, "upstream.py")], LOAD_CORE, stdout=floods.PIPE)
        self.bad_port = printed_port(self.bad)

    def stop_bad(self) -> None:
        if self.bad:
            self.bad.kill()
            self.bad.wait(20)
            self.bad.stdout.close()

    def program(self, name: str) -> str:
        return os.path.join(self.programs, name)

    def victim(self, port: int, seconds: float):
        return start([*FIRST, self.program("victim"), str(port), VICTIM, str(VICTIM_RATE), str(seconds), "h2"], LOAD_CORE,
                     stdout=floods.PIPE, stderr=floods.DEVNULL, text=True)

    def flood(self, flood: Flood, port: int, connections: int, seconds: float):
        sources = max(4, connections // 100)
        # Neither it nor the proxy is real time: flat out, they would starve the kernel's own threads, and packets would be lost.
        return start([self.program("flood-h2"), flood.name, str(port), "1", str(sources), str(connections), str(seconds)], LOAD_CORE,
                     stdout=floods.PIPE, text=True)

    def stop(self) -> None:
        self.stop_bad()
        self.good.kill()
        self.good.wait(20)
        self.good.stdout.close()


@dataclass
class Result:
    ends: dict[str, int]
    """Connections by how they ended: codes of GOAWAY, `open`, `closed`, `reset`."""
    grown: int
    cpu: float
    seen: Seen
    quiet: float
    """The client's 99th percentile without a flood, in milliseconds."""
    alive: bool
    report: dict

    @property
    def end(self) -> str:
        """What happened to most of them."""
        return max(self.ends, key=self.ends.get) if self.ends else "none"

    def problems(self, flood: Flood, is_timed: bool) -> list[str]:
        found = []
        if self.end not in flood.ends:
            found.append(f"ended with {self.end}")
        if self.grown > MOST_MEMORY:
            found.append(f"memory grew by {self.grown / MIB:.0f} MiB")
        if self.seen.wrong or not self.seen.right:
            found.append(f"{self.seen.wrong} answers of the client were not right")
        if is_timed and self.seen.p99 > max(5 * self.quiet, 20):
            found.append(f"p99 {self.seen.p99:.1f} ms")
        if not self.alive:
            found.append("the process died")
        return found

    def cell(self) -> str:
        whole = self.seen.right + self.seen.wrong
        share = 100 * self.seen.right / whole if whole else 0
        end = {"open": "none", "closed": "closed", "reset": "reset"}.get(self.end, f"GOAWAY {self.end}")
        died = "" if self.alive else ", died"
        return f"{end}{died}; +{self.grown / MIB:.1f} MiB; {self.cpu:.1f} s | {share:.4g} %, {self.seen.p99:.1f} ms"


def run(bench: Bench, proxy: Proxy, flood: Flood, seconds: float, share: float, quiet: float | None) -> Result:
    warm = read_victim(bench.victim(proxy.port, min(seconds, 2 if quiet is None else 0.5)))
    idle = highest = measure.resident_bytes(proxy.pid)
    before = measure.cpu_seconds([proxy.pid])
    lead = min(0.5, seconds)
    attack = bench.flood(flood, proxy.port, max(2, int(flood.connections * share)), seconds + lead)
    time.sleep(lead)
    victim = bench.victim(proxy.port, seconds)
    while victim.poll() is None or attack.poll() is None:
        if proxy.is_alive():
            highest = max(highest, measure.resident_bytes(proxy.pid))
        time.sleep(min(0.05, seconds / 10))
    alive = proxy.is_alive()
    cpu = measure.cpu_seconds([proxy.pid]) - before if alive else 0
    report = json.loads(attack.communicate()[0])
    ends = {**report["goaway"], **{end: report[end] for end in ("open", "closed", "reset") if report[end]}}
    return Result(ends, highest - idle, cpu, read_victim(victim), warm.p99 if quiet is None else quiet, alive, report)


def run_all(bench: Bench, name: str, arguments: argparse.Namespace, share: float) -> dict[str, Result]:
    """Every flood, each against a proxy that was just started; in the smoke test one stands for all."""
    results: dict[str, Result] = {}
    proxy, quiet = None, None
    try:
        for flood in FLOODS:
            if arguments.only and flood.name not in arguments.only:
                continue
            if proxy is None or not arguments.smoke:
                if proxy:
                    proxy.stop()
                    proxy = None
                bench.start_bad()
                proxy = Proxy(bench, name)
            result = results[flood.name] = run(bench, proxy, flood, arguments.seconds, share, quiet)
            quiet = result.quiet
            problems = result.problems(flood, not arguments.smoke) if name == "Martlet" else []
            print(f"{name}, {flood.name}: {result.cell()}; {json.dumps(result.report)}; {'; '.join(problems) or 'ok'}", flush=True)
    finally:
        if proxy:
            proxy.stop()
    return results


def table(results: dict[str, dict[str, Result]], is_timed: bool) -> list[str]:
    lines = ["| flood | " + " | ".join(f"{name}: end, memory, CPU | client" for name in PROXIES) + " | marks |", "|---|" + "---|---|" * len(PROXIES) + "---|"]
    for flood in FLOODS:
        cells = [results[name][flood.name].cell() if flood.name in results.get(name, {}) else " | " for name in PROXIES]
        ours = results.get("Martlet", {}).get(flood.name)
        marks = "; ".join(ours.problems(flood, is_timed)) or "ok" if ours else ""
        lines.append(f"| {flood.what} | " + " | ".join(cells) + f" | {marks} |")
    return lines


def conditions(arguments: argparse.Namespace) -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}, {floods.machine()}; {arguments.seconds:g} s each; the proxy with one worker on a core of its own, flood, "
        f"client and services on another{', the client and its service in real time' if IS_REAL_TIME else ''}; defaults, with as many connections as the floods need; "
        f"nginx {floods.version('nginx', '-v')}, HAProxy {floods.version('haproxy', '-v')}. The client asks {VICTIM_RATE} times a second, one in "
        f"four over a new connection. Memory is what the serving process had at most beyond the idle one.")


def load(path: str | None) -> dict[str, dict[str, Result]]:
    if not path or not os.path.exists(path):
        return {}
    with open(path) as file:
        kept = json.load(file)
    return {name: {flood: Result(**{**values, "seen": Seen(**values["seen"])}) for flood, values in rows.items()} for name, rows in kept.items()}


def store(path: str | None, results: dict[str, dict[str, Result]]) -> None:
    if path:
        with open(path, "w") as file:
            json.dump({name: {flood: asdict(result) for flood, result in rows.items()} for name, rows in results.items()}, file)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--proxy", action="append", default=[], choices=PROXIES)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--smoke", action="store_true", help="Martlet alone, a tenth of a second each with few connections; no marks on time")
    parser.add_argument("--keep", help="file with the results of other runs, to which those of this one are added")
    parser.add_argument("--write", help="file whose table between the markers is replaced")
    arguments = parser.parse_args()
    share, names = 1.0, arguments.proxy or PROXIES
    if arguments.smoke:
        arguments.seconds, share, names = 0.1, 0.05, ("Martlet",)
    known = conditions(arguments)
    results = load(arguments.keep)
    with tempfile.TemporaryDirectory(prefix="martlet-floods-") as folder:
        bench = Bench(os.path.abspath(arguments.martlet), folder)
        try:
            for name in names:
                results.setdefault(name, {}).update(run_all(bench, name, arguments, share))
        finally:
            bench.stop()
    store(arguments.keep, results)
    of_ours = results.get("Martlet", {})
    failed = any(of_ours[flood.name].problems(flood, not arguments.smoke) for flood in FLOODS if flood.name in of_ours)
    lines = table(results, not arguments.smoke)
    print("\n".join(["", *lines, "", known]))
    if arguments.write:
        floods.write(arguments.write, [*lines, "", known], "floods-h2")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
