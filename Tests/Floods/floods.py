#!/usr/bin/env python3
"""Floods against a gateway that has a core of its own, and what a well-behaved client beside them sees.

    floods.py --martlet BIN [--only NAME] [--seconds S] [--smoke] [--write docs/security.md]

Everything else shares the other core: the flood, the client, the services. Each flood is capped at the rate that its row
names. The client asks from an address of its own at a steady pace over kept and new connections. Marks: every one of its
answers is right, its 99th percentile is at most five times that without a flood, or 20 ms if that is more, and the gateway's
memory grows no more than the configuration allows.
"""

import argparse
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "Benchmarks"))

import measure

GATEWAY_CORE, LOAD_CORE = 0, 1
MIB = 1 << 20
MEMORY = 64 * MIB
# What the gateway may hold for a connection that has nothing in its buffers (docs/security.md, D24).
PER_CONNECTION = 8 * 1024
# A rate-capped flood leaves the others at least a quarter of the core.
MOST_CPU = 0.75
# Nine tenths of them are more than any flood has: those that idle are not closed for others.
CONNECTIONS = 17_000
VICTIM = "127.0.255.1"
VICTIM_RATE = 400
# Real time, where that is allowed, keeps other processes of the machine out of the figures. The client and its service stand
# for machines of their own: they must not wait for the flood's share of the core. A nice value would not do: it counts only
# within a session's group (sched(7), autogroup).
IS_REAL_TIME = subprocess.run(["chrt", "--rr", "1", "true"], stderr=subprocess.DEVNULL).returncode == 0
FIRST = ["chrt", "--rr", "2"] if IS_REAL_TIME else []
THEN = ["chrt", "--rr", "1"] if IS_REAL_TIME else []

CONFIG = """
workers: 1
access_log: off
limits: {{ memory: {memory}MiB, connections: {connections} }}
listeners: {{ default: {{ bind: "127.0.0.1:0", limits: {{ connections: {connections} }} }} }}
upstreams:
  good: {{ endpoints: ["http://127.0.0.1:{good}"] }}
  bad: {{ endpoints: ["http://127.0.0.1:{bad}"] }}
middleware:
  limited: {{ body_limit: 64KiB }}
routes:
  - {{ path: /item, upstream: good }}
  - {{ path: /ws, upstream: good }}
  - {{ path: /limited, middleware: [limited], upstream: bad }}
  - {{ path: /*, upstream: bad }}
"""


@dataclass
class Flood:
    name: str
    what: str
    sources: int
    connections: int
    rate: int

    @property
    def has_content(self) -> bool:
        """Whether bytes may wait in the gateway's buffers; `limits.memory` bounds those by half as much again."""
        return not self.name.startswith("idle")


FLOODS = [
    # First: behind others they would live on memory that those have left.
    Flood("idle", "connections without a byte", 100, 15000, 5000),
    Flood("idle-kept", "connections with one request, then idle", 100, 15000, 4000),
    Flood("slow-heads", "heads of one byte a second", 40, 2000, 2000),
    Flood("slow-bodies", "bodies of one byte a second", 40, 2000, 2000),
    Flood("slow-readers", "readers of 16 bytes a second, 1 GB with a length", 40, 1000, 1000),
    Flood("slow-chunk-readers", "readers of 16 bytes a second, chunks without end", 40, 1000, 1000),
    Flood("churn", "connections for one request each", 20, 200, 1000),
    Flood("aborts", "requests that are reset", 20, 200, 1000),
    Flood("oversize", "too large in eleven ways: targets, heads, chunk lines, bodies …", 20, 110, 500),
    Flood("tiny-chunks", "300 chunks of one byte in each action", 4, 20, 100),
    Flood("tiny-frames", "300 WebSocket frames of one byte in each action", 4, 20, 100),
    Flood("pipeline", "300 pipelined requests in each action", 20, 20, 40),
    Flood("requests-interims", "service: interim responses without end", 20, 100, 200),
    Flood("requests-endless-head", "service: heads without end", 20, 100, 200),
    Flood("requests-endless-body", "service: bodies without end, read 64 KB at a time", 4, 20, 1000),
]


def start(command: list[str], core: int, **options) -> subprocess.Popen:
    return subprocess.Popen(["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, start_new_session=True,
                            **options)


def printed_port(process: subprocess.Popen) -> int:
    return int(process.stdout.readline())


def kernel_bytes() -> int:
    """What the kernel holds for all TCP sockets of the machine."""
    with open("/proc/net/sockstat") as statistics:
        pages = re.search(r"^TCP:.* mem (\d+)$", statistics.read(), re.MULTILINE)[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


class Bench:
    """The gateway and the services behind it."""

    # What stands before the commands of the client and its service, and of the others.
    first, then = FIRST, THEN

    def __init__(self, martlet: str, folder: str):
        self.folder = folder
        self.programs = os.path.join(folder, "programs")
        os.makedirs(self.programs)
        for source in ("flood.c", "victim.c", "../Benchmarks/upstream.c", "../Benchmarks/load.c"):
            name = os.path.basename(source)[:-2]
            measure.compile_one(os.path.join(FOLDER, source), os.path.join(self.programs, name), [])
        self.good = start([*self.first, self.program("upstream"), os.path.join(folder, "stats")], LOAD_CORE,
                          stdout=subprocess.PIPE)
        self.bad = start([*self.then, sys.executable, os.path.join(FOLDER, "upstream.py")], LOAD_CORE, stdout=subprocess.PIPE)
        self.config_path = os.path.join(folder, "martlet.yaml")
        with open(self.config_path, "w") as file:
            file.write(self.config(printed_port(self.good), printed_port(self.bad)))
        self.log = os.path.join(folder, "martlet.log")
        with open(self.log, "wb") as log:
            self.gateway = start([*self.then, martlet, "run", "--config", self.config_path], GATEWAY_CORE, stdout=log,
                                 stderr=log)
        self.port = self.wait_port()
        self.pid = measure.children(self.gateway.pid)[-1]

    def config(self, good: int, bad: int) -> str:
        return CONFIG.format(memory=MEMORY // MIB, connections=CONNECTIONS, good=good, bad=bad)

    def program(self, name: str) -> str:
        return os.path.join(self.programs, name)

    def wait_port(self) -> int:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if found := self.listening(self.log):
                return found
            time.sleep(0.02)
        raise RuntimeError("the gateway does not listen")

    @staticmethod
    def listening(path: str) -> int | None:
        """The port that a log says that the gateway listens on."""
        with open(path) as log:
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read())
        return int(found[1]) if found else None

    def victim(self, seconds: float) -> subprocess.Popen:
        return start([*self.first, self.program("victim"), str(self.port), VICTIM, str(VICTIM_RATE), str(seconds)],
                     LOAD_CORE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def flood(self, flood: Flood, seconds: float, share: float) -> subprocess.Popen:
        connections = max(flood.sources, int(flood.connections * share))
        return start([*self.then, self.program("flood"), flood.name, str(self.port), "1", str(flood.sources), str(connections),
                      str(flood.rate), str(seconds)], LOAD_CORE, stdout=subprocess.PIPE, text=True)

    def resident(self) -> int:
        return measure.resident_bytes(self.pid)

    def stop(self) -> None:
        for process in (self.gateway, self.good, self.bad):
            process.send_signal(signal.SIGQUIT if process is self.gateway else signal.SIGKILL)
            process.wait(20)
            if process.stdout:
                process.stdout.close()


@dataclass
class Seen:
    right: int
    wrong: int
    median: float
    p99: float
    longest: float


def read_victim(process: subprocess.Popen) -> Seen:
    text = process.communicate()[0]
    right, wrong, median, p99, longest = (float(word) for word in text.split())
    return Seen(int(right), int(wrong), median / 1000, p99 / 1000, longest / 1000)


@dataclass
class Row:
    flood: Flood
    seen: Seen
    cpu: float
    grown: int
    kernel: int
    report: str
    problems: list[str]


def run(bench: Bench, flood: Flood, seconds: float, share: float, quiet: Seen, is_timed: bool) -> Row:
    before, kernel_before = bench.resident(), kernel_bytes()
    # The flood has its connections, most of them, when the client begins to count.
    lead = 1 if is_timed else 0.3
    attack = bench.flood(flood, seconds + lead + 0.3, share)
    time.sleep(lead)
    cpu, began = measure.cpu_seconds([bench.pid]), time.monotonic()
    victim = bench.victim(seconds)
    highest, kernel = before, kernel_before
    while victim.poll() is None:
        highest, kernel = max(highest, bench.resident()), max(kernel, kernel_bytes())
        time.sleep(0.1)
    seen = read_victim(victim)
    spent = (measure.cpu_seconds([bench.pid]) - cpu) / (time.monotonic() - began)
    report = attack.communicate()[0].strip()
    problems = []
    if seen.wrong:
        problems.append(f"{seen.wrong} answers of the client were not right")
    if is_timed and seen.p99 > max(5 * quiet.p99, 20):
        problems.append(f"p99 {seen.p99:.1f} ms")
    if is_timed and spent > MOST_CPU:
        problems.append(f"{100 * spent:.0f} % of the core")
    grown = highest - before
    allowed = flood.connections * PER_CONNECTION + (MEMORY + MEMORY // 2 if flood.has_content else 4 * MIB)
    if grown > allowed:
        problems.append(f"memory grew by {grown / MIB:.0f} MiB")
    if measure.children(bench.gateway.pid)[-1] != bench.pid:
        problems.append("the gateway process died")
    return Row(flood, seen, spent, grown, kernel - kernel_before, report, problems)


def table(quiet: Seen, rows: list[Row]) -> list[str]:
    lines = [
        "| flood | connections, actions/s | gateway: CPU, memory | kernel | client: right, wrong | p50, p99, longest (ms) | |",
        "|---|---|---|---|---|---|---|",
        f"| none | | | | {quiet.right}, {quiet.wrong} | {quiet.median:.2f}, {quiet.p99:.2f}, {quiet.longest:.1f} | |",
    ]
    for row in rows:
        lines.append(
            f"| {row.flood.what} | {row.flood.connections}, {row.flood.rate} | {100 * row.cpu:.0f} %, +{row.grown / MIB:.1f} MiB | "
            f"+{row.kernel / MIB:.0f} MiB | "
            f"{row.seen.right}, {row.seen.wrong} | {row.seen.median:.2f}, {row.seen.p99:.2f}, {row.seen.longest:.1f} | "
            f"{'; '.join(row.problems) or 'ok'} |")
    return lines


def write(path: str, lines: list[str], name: str = "floods") -> None:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    with open(path) as file:
        text = file.read()
    head, rest = text.split(begin)
    with open(path, "w") as file:
        file.write(head + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def machine() -> str:
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def version(*command: str) -> str:
    """What stands first in the version that a program prints of itself; empty when it is not here."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return found[0] if found else ""


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def conditions(arguments: argparse.Namespace) -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}, {machine()}; {arguments.seconds:g} s each; the gateway with one worker on a core of its own, flood, client "
        f"and services on another{', all in real time' if IS_REAL_TIME else ''}; defaults, with `limits: {{ memory: "
        f"{MEMORY // MIB}MiB, connections: {CONNECTIONS} }}`; the client asks {VICTIM_RATE} times a second, one in four over a "
        f"new connection. Load average at the start: {os.getloadavg()[0]:.1f}.")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--smoke", action="store_true", help="half a second each with a twentieth of the connections; no marks on time")
    parser.add_argument("--write", help="file whose table between the markers is replaced")
    arguments = parser.parse_args()
    share = 1.0
    if arguments.smoke:
        arguments.seconds, share = 0.5, 0.05
    known = conditions(arguments)
    floods = [flood for flood in FLOODS if not arguments.only or flood.name in arguments.only]
    rows = []
    with tempfile.TemporaryDirectory(prefix="martlet-floods-") as folder:
        bench = Bench(os.path.abspath(arguments.martlet), folder)
        try:
            warm = read_victim(bench.victim(1))
            quiet = read_victim(bench.victim(arguments.seconds)) if not arguments.smoke else warm
            for flood in floods:
                rows.append(run(bench, flood, arguments.seconds, share, quiet, not arguments.smoke))
                print(f"{flood.name}: {rows[-1].report}; {'; '.join(rows[-1].problems) or 'ok'}", flush=True)
        finally:
            bench.stop()
    lines = table(quiet, rows)
    print("\n".join(["", *lines, "", known]))
    if arguments.write:
        write(arguments.write, [*lines, "", known])
    return 1 if quiet.wrong or any(row.problems for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
