"""What breaks around a gateway: signals, files, logs, upstreams, limits of the kernel. The service goes on."""

import asyncio
import calendar
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from support.gateway import Gateway, eventually
from support.raw import Ended, RawClient, get
from support.tracing import threads
from support.traffic import Traffic


def config(url: str, top: str = "") -> str:
    return f"listen: 127.0.0.1:0\n{top}\nroutes:\n  - {{ path: /*, upstream: \"{url}\" }}\n"


# MARK: signals and files


def test_a_thousand_signals_in_a_second_are_few_reloads(gateway, upstream):
    running = gateway(config(upstream().url))
    offset = running.log_path.stat().st_size
    with Traffic(running.port()) as traffic:
        start = time.monotonic()
        for _ in range(1000):
            running.process.send_signal(signal.SIGHUP)
            time.sleep(max(0.0, min(0.001, start + 1 - time.monotonic())))
        running.write(config(upstream().url, "middleware: { late: { headers: { response: { set: { X-Late: yes } } } } }\n"
                                             "defaults: { middleware: [late] }"))
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: get(running.port()).get("x-late") == "yes", 20, "the last file in force")
    assert traffic.failures == []
    generations = [int(found) for found in re.findall(r"reloaded generation=(\d+)", running.log(offset))]
    assert generations == list(range(2, len(generations) + 2)), "one after the other"
    assert len(generations) <= 1001


BAD = {
    "syntax": "listen: [127.0.0.1:0\n",
    "empty": "",
    "binary": "\x00\x01\x02",
    "unknown key": "listen: 127.0.0.1:0\nrotes: []\n",
    "wrong type": "listen: 127.0.0.1:0\nworkers: many\n",
    "unknown upstream": "listen: 127.0.0.1:0\nroutes: [{ path: /*, upstream: nowhere }]\n",
    "unknown middleware": "listen: 127.0.0.1:0\nroutes: [{ path: /*, middleware: [nobody], respond: { status: 200 } }]\n",
    "regular expression": "listen: 127.0.0.1:0\nroutes: [{ path: /*, headers: { X-A: { regex: '(' } }, respond: { status: 200 } }]\n",
    "missing variable": "listen: 127.0.0.1:0\nworkers: ${env:NOT_SET_ANYWHERE}\n",
    "missing secret": "listen: 127.0.0.1:0\nroutes: [{ path: /*, respond: { status: 200, text: \"${file:not-there}\" } }]\n",
    "missing include": "listen: 127.0.0.1:0\ninclude: not-there.yaml\n",
    "colliding routes": "listen: 127.0.0.1:0\nroutes: [{ path: /a, respond: { status: 200 } }, { path: /a, respond: { status: 201 } }]\n",
    "endless anchor": "listen: 127.0.0.1:0\nx-a: &a [*a]\n",
}


def test_no_wrong_file_changes_anything(gateway, upstream, martlet):
    """Each is refused with line and reason while requests go on, and `check` gives the same verdict."""
    running = gateway(config(upstream().url))
    with Traffic(running.port()) as traffic:
        for name, text in BAD.items():
            offset = running.log_path.stat().st_size
            assert not running.reload(text), name
            assert re.search(r"error reload: \S*martlet\.yaml", running.log(offset)), f"{name}: {running.log(offset)}"
            check = subprocess.run([martlet, "check", "--config", str(running.config_path)], capture_output=True, text=True, timeout=20)
            assert check.returncode == 1 and "martlet.yaml" in check.stdout + check.stderr, name
        assert running.reload(config(upstream().url))
    assert traffic.failures == []


def test_a_reload_needs_what_it_names(gateway, upstream, tmp_path):
    """What only shows when it is tried: an address that is taken, a log that cannot be written, a socket of another."""
    running = gateway(config(upstream().url))
    with socket.create_server(("127.0.0.1", 0)) as taken, Traffic(running.port()) as traffic:
        port = taken.getsockname()[1]
        tries = {
            f"cannot listen on 127.0.0.1:{port}: address already in use":
                config(upstream().url).replace("listen: 127.0.0.1:0", f'listen: ["127.0.0.1:0", "127.0.0.1:{port}"]'),
            "cannot listen on 192.0.2.1:80":
                config(upstream().url).replace("listen: 127.0.0.1:0", 'listen: ["127.0.0.1:0", "192.0.2.1:80"]'),
            f"the log file {tmp_path}/none/a.log cannot be opened": config(upstream().url, f"log: {{ output: {tmp_path}/none/a.log }}"),
            f"the log file {tmp_path}/none/b.log cannot be opened": config(upstream().url, f"access_log: {{ output: {tmp_path}/none/b.log }}"),
            "cannot listen on unix:/not/there/a.sock":
                config(upstream().url).replace("listen: 127.0.0.1:0", 'listen: ["127.0.0.1:0", "unix:/not/there/a.sock"]'),
        }
        for said, text in tries.items():
            offset = running.log_path.stat().st_size
            assert not running.reload(text), said
            assert f"reload failed, nothing changed: {said}" in running.log(offset)
        assert running.reload(config(upstream().url))
    assert traffic.failures == []


def test_files_that_are_replaced_while_they_are_read(gateway, upstream, tmp_path):
    """Half-written files, included ones among them: each reload takes a whole set or none, and the last set wins."""
    peer = upstream()
    part = tmp_path / "gateway0" / "part.yaml"

    def write(number: int) -> None:
        text = (f"middleware: {{ stamp: {{ headers: {{ response: {{ set: {{ X-Part: \"{number}\" }} }} }} }} }}\n"
                "defaults: { middleware: [stamp] }\n")
        with open(part, "w") as file:
            # In pieces, as an editor or a copy over the network would.
            for start in range(0, len(text), 16):
                file.write(text[start:start + 16])
                file.flush()
                running.process.send_signal(signal.SIGHUP)

    running = gateway(config(peer.url))
    part.write_text("x-nothing: 1\n")
    assert running.reload(config(peer.url, "include: part.yaml"))
    with Traffic(running.port()) as traffic:
        for number in range(1, 21):
            write(number)
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: get(running.port()).get("x-part") == "20", 20, "the last set in force")
    assert traffic.failures == []


# MARK: logs


def test_a_full_disk_drops_lines_and_nothing_else(gateway, upstream):
    running = gateway(config(upstream().url, "access_log: { format: json, output: /dev/full }"))
    with Traffic(running.port()) as traffic:
        eventually(lambda: traffic.served > 1000, 30, "traffic")
    assert traffic.failures == []
    pid = running.gateway_pid()
    before = cpu_seconds(pid)
    time.sleep(1)
    assert cpu_seconds(pid) - before < 0.5, "somebody spins"


def cpu_seconds(pid: int) -> float:
    return time.clock_gettime((~pid << 3) | 2)


def test_a_log_that_may_not_grow(gateway, upstream, tmp_path):
    """RLIMIT_FSIZE: the kernel refuses what goes beyond (and would send SIGXFSZ); a fresh file is written again."""
    running = gateway(config(upstream().url), wrapper=["prlimit", "--fsize=100000:100000"])
    with RawClient(running.port()) as client:
        for _ in range(1000):
            assert client.get("/").status == 200
        eventually(lambda: running.access_log_path.stat().st_size > 99_000, what="the limit")
        assert running.access_log_path.stat().st_size <= 100_000
        running.access_log_path.rename(tmp_path / "full.log")
        running.process.send_signal(signal.SIGUSR1)
        eventually(running.access_log_path.exists, what="the fresh file")

        def lines():
            assert client.get("/again").status == 200
            return [line for line in running.access_log_path.read_text().splitlines() if "/again" in line]
        eventually(lines, what="lines in the fresh file")
    assert running.process.poll() is None


def test_a_log_file_that_was_removed_comes_back_on_sigusr1(gateway, upstream):
    running = gateway(config(upstream().url))
    assert get(running.port()).status == 200
    eventually(running.access_log_path.exists, what="the file")
    running.access_log_path.unlink()
    assert get(running.port()).status == 200
    running.process.send_signal(signal.SIGUSR1)

    def lines():
        assert get(running.port(), "/again").status == 200
        return running.access_log_path.exists() and "/again" in running.access_log_path.read_text()
    eventually(lines, what="lines in the new file")


# MARK: upstreams


def test_an_upstream_that_is_restarted_all_the_time(gateway, upstream):
    """With another endpoint beside it no request fails that may be sent again."""
    steady, restless = upstream(), upstream()
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  api: {{ endpoints: ["{steady.url}", "{restless.url}"], retries: {{ budget: 100% }} }}
routes:
  - {{ path: /*, upstream: api }}
""")
    with Traffic(running.port()) as traffic:
        for _ in range(10):
            restless.stop_listening()
            for connection in list(restless.connections):
                try:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            time.sleep(0.05)
            restless.listen_again()
            time.sleep(0.15)
    assert traffic.failures == []
    assert traffic.served > 100


def closes_idle(connection):
    """Keep-alive of 50 ms: closes when nothing has come for so long, whatever is on its way."""
    connection.socket.settimeout(0.05)
    while request := connection.read_request():
        connection.answer(request.get("x-number") or "none")


async def race(running, requests: int, clients: int) -> dict[str, Counter]:
    """Requests 50 ms apart, more or less, through as many connections to the upstream as there are clients."""
    outcomes: dict[str, Counter] = {"GET": Counter(), "POST": Counter()}
    answered_wrong = []

    async def one(client: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port())
        for turn in range(requests // clients):
            method = "POST" if turn % 2 else "GET"
            number = f"{client}-{turn}"
            body = "Content-Length: 4\r\n\r\nbody" if method == "POST" else "\r\n"
            writer.write(f"{method} /{number} HTTP/1.1\r\nHost: a.test\r\nX-Number: {number}\r\n{body}".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(re.search(r"content-length: (\d+)", head, re.I)[1])
            content = (await reader.readexactly(length)).decode()
            status = int(head.split(" ")[1])
            outcomes[method][status] += 1
            if status == 200 and content != number:
                answered_wrong.append((number, content))
            # From well before the end of the keep-alive to well behind it, most of them close to it.
            await asyncio.sleep(0.048 + (client * 7 + turn) % 11 * 0.0006)
        writer.close()

    await asyncio.gather(*(one(client) for client in range(clients)))
    assert answered_wrong == []
    return outcomes


def check_race(running, peer, outcomes: dict[str, Counter]) -> None:
    assert set(outcomes["GET"]) == {200}, outcomes
    assert set(outcomes["POST"]) <= {200, 502}, outcomes
    seen = Counter(request.target for request in peer.requests if request.method == "POST")
    assert not seen or max(seen.values()) == 1, "a POST was sent twice"
    total = sum(outcomes["GET"].values()) + sum(outcomes["POST"].values())
    entries = running.entries(total, seconds=20)
    failed = [entry for entry in entries if entry["status"] == 502]
    assert len(failed) == outcomes["POST"][502]
    for entry in failed:
        # Written to a connection that had served before, and died of it.
        assert entry["reused"] is True and entry["reason"] in ("connection_terminated", "connection_reset"), entry
        assert entry["method"] == "POST" and entry["attempts"] == 1


async def test_an_upstream_that_closes_idle_connections_at_the_worst_moment(gateway, upstream):
    peer = upstream(closes_idle)
    running = gateway("workers: 1\n" + config(peer.url))
    outcomes = await race(running, 1500, 50)
    check_race(running, peer, outcomes)
    assert len(peer.connections) > 60, "hardly a connection was closed in between"


@pytest.mark.faults
async def test_ten_thousand_races_with_closing_connections(gateway, upstream):
    peer = upstream(closes_idle)
    running = gateway("workers: 1\n" + config(peer.url))
    outcomes = await race(running, 10_000, 50)
    check_race(running, peer, outcomes)
    print(f"\nGET {dict(outcomes['GET'])}, POST {dict(outcomes['POST'])}, {len(peer.connections)} connections")


def trickle(connection):
    while connection.read_request():
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
            connection.send(bytes([byte]))
            time.sleep(0.002)


def reset_in_the_head(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Le")
    connection.reset()


def reset_in_the_body(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    time.sleep(0.1)
    connection.reset()


def stall_in_the_head(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nX-Slow: ")
    connection.rest()


def stall_in_the_body(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    connection.rest()


def flood_of_interims(connection):
    connection.read_request()
    while True:
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)


def endless_head(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\n")
    while True:
        connection.send("X-More: " + "a" * 4000 + "\r\n")


def two_answers(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" * 2)
    connection.rest()


def closes_at_once(connection):
    connection.socket.close()


FAULTS = {
    trickle: (200, None),
    reset_in_the_head: (502, "connection_reset"),
    reset_in_the_body: ("cut", "response_incomplete"),
    stall_in_the_head: (504, "response_timeout"),
    stall_in_the_body: ("cut", "response_body_timeout"),
    flood_of_interims: (502, "too_many_interim_responses"),
    endless_head: (502, "response_headers_too_large"),
    two_answers: (200, None),
    closes_at_once: (502, None),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_upstream_of_that_kind_harms_only_its_own_requests(gateway, upstream, fault):
    good, bad = upstream(), upstream(fault, may_break=True)
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  bad: {{ endpoints: ["{bad.url}"], timeouts: {{ response: 500ms, body_idle: 500ms }}, retries: {{ attempts: 0 }} }}
routes:
  - {{ path: /bad, upstream: bad }}
  - {{ path: /*, upstream: "{good.url}" }}
""")
    expected, reason = FAULTS[fault]
    with Traffic(running.port(), clients=2) as traffic:
        for _ in range(3):
            with RawClient(running.port()) as client:
                client.send("POST /bad HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody")
                if expected == "cut":
                    with pytest.raises(Ended):
                        client.read_response()
                else:
                    response = client.read_response()
                    assert response.status == expected
                    assert response.status != 200 or response.body == b"hello"
    assert traffic.failures == []
    entries = [entry for entry in running.entries(traffic.served + 3) if entry["path"] == "/bad"]
    assert len(entries) == 3
    if reason is not None:
        assert {entry["reason"] for entry in entries} == {reason}


# MARK: limits of the kernel


def test_a_start_without_descriptors_says_so(martlet, tmp_path):
    """However few there are: either every worker serves, or none does and the reason is said."""
    config = "listen: 127.0.0.1:0\nworkers: 16\nroutes: [{ path: /*, respond: { status: 200 } }]\n"
    outcomes = set()
    for limit in range(20, 68, 4):
        folder = tmp_path / str(limit)
        folder.mkdir()
        running = Gateway(martlet, folder, config, wrapper=["prlimit", f"--nofile={limit}:{limit}"])
        running.spawn()
        try:
            eventually(lambda: running.has_ended() or "ready" in running.log(), 20, "a start or its failure")
            if running.has_ended():
                assert running.wait() != 0 and "too many open files" in running.log(), limit
                outcomes.add("ended")
            else:
                workers = [name for name in threads(running.gateway_pid()).values() if name.startswith("worker-")]
                assert len(workers) == 16, f"{limit}: only {workers} serve"
                running.read_ports()
                assert get(running.port()).status == 200
                outcomes.add("served")
        finally:
            running.close()
    assert outcomes == {"ended", "served"}


def test_a_start_that_may_write_no_files_says_so(martlet, tmp_path):
    """RLIMIT_FSIZE holds for memory that processes share too; SIGXFSZ would be a death without a word."""
    running = Gateway(martlet, tmp_path, "listen: 127.0.0.1:0\nroutes: [{ path: /*, respond: { status: 200 } }]\n",
                      wrapper=["prlimit", "--fsize=4000:4000"])
    running.spawn()
    assert running.wait() == 71
    assert "supervisor: cannot start a gateway process: file too large" in running.log()


def test_a_process_that_gets_no_memory_is_replaced(gateway, upstream):
    """Swift cannot go on without memory; the supervisor and the sockets can."""
    running = gateway(config(upstream().url))
    running.crash_expected = True
    main, first = running.supervisor(), running.gateway_pid()
    # No page more than it has. Its successor has no such limit.
    subprocess.run(["prlimit", "--pid", str(first), "--data=1:1"], check=True)
    clients = []
    deadline = time.monotonic() + 20
    while running.gateway_pid() == first and time.monotonic() < deadline and len(clients) < 2000:
        client = RawClient(running.port(), seconds=20)
        clients.append(client)
        try:
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: " + "x" * 8_000)
        except OSError:
            break
    for client in clients:
        client.socket.close()
    assert running.gateway_pid() != first, "there was memory enough"
    with RawClient(running.port(), seconds=20) as client:
        assert client.get("/").status == 200
    assert running.process.pid == main and running.process.poll() is None


# MARK: clocks


class WallClock:
    """What a gateway takes for the time of day; it jumps where a test puts it."""

    def __init__(self, folder):
        library, self.file = folder / "wall_clock.so", folder / "offset"
        source = Path(__file__).parent / "support/wall_clock.c"
        subprocess.run(["clang", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
        self.file.write_bytes(struct.pack("q", 0))
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(self.file)}

    def jump(self, seconds: int) -> None:
        with open(self.file, "r+b", buffering=0) as file:
            file.write(struct.pack("q", seconds))


def test_jumps_of_the_wall_clock_end_nothing(gateway, upstream, tmp_path):
    """Deadlines, idle times and rate limits go by the monotonic clock; only `Date` and the log follow the jump."""
    waiting, release = threading.Event(), threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                waiting.set()
                release.wait(20)
            connection.answer("ok")

    clock = WallClock(tmp_path)
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  few: {{ rate_limit: {{ rate: 3/h, burst: 3, key: client_ip }} }}
routes:
  - {{ path: /few, middleware: [few], respond: {{ status: 200 }} }}
  - {{ path: /*, upstream: "{upstream(script).url}" }}
""", environment=clock.environment)
    first = running.gateway_pid()

    def date() -> int:
        return calendar.timegm(time.strptime(get(running.port()).get("date"), "%a, %d %b %Y %H:%M:%S GMT"))

    assert [get(running.port(), "/few").status for _ in range(4)] == [200, 200, 200, 429]
    assert abs(date() - time.time()) < 5
    with RawClient(running.port()) as idle, RawClient(running.port()) as busy:
        busy.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert waiting.wait(5)
        for seconds in [3_600, -3_600, 30 * 86_400, -30 * 86_400, 0]:
            assert idle.get("/").status == 200
            clock.jump(seconds)
            eventually(lambda: abs(date() - time.time() - seconds) < 5, 10, "the jump in Date")
            assert idle.get("/").status == 200, "an idle connection was closed"
            assert get(running.port(), "/few").status == 429, "tokens from nowhere"
            assert running.reload()
        release.set()
        assert busy.read_response().status == 200, "an exchange was timed out"
    assert running.gateway_pid() == first
    eventually(lambda: len({entry["time"][:10] for entry in running.entries()}) >= 3, what="the jumps in the log")
