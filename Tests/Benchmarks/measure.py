"""CPU time, memory and counters of running processes, and building the C programs of this folder."""

import mmap
import os
import struct
import subprocess
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))


def children(pid: int) -> list[int]:
    """All descendants of a process, itself first."""
    found = [pid]
    for parent in found:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as listing:
                found.extend(int(word) for word in listing.read().split())
        except FileNotFoundError:
            pass
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of the processes: their CPU clocks count nanoseconds, /proc/PID/stat only ticks."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def resident_bytes(pid: int) -> int:
    """Private and shared resident memory, exact (VmRSS may lag by 64 pages per thread)."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        for line in rollup:
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("smaps_rollup without Rss")


class Counters:
    """64-bit counters in a file that another process maps."""

    def __init__(self, path: str, names: tuple[str, ...]):
        self.path = path
        self.names = names
        with open(path, "wb") as file:
            file.write(bytes(8 * len(names)))
        with open(path, "rb") as file:
            self.map = mmap.mmap(file.fileno(), 8 * len(names), prot=mmap.PROT_READ)

    def read(self) -> dict[str, int]:
        return dict(zip(self.names, struct.unpack(f"<{len(self.names)}Q", self.map[:]), strict=True))


def compile_programs(output: str) -> None:
    """Compiles what is newer than its result."""
    os.makedirs(output, exist_ok=True)
    for name in ("upstream", "upstream-grpc", "relay", "load"):
        compile_one(f"{name}.c", os.path.join(output, name), [])
    compile_one("load-tls.c", os.path.join(output, "load-tls"), [], ["-lssl", "-lcrypto"])
    compile_one("allocations.c", os.path.join(output, "allocations.so"), ["-shared", "-fPIC"])


def compile_one(source: str, result: str, flags: list[str], libraries: list[str] | None = None) -> None:
    path = os.path.join(FOLDER, source)
    if os.path.exists(result) and os.path.getmtime(result) > os.path.getmtime(path):
        return
    compiler = "gcc" if subprocess.run(["which", "gcc"], capture_output=True).returncode == 0 else "cc"
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", result, *flags, path, *(libraries or [])], check=True)
