"""The measurements: one function per kind, each on a running proxy."""

import os
import re
import subprocess
import time
from dataclasses import dataclass, field

import measure
from proxies import LOAD_CORE, Bench, Program


@dataclass
class Sample:
    """CPU seconds of the proxy for `units` (requests, messages or GiB), and how busy its core was."""
    cpu: float
    units: float
    wall: float
    connections: int

    @property
    def per_unit(self) -> float:
        return self.cpu / self.units


@dataclass
class Series:
    """What one proxy did in one case over all rounds."""
    samples: list[Sample] = field(default_factory=list)

    def minimum(self) -> float:
        return min(sample.per_unit for sample in self.samples)

    def median(self) -> float:
        ordered = sorted(sample.per_unit for sample in self.samples)
        middle = len(ordered) // 2
        return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2

    def busy(self) -> float:
        return sum(sample.cpu for sample in self.samples) / sum(sample.wall for sample in self.samples)

    def connections(self) -> int:
        return sum(sample.connections for sample in self.samples)

    def units(self) -> float:
        return sum(sample.units for sample in self.samples)


class BenchmarkError(Exception):
    """A run with errors measures something else."""


def run_load(command: list[str]) -> str:
    done = subprocess.run(["taskset", "-c", str(LOAD_CORE), *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)}: {done.stdout} {done.stderr}")
    return done.stdout


def measured(bench: Bench, proxy: Program, command: list[str]) -> tuple[Sample, str]:
    before = bench.counters.read()
    pids = proxy.pids()
    cpu, start = measure.cpu_seconds(pids), time.monotonic()
    output = run_load(command)
    wall = time.monotonic() - start
    cpu = measure.cpu_seconds(pids) - cpu
    after = bench.counters.read()
    if proxy.pids() != pids:
        raise BenchmarkError(f"{proxy.name}: its processes changed during the run")
    return Sample(cpu, 0, wall, after["connections"] - before["connections"]), output


def wrk(bench: Bench, proxy: Program, connections: int, seconds: int, path: str = "/", fields: list[str] | None = None) -> Sample:
    """Requests per CPU second; any answer but 200 and any socket error fails the run."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    for line in fields or []:
        command += ["-H", line]
    sample, output = measured(bench, proxy, [*command, f"http://127.0.0.1:{proxy.port}{path}"])
    if "Socket errors" in output or "Non-2xx" in output:
        raise BenchmarkError(f"{proxy.name}, C = {connections}: {output}")
    sample.units = float(re.search(r"(\d+) requests in", output)[1])
    return sample


def websocket(bench: Bench, proxy: Program, connections: int, seconds: int) -> Sample:
    command = [os.path.join(bench.programs, "load"), "ws", str(proxy.port), str(connections), str(seconds), "64"]
    sample, output = measured(bench, proxy, command)
    sample.units = float(output.split()[0])
    return sample


def fixed_requests(bench: Bench, port: int, count: int, connections: int = 8, paths: int = 0, fields: list[str] | None = None) -> None:
    """Exactly `count` requests, all answered with 200."""
    command = [os.path.join(bench.programs, "load"), "http", str(port), str(connections), str(count), str(paths), *(fields or [])]
    done = int(run_load(command).split()[0])
    if done != count:
        raise BenchmarkError(f"{done} of {count} requests were answered")


def idle_bytes(bench: Bench, proxy: Program, connections: int) -> float:
    """Resident bytes that one idle keep-alive connection adds, after the proxy was warm."""
    run_load(["wrk", "-t1", "-c512", "-d2s", f"http://127.0.0.1:{proxy.port}/"])
    time.sleep(1)
    before = sum(measure.resident_bytes(pid) for pid in proxy.pids())
    command = ["taskset", "-c", str(LOAD_CORE), os.path.join(bench.programs, "load"), "idle", str(proxy.port), str(connections)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        line = client.stdout.readline()
        time.sleep(1)
        after = sum(measure.resident_bytes(pid) for pid in proxy.pids())
        client.stdin.close()
        if client.wait() != 0:
            raise BenchmarkError(f"{proxy.name}, idle connections: {line}")
    return (after - before) / connections


def start_resident(proxy: Program) -> tuple[int, int]:
    """Resident bytes of the serving process and of what stands above it, right after the start."""
    time.sleep(0.5)
    *above, worker = proxy.pids()
    return measure.resident_bytes(worker), sum(measure.resident_bytes(pid) for pid in above)


def stripped(bench: Bench) -> str:
    """The binary without debug information: Debian's valgrind cannot read DWARF 5."""
    target = os.path.join(bench.folder, "martlet.stripped")
    if not os.path.exists(target):
        subprocess.run(["strip", "-g", "-o", target, bench.martlet], check=True)
    return target


def counted(bench: Bench, name: str, start, requests: int, **load: object) -> int:
    """User instructions of a whole run that serves so many requests; `start(wrapper)` starts the proxy under callgrind."""
    log = os.path.join(bench.sub(name), f"callgrind.{requests}")
    wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={log}.out", f"--log-file={log}.log"]
    with start(wrapper) as proxy:
        fixed_requests(bench, proxy.port, requests, **load)
        status = proxy.stop()
    with open(f"{log}.log") as file:
        found = re.search(r"Collected\s*:\s*(\d+)", file.read())
    if not found:
        raise BenchmarkError(f"{name}: no instruction count (exit status {status})")
    return int(found[1])


def instructions_per_request(bench: Bench, name: str, start, requests: int, **load: object) -> float:
    """The difference of two runs: start, warm-up and end cancel out."""
    few = counted(bench, name, start, requests, **load)
    many = counted(bench, name, start, 2 * requests, **load)
    return (many - few) / requests


def allocations(bench: Bench, name: str, config: str, fields: list[str] | None = None) -> tuple[int, int]:
    """Heap blocks and bytes that 10,000 requests took, after as many had warmed the pools.

    The least of three such windows: what a request allocates is in all of them, what the clock causes is not.
    """
    counters = measure.Counters(os.path.join(bench.sub(name), "allocations"), ("blocks", "bytes"))
    environment = {"LD_PRELOAD": os.path.join(bench.programs, "allocations.so"), "ALLOCATIONS_FILE": counters.path}
    with bench.start_martlet(name, config, single=True, environment=environment) as proxy:
        windows = []
        for _ in range(4):
            fixed_requests(bench, proxy.port, 10_000, connections=64, fields=fields)
            windows.append(counters.read())
    if windows[0]["blocks"] == 0:
        raise BenchmarkError("the allocation counter was not loaded")
    return min((after["blocks"] - before["blocks"], after["bytes"] - before["bytes"]) for before, after in zip(windows, windows[1:]))
