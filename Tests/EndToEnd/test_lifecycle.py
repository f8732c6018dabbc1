"""Start, drain, stop, crash."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest

from support.gateway import Gateway, eventually
from support.raw import Ended, RawClient, get
from support.websocket import CLOSE, TEXT, accept, close_code, frame, read_frame, upgrade


def slow_script(started: threading.Event, release: threading.Event):
    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                started.set()
                release.wait(20)
            connection.answer("done")
    return script


def config(url: str, top: str = "") -> str:
    return f"listen: 127.0.0.1:0\n{top}\nroutes:\n  - path: /*\n    upstream: {url}\n"


def refuses(port: int) -> bool:
    try:
        with RawClient(port, seconds=1) as client:
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            client.read_response()
        return False
    except (OSError, Ended):
        return True


def test_sigterm_lets_running_requests_finish(gateway, upstream):
    started, release = threading.Event(), threading.Event()
    peer = upstream(slow_script(started, release))
    running = gateway(config(peer.url))
    with RawClient(running.port()) as busy, RawClient(running.port()) as idle:
        assert idle.get("/").status == 200
        busy.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert started.wait(5)
        running.terminate()
        eventually(lambda: refuses(running.port()), what="the listener's end")
        assert idle.at_end(), "an idle connection is closed"
        assert running.process.poll() is None, "a request still runs"
        release.set()
        response = busy.read_response()
        assert (response.status, response.body, response.get("connection")) == (200, b"done", "close")
        assert busy.at_end()
    assert running.wait() == 0


def test_sigterm_without_work_ends_at_once(gateway, upstream):
    running = gateway(config(upstream().url))
    assert get(running.port()).status == 200
    start = time.monotonic()
    running.terminate()
    assert running.wait() == 0
    assert time.monotonic() - start < 3


def test_sigterm_finishes_a_download(gateway, upstream):
    release = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n")
        connection.send(bytes(100_000))
        release.wait(10)
        connection.send(bytes(100_000))

    running = gateway(config(upstream(script).url))
    with RawClient(running.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        response = client.read_head()
        running.terminate()
        time.sleep(0.3)
        release.set()
        assert len(client.exactly(int(response.get("content-length")))) == 200_000
    assert running.wait() == 0


def test_websockets_get_1001_on_drain(gateway, upstream):
    def script(connection):
        accept(connection)
        while True:
            opcode, payload = read_frame(connection)
            if opcode == CLOSE:
                connection.send(frame(CLOSE, payload, masked=False))
                return
            connection.send(frame(opcode, payload, masked=False))

    peer = upstream(script)
    running = gateway(config(peer.url))
    clients = [RawClient(running.port()) for _ in range(5)]
    for client in clients:
        assert upgrade(client).status == 101
        client.send(frame(TEXT, b"hello"))
        assert read_frame(client) == (TEXT, b"hello")
    running.terminate()
    for client in clients:
        opcode, payload = read_frame(client)
        assert (opcode, close_code(payload)) == (CLOSE, 1001)
        client.send(frame(CLOSE, payload))
        client.rest()
        client.socket.close()
    assert running.wait() == 0


def test_the_drain_has_an_end(gateway, upstream):
    started, release = threading.Event(), threading.Event()
    running = gateway(config(upstream(slow_script(started, release)).url, "drain_timeout: 500ms"))
    with RawClient(running.port()) as client:
        client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert started.wait(5)
        start = time.monotonic()
        running.terminate()
        assert running.wait() == 0
        assert 0.4 <= time.monotonic() - start < 5
        with pytest.raises(Ended):
            client.read_response()
    release.set()


def test_a_second_sigterm_stops_at_once(gateway, upstream):
    started, release = threading.Event(), threading.Event()
    running = gateway(config(upstream(slow_script(started, release)).url))
    with RawClient(running.port()) as client:
        client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert started.wait(5)
        running.terminate()
        time.sleep(0.3)
        assert running.process.poll() is None
        start = time.monotonic()
        running.terminate()
        assert running.wait() == 0
        assert time.monotonic() - start < 3
    release.set()


def test_drain_delay_keeps_accepting(gateway, upstream):
    running = gateway(config(upstream().url, "drain_delay: 1s"))
    start = time.monotonic()
    running.terminate()
    time.sleep(0.3)
    assert get(running.port()).status == 200
    assert running.wait() == 0
    assert time.monotonic() - start >= 0.9


def test_no_request_fails_while_it_drains(gateway, upstream):
    """Connections that were accepted by the kernel are served: the backlog is accepted empty."""
    peer = upstream()
    running = gateway(config(peer.url))
    outcomes = []
    stop = threading.Event()

    def load():
        while not stop.is_set():
            try:
                client = RawClient(running.port())
            except OSError:
                outcomes.append("refused")
                return
            with client:
                try:
                    outcomes.append(client.get("/", "Connection: close\r\n").status)
                except (OSError, Ended) as problem:
                    outcomes.append(repr(problem))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    running.terminate()
    assert running.wait() == 0
    stop.set()
    for thread in threads:
        thread.join(10)
    assert set(outcomes) <= {200, "refused"}, Counter(outcomes)
    assert outcomes.count(200) > 50


def test_a_crash_is_survived(gateway, upstream):
    """The supervisor keeps the sockets: connections wait in the backlog for the next gateway process."""
    peer = upstream()
    running = gateway(config(peer.url))
    running.crash_expected = True
    main, port = running.supervisor(), running.port()
    for _ in range(2):
        assert get(port).status == 200
        first = running.gateway_pid()
        os.kill(first, signal.SIGSEGV)
        eventually(lambda: not os.path.exists(f"/proc/{first}"), what="the end of the process")
        with RawClient(port, seconds=15) as client:
            assert client.get("/").status == 200, "a connection made in between is served"
        assert running.process.pid == main and running.process.poll() is None
        assert running.gateway_pid() != first


def test_a_crash_does_not_read_a_broken_file(gateway, upstream):
    """A new process starts from the last published configuration, whatever the file says by now."""
    peer = upstream()
    running = gateway(config(peer.url))
    running.crash_expected = True
    assert get(running.port()).status == 200
    running.write("this: is not\na: configuration\n")
    first = running.gateway_pid()
    os.kill(first, signal.SIGSEGV)
    eventually(lambda: not os.path.exists(f"/proc/{first}"), what="the end of the process")
    with RawClient(running.port(), seconds=15) as client:
        assert client.get("/").status == 200
    assert not running.reload(), "the reload still says that the file is broken"
    assert get(running.port()).status == 200


def test_the_gateway_goes_with_its_supervisor(gateway, upstream):
    running = gateway(config(upstream().url))
    running.crash_expected = True
    pid = running.gateway_pid()
    os.kill(running.supervisor(), signal.SIGKILL)
    running.process.wait(5)
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), what="the end of the gateway process")


def test_a_bad_configuration_at_the_start_is_78(martlet, tmp_path):
    running = Gateway(martlet, tmp_path, "listen: 127.0.0.1:0\nroutes:\n  - path: /x\n    upstrem: http://127.0.0.1:1\n")
    running.spawn()
    assert running.wait() == 78
    log = running.log()
    assert "martlet.yaml:4:5" in log and "upstrem" in log and "upstream" in log and "^" in log


def test_a_missing_configuration_is_78(martlet, tmp_path):
    done = subprocess.run([martlet, "run", "--config", str(tmp_path / "none.yaml")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 78 and "none.yaml" in done.stderr


def test_a_log_that_cannot_be_opened_is_said_on_stderr(martlet, tmp_path):
    """The message cannot go to the log that it is about; and nobody looks into a file when a start fails."""
    (tmp_path / "martlet.yaml").write_text(
        f"listen: 127.0.0.1:0\nlog: {{ output: {tmp_path}/missing/martlet.log }}\nroutes:\n  - {{ path: /*, respond: {{ status: 200 }} }}\n")
    done = subprocess.run([martlet, "run", "--config", str(tmp_path / "martlet.yaml")], capture_output=True, text=True, timeout=20)
    assert done.returncode not in (0, 78) and "cannot start: the log file" in done.stderr and "missing/martlet.log" in done.stderr


def test_a_port_in_use_at_the_start_is_said(martlet, upstream, tmp_path):
    peer = upstream()
    running = Gateway(martlet, tmp_path, f"listen: 127.0.0.1:{peer.port}\nroutes:\n  - path: /*\n    upstream: {peer.url}\n")
    running.spawn()
    assert running.wait() not in (0, 78)
    assert str(peer.port) in running.log()


def test_single_process(gateway, upstream):
    peer = upstream()
    running = gateway(config(peer.url), arguments=["--single-process"])
    assert get(running.port()).status == 200
    with open(f"/proc/{running.process.pid}/task/{running.process.pid}/children") as children:
        assert children.read().split() == []
    assert running.reload(config(peer.url, "drain_timeout: 1s"))
    running.terminate()
    assert running.wait() == 0


def test_resident_memory_at_the_start(gateway, upstream):
    running = gateway("workers: 2\n" + config(upstream().url))
    assert get(running.port()).status == 200
    assert running.resident() <= 16 << 20
    with open(f"/proc/{running.supervisor()}/smaps_rollup") as rollup:
        supervisor = next(int(line.split()[1]) for line in rollup if line.startswith("Rss:"))
    assert supervisor <= 8 << 10


def test_descriptors_and_memory_come_back_after_a_burst(gateway, upstream):
    peer = upstream()
    running = gateway(config(peer.url, ""))
    assert get(running.port()).status == 200
    before = running.descriptors()
    for _ in range(3):
        clients = [RawClient(running.port()) for _ in range(200)]
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        for client in clients:
            assert client.read_response().status == 200
            client.socket.close()
    # Upstream connections may stay in the pool.
    eventually(lambda: running.descriptors() <= before + len(peer.connections), what="the descriptors' return")


def test_too_many_open_files_are_survived(gateway, upstream):
    """EMFILE on accept: no spinning, no end; service goes on when descriptors are free again."""
    peer = upstream()
    running = gateway("workers: 1\n" + config(peer.url), wrapper=["prlimit", "--nofile=200:200"])
    clients = []
    for _ in range(300):
        clients.append(RawClient(running.port()))
    time.sleep(0.5)
    pid = running.gateway_pid()
    before = time.clock_gettime((~pid << 3) | 2)
    time.sleep(1)
    assert time.clock_gettime((~pid << 3) | 2) - before < 0.5, "the worker spins"
    for client in clients:
        client.socket.close()
    eventually(lambda: not refuses(running.port()), what="service after the burst")
    assert running.gateway_pid() == pid
