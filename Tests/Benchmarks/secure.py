"""The cases over TLS 1.3 and HTTP/2: load-tls.c for what HTTP/1.1 and handshakes need, h2load for HTTP/2 and gRPC.

The CPU time is taken from when every connection stands and has had an answer until the load stops: handshakes have cases of
their own.
"""

import os
import re
import subprocess
import time
from contextlib import contextmanager

import cases
import measure
from cases import BenchmarkError, Sample
from proxies import LOAD_CORE, SUITE, Bench, Program

CALL_PATH = "/bench.Echo/Say"
CALL_FIELDS = ["content-type: application/grpc", "te: trailers"]
CALL = b"\0\0\0\0\x0dHello, world!"


def cpu_cases(seconds: int) -> list[tuple[str, str, list[str], object]]:
    """As bench.cpu_cases."""
    def load(kind, connections, *rest):
        return lambda bench, proxy: load_tls(bench, proxy, kind, connections, seconds, *rest)

    def bodies(bench, proxy):
        sample = load_tls(bench, proxy, "get", 32, seconds, "/1m")
        sample.units /= 1024
        return sample

    def h2(connections, streams):
        return lambda bench, proxy: h2load(bench, proxy, connections, streams, seconds)

    everybody = ["martlet-tls", "nginx-tls", "haproxy-tls"]
    return [
        ("tls-full", "µs/handshake", everybody, load("full", 16)),
        ("tls-resumed", "µs/handshake", everybody, load("resumed", 16)),
        ("tls-get-64", "µs/request", everybody, load("get", 64, "/")),
        ("tls-body-1m", "s/GiB", ["martlet-tls", "nginx-tls", "haproxy-tls-body"], bodies),
        ("tls-websocket-64", "µs/message", everybody, load("ws", 64, "64")),
        ("h2-get-1", "µs/request", everybody, h2(64, 1)),
        ("h2-get-100", "µs/request", everybody, h2(4, 100)),
        ("h2-grpc", "µs/call", ["martlet-grpc", "nginx-tls", "haproxy-grpc"],
         lambda bench, proxy: h2load(bench, proxy, 8, 16, seconds, is_call=True)),
    ]


def starters(bench: Bench) -> dict[str, object]:
    return {
        "martlet-tls": lambda: bench.start_martlet("martlet-tls", bench.martlet_tls_config("martlet-tls")),
        "martlet-grpc": lambda: bench.start_martlet(
            "martlet-grpc", bench.martlet_tls_config("martlet-grpc", "martlet-grpc.yaml", UPSTREAM=bench.grpc.port)),
        "nginx-tls": lambda: bench.start_nginx("nginx-tls", tls=True),
        "haproxy-tls": lambda: bench.start_haproxy("haproxy-tls", tls=True),
        "haproxy-tls-body": lambda: bench.start_haproxy("haproxy-tls-body", buffer=65536, tls=True),
        "haproxy-grpc": lambda: bench.start_haproxy("haproxy-grpc", tls=True, upstream=bench.grpc.port, protocol="proto h2"),
    }


class Window:
    """What a proxy and the services did between two moments."""

    def __init__(self, bench: Bench, proxy: Program):
        self.bench, self.proxy = bench, proxy
        self.pids = proxy.pids()
        self.cpu, self.start, self.counted = measure.cpu_seconds(self.pids), time.monotonic(), self.count()

    def count(self) -> dict[str, int]:
        """Requests and connections of both services: one of them has nothing to do."""
        http, calls = self.bench.counters.read(), self.bench.calls.read()
        return {name: http[name] + calls[name] for name in ("connections", "requests")}

    def end(self) -> Sample:
        """The sample; its units are the requests that the services saw."""
        cpu, wall, counted = measure.cpu_seconds(self.pids) - self.cpu, time.monotonic() - self.start, self.count()
        if self.proxy.pids() != self.pids:
            raise BenchmarkError(f"{self.proxy.name}: its processes changed during the run")
        opened = counted["connections"] - self.counted["connections"]
        return Sample(cpu, counted["requests"] - self.counted["requests"], wall, opened)


class Load:
    """A running load whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen):
        self.process = process
        self.said = ""

    def line(self, text: str) -> str:
        """The next line with `text`."""
        while line := self.process.stdout.readline():
            self.said += line
            if text in line:
                return line
        raise EOFError


@contextmanager
def client(proxy: Program, command: list[str]):
    """Runs a load beside the block, which reads what it says; both have to come to their ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(["taskset", "-c", str(LOAD_CORE), *command], text=True, **pipes) as process:
        load, is_cut = Load(process), False
        try:
            yield load
        except EOFError:
            is_cut = True
        finally:
            process.stdin.close()
            rest, errors = process.stdout.read(), process.stderr.read()
            status = process.wait()
    if is_cut or status != 0:
        raise BenchmarkError(f"{proxy.name}, {' '.join(command)}: {load.said}{rest}{errors}")


def load_tls(bench: Bench, proxy: Program, kind: str, connections: int, seconds: int, *rest: str) -> Sample:
    command = [os.path.join(bench.programs, "load-tls"), kind, str(proxy.port), str(connections), str(seconds), *rest]
    with client(proxy, command) as load:
        load.line("ready")
        window = Window(bench, proxy)
        result = load.line("done")
        sample = window.end()
    sample.units = float(result.split()[0])
    if sample.units == 0:
        raise BenchmarkError(f"{proxy.name}, {kind}: nothing was done")
    return sample


def h2load(bench: Bench, proxy: Program, connections: int, streams: int, seconds: int, is_call: bool = False) -> Sample:
    """Requests that reached the service while h2load measured: it counts to within the streams that are open, we exactly."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", "--warm-up-time=1", f"-D{seconds}"]
    if is_call:
        check_call(bench, proxy)
        command += call_arguments(bench)
    with client(proxy, [*command, f"https://127.0.0.1:{proxy.port}{CALL_PATH if is_call else '/'}"]) as load:
        load.line("Main benchmark duration is started")
        window = Window(bench, proxy)
        load.line("Main benchmark duration is over")
        sample = window.end()
        load.line("status codes:")
    check_h2load(proxy, load.said)
    return sample


def call_arguments(bench: Bench) -> list[str]:
    path = os.path.join(bench.folder, "call")
    with open(path, "wb") as file:
        file.write(CALL)
    return ["-d", path, *(word for field in CALL_FIELDS for word in ("-H", field))]


def check_h2load(proxy: Program, said: str) -> None:
    """Every request that was answered was answered well, over what is compared."""
    found = re.search(r"(\d+) done, (\d+) succeeded, 0 failed, 0 errored", said)
    # Statuses are counted when heads come, those of the requests that are cut off at the end too.
    good = re.search(r"status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx", said)
    is_agreed = all(text in said for text in (f"Cipher: {SUITE}\n", "Server Temp Key: X25519", "Application protocol: h2\n"))
    is_whole = found and good and int(found[1]) > 0 and found[1] == found[2]
    if not is_whole or not is_agreed:
        raise BenchmarkError(f"{proxy.name}, HTTP/2: {said}")


def check_call(bench: Bench, proxy: Program) -> None:
    """h2load does not look at trailers; one call that is seen whole before each round."""
    output = cases.run_load(["nghttp", "-v", "--no-verify-peer", *call_arguments(bench), f"https://127.0.0.1:{proxy.port}{CALL_PATH}"])
    if "grpc-status: 0" not in output:
        raise BenchmarkError(f"{proxy.name}, a call without its trailers: {output}")


def idle_bytes(bench: Bench, proxy: Program, kind: str, connections: int) -> float:
    """Resident bytes of one idle connection that had one answer; only a few connections were there before."""
    program = os.path.join(bench.programs, "load-tls")
    with client(proxy, [program, kind, str(proxy.port), "64"]) as load:
        load.line("done")
    time.sleep(1)
    before = sum(measure.resident_bytes(pid) for pid in proxy.pids())
    with client(proxy, [program, kind, str(proxy.port), str(connections)]) as load:
        load.line("done")
        time.sleep(1)
        after = sum(measure.resident_bytes(pid) for pid in proxy.pids())
    return (after - before) / connections
