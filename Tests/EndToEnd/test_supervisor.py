"""The gateway process dies or hangs: the sockets stay, another one serves, and the main process is the same."""

import mmap
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

import pytest

from support.gateway import eventually
from support.raw import Ended, RawClient, get
from support.tracing import Frozen, threads
from support.traffic import Traffic

DEADLY = [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL]


def config(url: str, top: str = "") -> str:
    return f"listen: 127.0.0.1:0\n{top}\nroutes:\n  - path: /*\n    upstream: {url}\n"


def recovery(running, number: signal.Signals) -> float:
    """Seconds from the death of the gateway process to an answer on a connection that was made after it."""
    first = running.gateway_pid()
    start = time.monotonic()
    os.kill(first, number)
    while True:
        # A connection that the dying process took yet ends with it; that is the last one of its kind.
        try:
            with RawClient(running.port(), seconds=20) as client:
                assert client.get("/").status == 200
        except (Ended, ConnectionResetError, BrokenPipeError):
            continue
        if running.gateway_pid() != first:
            return time.monotonic() - start


def recovers(gateway, upstream, number: signal.Signals) -> float:
    running = gateway(config(upstream().url))
    running.crash_expected = True
    main = running.supervisor()
    with Traffic(running.port()) as traffic:
        seconds = recovery(running, number)
        served = traffic.served
        eventually(lambda: traffic.served > served + 50, 20, "service as before")
    assert traffic.refused == []
    # Each client loses at most the connection that it had.
    assert len(traffic.cut) <= len(traffic.threads), traffic.cut
    assert running.process.pid == main and running.process.poll() is None
    return seconds


@pytest.mark.parametrize("number", DEADLY)
def test_a_death_under_load_refuses_nobody(gateway, upstream, number):
    seconds = recovers(gateway, upstream, number)
    print(f"\n{number.name}: service again after {seconds * 1000:.0f} ms")
    # On a busy machine; `make faults` measures.
    assert seconds < 5


def test_what_was_open_fails_visibly(gateway, upstream):
    """An answer in the middle is cut, never completed with something else; what follows is served."""
    release = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/half":
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
                release.wait(10)
                return
            if request.target == "/none":
                release.wait(10)
                return
            connection.answer("whole")

    running = gateway(config(upstream(script).url))
    running.crash_expected = True
    with RawClient(running.port()) as half, RawClient(running.port()) as none, RawClient(running.port()) as idle:
        assert idle.get("/").body == b"whole"
        half.send("GET /half HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert half.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200") and half.until(b"hello\r\n") == b"5\r\n"
        none.send("POST /none HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc")
        time.sleep(0.1)
        os.kill(running.gateway_pid(), signal.SIGKILL)
        for client in (half, none, idle):
            assert client.rest() == b"", "nothing more than what was there"
        assert get(running.port()).body == b"whole"
    release.set()


def test_restarts_come_ever_later(gateway, upstream):
    running = gateway(config(upstream().url))
    running.crash_expected = True
    for pause in ["now", "in 100 ms", "in 200 ms"]:
        offset = running.log_path.stat().st_size
        os.kill(running.gateway_pid(), signal.SIGKILL)
        running.wait_log(f"a new gateway process starts {pause}", offset)
        running.wait_log("ready generation=1", offset)
        assert get(running.port()).status == 200


def test_the_log_file_says_that_a_process_died(gateway, upstream, tmp_path):
    """Where operators look: the supervisor's own line stands on standard error alone."""
    file = tmp_path / "own.log"
    running = gateway(config(upstream().url, f"log: {{ output: {file} }}"), own_log=file)
    running.crash_expected = True
    os.kill(running.gateway_pid(), signal.SIGSEGV)
    line = eventually(
        lambda: re.search(r"^\S+ error the gateway process before this one was ended by signal 11$", running.messages(), re.M),
        what="the line in the log file")
    assert line and get(running.port()).status == 200
    assert "supervisor: the gateway process was ended by signal 11" in running.log()


def is_stopped(process: int, thread: int) -> bool:
    with open(f"/proc/{process}/task/{thread}/stat") as status:
        return status.read().rsplit(")", 1)[1].split()[0] == "T"


def hung(running, first: int) -> tuple[float, str]:
    """Waits for the end of a process that hangs: seconds from now, and what the supervisor said."""
    start = time.monotonic()
    said = running.wait_log(r"supervisor: (the gateway process \d+ hangs: [^\n]*); it is ended", seconds=20)[1]
    eventually(lambda: not os.path.exists(f"/proc/{first}") or running.gateway_pid() != first, 20, "the end of the process")
    return time.monotonic() - start, said


def test_a_stopped_process_is_replaced(gateway, upstream):
    """Also when nothing is to be done: an idle worker turns once a second."""
    running = gateway(config(upstream().url, "hang_timeout: 2s"))
    running.crash_expected = True
    main, first = running.supervisor(), running.gateway_pid()
    assert get(running.port()).status == 200
    with RawClient(running.port()) as idle:
        idle.get("/")
        os.kill(first, signal.SIGSTOP)
        # A thread that still runs could take the connection, which would end with it.
        eventually(lambda: all(is_stopped(first, thread) for thread in threads(first)), what="the stop of every thread")
        with RawClient(running.port(), seconds=30) as waiting:
            waiting.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            seconds, said = hung(running, first)
            assert waiting.read_response().status == 200, "a connection in the backlog is served by the next one"
        assert idle.at_end()
    assert said.startswith(f"the gateway process {first} hangs: worker 0 made no turn for ") and said.endswith("stopped")
    assert 1.5 < seconds < 15
    assert running.process.pid == main and running.process.poll() is None
    assert "was ended by signal 9" in running.log(), "it would accept what comes if it went on"


def test_one_worker_that_hangs_is_found(gateway, upstream):
    """The other one serves on until the process is replaced."""
    running = gateway(config(upstream().url, "hang_timeout: 2s\nworkers: 2"))
    running.crash_expected = True
    first = running.gateway_pid()
    thread = next(thread for thread, name in threads(first).items() if name == "worker-1")
    frozen = Frozen(thread)
    said = running.wait_log(r"supervisor: (the gateway process \d+ hangs: [^\n]*); it is ended", seconds=20)[1]
    frozen.wait_for_the_end()
    assert said.startswith(f"the gateway process {first} hangs: worker 1 made no turn for ") and said.endswith(" ms")
    eventually(lambda: running.gateway_pid() != first, 20, "another process")
    # Not SIGKILL: there is a trace to be had.
    assert "was ended by signal 6" in running.log()
    assert get(running.port()).status == 200


def test_a_process_under_a_debugger_is_left_alone(gateway, upstream):
    running = gateway(config(upstream().url, "hang_timeout: 2s"))
    first = running.gateway_pid()
    frozen = Frozen(*threads(first))
    running.wait_log("a debugger is attached, so it is left alone", seconds=20)
    time.sleep(2.5)
    frozen.thaw()
    assert get(running.port()).status == 200
    assert running.gateway_pid() == first
    assert len(re.findall("a debugger is attached", running.log())) == 1


def test_without_a_hang_timeout_nobody_looks(gateway, upstream):
    running = gateway(config(upstream().url, "hang_timeout: 2s"))
    assert running.reload(config(upstream().url, "hang_timeout: off"))
    first = running.gateway_pid()
    os.kill(first, signal.SIGSTOP)
    time.sleep(3.5)
    os.kill(first, signal.SIGCONT)
    assert get(running.port()).status == 200
    assert running.gateway_pid() == first


@pytest.mark.faults
@pytest.mark.parametrize("number", DEADLY)
def test_recovery_times(gateway, upstream, number):
    """Ten deaths under load, each of a gateway of its own: what back-off adds is not what is measured."""
    times = sorted(recovers(gateway, upstream, number) * 1000 for _ in range(10))
    print(f"\n{number.name}: service again after {statistics.median(times):.0f} ms (median), {times[-1]:.0f} ms (worst of 10)")
    assert statistics.median(times) < 200


@pytest.mark.faults
def test_who_dies_all_the_time_is_given_up(gateway, upstream):
    """Ten deaths within a minute: exit code 70, so that the service manager knows."""
    running = gateway(config(upstream().url))
    running.crash_expected = True
    last = 0
    deaths = 0
    while running.process.poll() is None and deaths < 20:
        with open(f"/proc/{running.process.pid}/task/{running.process.pid}/children") as listing:
            children = listing.read().split()
        if children and int(children[0]) != last:
            last = int(children[0])
            os.kill(last, signal.SIGKILL)
            deaths += 1
        time.sleep(0.005)
    assert running.wait() == 70
    assert deaths == 10
    assert "ended 10 times within 60 s: giving up" in running.log()


def longest_silence(running, seconds: float) -> float:
    """Longest time in which one of two workers made no turn: read where the supervisor reads it."""
    with open(f"/proc/{running.gateway_pid()}/fd/4", "rb") as file, mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ) as page:
        turns, changed, longest = [0, 0], [time.monotonic()] * 2, 0.0
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for worker in range(2):
                count = int.from_bytes(page[worker * 64:worker * 64 + 8], sys.byteorder)
                if count != turns[worker]:
                    turns[worker], changed[worker] = count, now
                longest = max(longest, now - changed[worker])
            time.sleep(0.002)
    assert min(turns) > 0, "these are no heartbeats"
    return longest


def test_an_idle_worker_turns_once_a_second(gateway, upstream):
    running = gateway(config(upstream().url, "workers: 2"))
    assert longest_silence(running, 2.5) < 1.9


@pytest.mark.faults
def test_an_overloaded_machine_is_no_hang(gateway, upstream):
    """Twenty busy processes for each CPU, and load: no worker is silent for half of the shortest limit."""
    running = gateway(config(upstream().url, "workers: 2\nhang_timeout: 2s"))
    first = running.gateway_pid()
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(20 * os.cpu_count())]
    try:
        with Traffic(running.port()):
            longest = longest_silence(running, 20)
    finally:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.wait()
    print(f"\nlongest time without a turn: {longest * 1000:.0f} ms")
    assert running.gateway_pid() == first
    assert longest < 2


def test_a_blocked_standard_error_keeps_nobody_from_restarting(gateway, upstream, tmp_path):
    """The pipe is full and nobody reads it: the supervisor's lines are dropped, its work is done."""
    running = gateway(config(upstream().url), own_log=tmp_path / "own.log")
    assert get(running.port()).status == 200
    running.terminate()
    assert running.wait() == 0
    # The same again, behind a pipe that is full from the beginning.
    running.write(running.config_path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{running.port()}")
                  + f"log: {{ output: {tmp_path}/own.log }}\n")
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        running.spawn(output=writer)
        eventually(lambda: "ready" in running.messages(), 20, "service")
        for _ in range(2):
            first = running.gateway_pid()
            os.kill(first, signal.SIGKILL)
            with RawClient(running.port(), seconds=20) as client:
                assert client.get("/").status == 200
        assert running.gateway_pid() != first
    finally:
        running.process.kill()
        running.process.wait()
        os.close(reader)
        os.close(writer)
