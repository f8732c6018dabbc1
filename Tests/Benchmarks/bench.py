#!/usr/bin/env python3
"""Martlet against nginx, HAProxy and a blind TCP relay: CPU per request, memory, instructions, allocations.

    bench.py full  [--rounds N] [--seconds S] [--only CASE,...] [--write]   the whole table (about two minutes per round)
    bench.py quick                                                          instructions and allocations only

What is measured is the CPU time of the proxy's processes (user and system), not the rate: one worker, alone on core 0,
while the load and the upstream share core 1. Rounds are interleaved, so that a change of the machine's mood meets every
proxy; the minimum of all rounds is compared, the median stands beside it. Any failed request ends the run.
"""

import argparse
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

import cases
import measure
import report
import secure
from proxies import API_KEY, Bench

KEY_FIELD = f"X-Api-Key: {API_KEY}"
IDLE_CONNECTIONS = 5_000


def cpu_cases(seconds: int) -> list[tuple[str, str, list[str], object]]:
    """Name, unit, the proxies that take part, and how one round measures one of them."""
    def http(connections, path="/", fields=None):
        return lambda bench, proxy: cases.wrk(bench, proxy, connections, seconds, path, fields)

    def bodies(bench, proxy):
        sample = cases.wrk(bench, proxy, 32, seconds, "/1m")
        sample.units /= 1024
        return sample

    everybody = ["martlet", "nginx", "haproxy", "relay"]
    return [
        ("get-64", "µs/request", everybody, http(64)),
        ("get-512", "µs/request", everybody, http(512)),
        ("log-64", "µs/request", ["martlet-log", "nginx-log"], http(64)),
        ("log-512", "µs/request", ["martlet-log", "nginx-log"], http(512)),
        ("middleware-64", "µs/request", ["martlet-middleware", "nginx"], http(64, fields=[KEY_FIELD])),
        ("middleware-512", "µs/request", ["martlet-middleware", "nginx"], http(512, fields=[KEY_FIELD])),
        ("body-1m", "s/GiB", ["martlet", "nginx", "haproxy-body", "relay"], bodies),
        ("websocket-64", "µs/message", everybody, lambda bench, proxy: cases.websocket(bench, proxy, 64, seconds)),
        *secure.cpu_cases(seconds),
    ]


def starters(bench: Bench) -> dict[str, object]:
    def martlet(name, template="martlet.yaml", **values):
        return lambda: bench.start_martlet(name, bench.martlet_config(name, template, **values))
    log = f"{{ format: json, output: {os.path.join(bench.sub('martlet-log'), 'access.log')} }}"
    return {
        "martlet": martlet("martlet"),
        "martlet-log": martlet("martlet-log", ACCESS_LOG=log),
        "martlet-middleware": martlet("martlet-middleware", "martlet-middleware.yaml"),
        "nginx": lambda: bench.start_nginx("nginx"),
        "nginx-log": lambda: bench.start_nginx("nginx-log", log=True),
        "haproxy": lambda: bench.start_haproxy("haproxy"),
        # Larger buffers are cheaper for large answers, and dearer for small ones.
        "haproxy-body": lambda: bench.start_haproxy("haproxy-body", buffer=65536),
        "relay": lambda: bench.start_relay("relay"),
        **secure.starters(bench),
    }


def measure_cpu(bench: Bench, arguments: argparse.Namespace) -> dict[str, dict[str, cases.Series]]:
    chosen = [case for case in cpu_cases(arguments.seconds) if wanted(case[0], arguments)]
    names = list(dict.fromkeys(name for _, _, proxies, _ in chosen for name in proxies))
    start = starters(bench)
    results = {case[0]: {name: cases.Series() for name in case[2]} for case in chosen}
    with ExitStack() as stack:
        running = {name: stack.enter_context(start[name]()) for name in names}
        for proxy in running.values():
            # Loads over TLS begin to count when they are warm.
            if proxy.name in secure.starters(bench):
                continue
            warm = [KEY_FIELD] if proxy.name == "martlet-middleware" else []
            cases.wrk(bench, proxy, 64, 1, fields=warm)
        for round_number in range(arguments.rounds):
            for case, _, proxies, run in chosen:
                # Every proxy is first equally often.
                turn = round_number % len(proxies)
                for name in proxies[turn:] + proxies[:turn]:
                    results[case][name].samples.append(run(bench, running[name]))
                    truncate_logs(bench)
            print(f"round {round_number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    return results


def truncate_logs(bench: Bench) -> None:
    """The logs lie in memory; what was written counts, not what is kept."""
    for name in ("martlet-log", "nginx-log"):
        path = os.path.join(bench.folder, name, "access.log")
        if os.path.exists(path):
            if os.path.getsize(path) == 0:
                raise cases.BenchmarkError(f"{name} wrote no access log")
            if os.path.getsize(path) > 64 << 20:
                os.truncate(path, 0)


def wanted(case: str, arguments: argparse.Namespace) -> bool:
    return not arguments.only or any(case.startswith(prefix) for prefix in arguments.only.split(","))


def measure_memory(bench: Bench, arguments: argparse.Namespace) -> dict[str, float]:
    values: dict[str, float] = {}
    start = starters(bench)
    if wanted("start", arguments):
        with start["martlet"]() as proxy:
            values["start-gateway"], values["start-supervisor"] = cases.start_resident(proxy)
        with start["nginx"]() as proxy:
            values["start-nginx"] = cases.start_resident(proxy)[0]
    if wanted("idle", arguments):
        for name in ("martlet", "nginx", "haproxy"):
            with start[name]() as proxy:
                values[f"idle-{name}"] = cases.idle_bytes(bench, proxy, IDLE_CONNECTIONS)
    for kind in ("tls", "h2"):
        case = f"{kind}-idle"
        for name in ("martlet", "nginx", "haproxy"):
            if wanted(case, arguments):
                with start[f"{name}-tls"]() as proxy:
                    load = "idle" if kind == "tls" else "idle-h2"
                    values[f"{case}-{name}"] = secure.idle_bytes(bench, proxy, load, IDLE_CONNECTIONS)
    return values


def routes_config(bench: Bench, name: str, count: int) -> str:
    """The plain configuration with `count` routes instead of one."""
    path = bench.martlet_config(name)
    with open(path) as file:
        text = file.read().split("routes:")[0]
    with open(path, "w") as file:
        file.write(text + "routes:\n")
        file.writelines(f"  - {{ path: '/r{index}/{{id}}', upstream: service }}\n" for index in range(count))
    return path


def measure_instructions(bench: Bench, arguments: argparse.Namespace, requests: int) -> dict[str, float]:
    values: dict[str, float] = {}

    def martlet(name, config):
        return lambda wrapper: bench.start_martlet(name, config, wrapper, single=True, binary=cases.stripped(bench))

    if wanted("instructions", arguments):
        plain = bench.martlet_config("instructions")
        values["instructions"] = cases.instructions_per_request(bench, "instructions", martlet("instructions", plain), requests)
        edited = bench.martlet_config("instructions-middleware", "martlet-middleware.yaml")
        values["instructions-middleware"] = cases.instructions_per_request(
            bench, "instructions-middleware", martlet("instructions-middleware", edited), requests, fields=[KEY_FIELD])
        if arguments.command == "full":
            values["instructions-nginx"] = cases.instructions_per_request(
                bench, "instructions-nginx", lambda wrapper: bench.start_nginx("instructions-nginx", wrapper=wrapper), requests)
    if wanted("routes", arguments):
        for count in (10, 10_000):
            name = f"routes-{count}"
            values[name] = cases.instructions_per_request(
                bench, name, martlet(name, routes_config(bench, name, count)), requests, paths=count)
    if wanted("allocations", arguments):
        plain = bench.martlet_config("allocations")
        values["allocations"] = cases.allocations(bench, "allocations", plain)[0]
        edited = bench.martlet_config("allocations-middleware", "martlet-middleware.yaml")
        values["allocations-middleware"] = cases.allocations(bench, "allocations-middleware", edited, [KEY_FIELD])[0]
    return values


def conditions(arguments: argparse.Namespace, load: float) -> list[str]:
    def version(*command):
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs ({model}), kernel {platform.release()}, load average {load:.2f} at the start",
        f"{version(arguments.martlet, '--version')}; {version('nginx', '-v')}; {version('haproxy', '-v')}; {version('wrk', '-v')}",
    ]
    if arguments.command == "full":
        lines.append(f"{arguments.rounds} interleaved rounds of {arguments.seconds:g} s each")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["full", "quick"])
    parser.add_argument("--martlet", default=".build/release/martlet")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2, help="of one measurement")
    parser.add_argument("--only", default="", help="names that cases begin with, by commas")
    parser.add_argument("--write", default="docs/performance.md", help="the page to keep the table in; empty: none")
    parser.add_argument("--keep", action="store_true", help="leave the folder of the run")
    arguments = parser.parse_args()

    lock = open(os.path.join(tempfile.gettempdir(), f"martlet-benchmark.{os.getuid()}.lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another benchmark to end", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)

    load = os.getloadavg()[0]
    if load > 0.5 and arguments.command == "full":
        print(f"warning: load average {load:.2f}: times of a busy machine mean little", file=sys.stderr)
    if os.cpu_count() < 2:
        print("the benchmark needs two cores: one for the proxy, one for load and upstream", file=sys.stderr)
        return 69

    programs = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(arguments.martlet))), "benchmark")
    measure.compile_programs(programs)
    # Logs and configurations in memory where there is some: no disk takes part.
    folder = tempfile.mkdtemp(prefix="martlet-benchmark.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    bench = Bench(arguments.martlet, folder, programs)
    try:
        described = conditions(arguments, load)
        requests = 10_000 if arguments.command == "full" else 3_000
        single = measure_instructions(bench, arguments, requests)
        series: dict[str, dict[str, cases.Series]] = {}
        if arguments.command == "full":
            single |= measure_memory(bench, arguments)
            series = measure_cpu(bench, arguments)
    except cases.BenchmarkError as error:
        print(f"the run has errors and counts for nothing: {error}", file=sys.stderr)
        return 1
    finally:
        bench.close()
        if arguments.keep:
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    table, missed = report.table(series, single, dict((case[0], case[1]) for case in cpu_cases(1)), described)
    print(table)
    if arguments.command == "full" and arguments.write and not arguments.only:
        report.keep(arguments.write, table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
