#!/usr/bin/env python3
"""Millions of mixed requests: whether memory and descriptors stay what they were.

    soak.py --martlet BIN [--requests N] [--smoke]

Rounds of requests over kept connections (one in ten is 404, one in ten 502), with connections that are reset in the middle
of an answer and a reload in each round. Resident memory is read after each round; the line fitted through the rounds behind
the warm-up gives the drift, which must be at most 1 % of the memory over all of them. Descriptors must come back.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)

import floods
import measure

CONFIG = """
workers: 1
access_log: {{ output: /dev/null }}
listeners: {{ default: {{ bind: "127.0.0.1:0", limits: {{ connections_per_client: off }} }} }}
middleware:
  stamp: {{ headers: {{ response: {{ set: {{ X-Round: "{round}" }} }} }} }}
upstreams:
  good: {{ endpoints: ["http://127.0.0.1:{good}"] }}
  bad: {{ endpoints: ["http://127.0.0.1:{bad}"] }}
  gone: {{ endpoints: ["http://127.0.0.1:{gone}"] }}
routes:
  - {{ path: /slow, upstream: bad }}
  - {{ path: /large, upstream: bad }}
  - {{ path: /r8/*, respond: 404 }}
  - {{ path: /r9/*, upstream: gone }}
  - {{ path: /*, middleware: [stamp], upstream: good }}
"""


class Soak(floods.Bench):
    round = 0
    # Nothing here is timed: others may have their share of the machine.
    first = then = []

    def config(self, good: int, bad: int) -> str:
        self.ports = good, bad
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.gone = probe.getsockname()[1]
        return self.text()

    def text(self) -> str:
        good, bad = self.ports
        return CONFIG.format(round=self.round, good=good, bad=bad, gone=self.gone)

    def reload(self) -> None:
        self.round += 1
        with open(self.config_path, "w") as file:
            file.write(self.text())
        self.gateway.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with open(self.log) as log:
                if f"generation={self.round + 1} " in log.read():
                    return
            time.sleep(0.01)
        raise RuntimeError("the reload did not come to an end")

    def requests(self, count: int) -> int:
        # The tool ends after so many answers and errors together; a fifth of the answers are both.
        count += count // 5
        ran = floods.start([self.program("load"), "http", str(self.port), "64", str(count), "10"], floods.LOAD_CORE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return int(ran.communicate()[0].split()[0])

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def drift(samples: list[int]) -> float:
    """Growth over all samples along the line of least squares, as a share of their mean."""
    count = len(samples)
    middle, mean = (count - 1) / 2, sum(samples) / count
    slope = sum((x - middle) * (y - mean) for x, y in enumerate(samples)) / sum((x - middle) ** 2 for x in range(count))
    return slope * (count - 1) / mean


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--smoke", action="store_true", help="few rounds, which say nothing about drift")
    arguments = parser.parse_args()
    rounds = 8 if arguments.smoke else 50
    aborts = floods.Flood("aborts", "", 20, 50, 500)
    with tempfile.TemporaryDirectory(prefix="martlet-soak-") as folder:
        soak = Soak(os.path.abspath(arguments.martlet), folder)
        try:
            done, samples, descriptors = 0, [], 0
            for number in range(rounds):
                attack = soak.flood(aborts, 0.5, 1)
                done += soak.requests(arguments.requests // rounds)
                attack.communicate()
                soak.reload()
                time.sleep(0.3)
                samples.append(soak.resident())
                if number == 0:
                    descriptors = soak.descriptors()
                if number % 5 == 0 or number == rounds - 1:
                    print(f"{done} requests, {samples[-1] / floods.MIB:.2f} MiB, {soak.descriptors()} descriptors", flush=True)
            # Idle connections to the services go after their time.
            end = time.monotonic() + 30
            while soak.descriptors() > descriptors and time.monotonic() < end:
                time.sleep(0.2)
            left = soak.descriptors()
        finally:
            soak.stop()
    # The first fifth fills the pools of buffers and the allocator's arenas.
    share = drift(samples[rounds // 5:])
    print(f"{done} requests in {rounds} rounds with {rounds} reloads: drift {100 * share:+.2f} % of "
          f"{samples[-1] / floods.MIB:.2f} MiB, descriptors {descriptors} then {left}")
    return 0 if left <= descriptors and (arguments.smoke or share <= 0.01) and done >= 0.98 * arguments.requests else 1


if __name__ == "__main__":
    sys.exit(main())
