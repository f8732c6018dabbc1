#!/usr/bin/env python3
"""Runs the table of raw cases.

    conformance.py check --martlet BINARY [--only REGEX]     against Martlet alone; prints what is wrong
    conformance.py compare --martlet BINARY [--write FILE]   against Martlet, nginx and HAProxy, side by side
    conformance.py relay [--only REGEX]                      against a relay of bytes, which must fail

Each row is sent in one write, byte by byte, cut at every border at once and, with --cuts N, with one cut at each of up to N
borders.
"""

import argparse
import asyncio
import os
import platform
import re
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from report import FAIL, LAX, Column, insert, own_column, peer_column, write
from runner import Run, Settings, observe
from table import Row, read_all
from targets import HAProxy, Martlet, Nginx, Relay


def run(make, rows: list[Row], settings: Settings) -> Run:
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        return asyncio.run(observe(make, rows, settings, Path(folder)))


def print_column(column: Column, rows: list[Row], seconds: float) -> None:
    for row in rows:
        if column.verdicts[row.id] != "pass":
            print(f"{column.name} {column.verdicts[row.id]}: {row} {column.reasons[row.id]}")
    print(f"{column.name} ({column.version}): {len(rows)} rows, {column.runs} runs, {column.count(rows, FAIL)} fail, "
          f"{column.count(rows, LAX)} lax; {seconds:.1f} s", flush=True)


def observe_target(name: str, make, rows: list[Row], settings: Settings) -> tuple[Column, bool]:
    start = time.monotonic()
    done = run(make, rows, settings)
    column = own_column(done) if name == "Martlet" else peer_column(done)
    if name != "Martlet":
        look_again(column, make, rows, settings)
    print_column(column, rows, time.monotonic() - start)
    if done.problems or not done.survived:
        print(f"{name}: {done.problems or 'a process ended'}")
    return column, done.survived and not done.problems


def look_again(column: Column, make, rows: list[Row], settings: Settings) -> None:
    """What failed may have had too little time, on a machine with other things to do: it counts when it fails twice."""
    failed = [row for row in rows if column.verdicts[row.id] == FAIL]
    slow = Settings(**{**vars(settings), "answer_seconds": 6, "close_seconds": 1.5})
    second = peer_column(run(make, failed, slow))
    column.verdicts |= second.verdicts
    column.reasons |= second.reasons
    column.runs += second.runs


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "compare", "relay"])
    parser.add_argument("--martlet")
    parser.add_argument("--only", default="")
    parser.add_argument("--cuts", type=int, default=0)
    parser.add_argument("--modes", default="whole,bytes,borders")
    parser.add_argument("--everything", action="store_true", help="long rows byte by byte too")
    parser.add_argument("--write", type=Path, help="the page that gets the table")
    arguments = parser.parse_args()
    if arguments.what != "relay" and not arguments.martlet:
        parser.error("--martlet is missing")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    rows = [row for row in read_all() if re.search(arguments.only, row.id)]
    settings = Settings(cuts=arguments.cuts, modes=tuple(arguments.modes.split(",")), everything=arguments.everything)
    # Others need not close or answer as we do: no long waits for what does not come.
    patient = Settings(**{**vars(settings), "answer_seconds": 2, "close_seconds": 0.4})
    targets = {"Martlet": (lambda folder, ports: Martlet(os.path.abspath(arguments.martlet), folder, ports), settings)}
    if arguments.what == "compare":
        targets |= {"nginx": (Nginx, patient), "HAProxy": (HAProxy, patient)}
    if arguments.what == "relay":
        targets = {"relay": (lambda folder, ports: Relay(ports), patient)}
    columns, is_good = [], True
    for name, (make, how) in targets.items():
        column, survived = observe_target(name, make, rows, how)
        columns.append(column)
        is_good = is_good and (name != "Martlet" or survived and not column.failures(rows))
    if arguments.write:
        in_real_time = ", all processes in real time" if os.sched_getscheduler(0) == os.SCHED_RR else ""
        conditions = (f"{date.today().isoformat()}, {os.cpu_count()} CPUs, kernel {platform.release()}{in_real_time}. {len(rows)} rows; each "
                      f"whole, byte by byte, cut at all borders, and with one cut at up to {settings.cuts} of its borders.")
        insert(arguments.write, write(columns, rows, conditions))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
