"""SIGHUP: what is valid takes over for every request that starts after it, and nothing is lost."""

import asyncio
import signal
import threading
import time

import aiohttp
import pytest

from support.raw import Ended, RawClient, get, unused_port


def stamped(url: str, generation: int) -> str:
    return f"""
listen: 127.0.0.1:0
middleware:
  stamp: {{ headers: {{ response: {{ set: {{ X-Generation: "{generation}" }} }} }} }}
routes:
  - {{ path: /*, middleware: [stamp], upstream: "{url}" }}
"""


BROKEN = [
    "listen: 127.0.0.1:0\nroutes:\n  - path: /*\n    upstrem: http://127.0.0.1:1\n",
    "listen: [127.0.0.1:0\n",
    "",
    "listen: 127.0.0.1:0\nroutes:\n  - path: /*\n    upstream: nowhere\n",
    "listen: 127.0.0.1:0\nroutes:\n  - { path: /a, upstream: http://127.0.0.1:1 }\n  - { path: /a, upstream: http://127.0.0.1:2 }\n",
]


class Windows:
    """When each generation may answer: from the signal that asked for it until the log says that the next one is out."""

    def __init__(self):
        self.asked = {0: 0.0}
        self.out = {0: 0.0}

    def check(self, generation: int, started: float, ended: float) -> str | None:
        if generation not in self.asked:
            return f"generation {generation} was never valid"
        if ended < self.asked[generation]:
            return f"generation {generation} answered before it was asked for"
        newer = [out for other, out in self.out.items() if other > generation and out < started]
        if newer:
            return f"generation {generation} answered a request that started {started - min(newer):.4f} s after the next was out"
        return None


async def test_two_hundred_reloads_under_load(gateway, aiohttp_service):
    """Two valid configurations and a broken one in turn; keep-alive and new connections; no failed request."""
    running = gateway(stamped(aiohttp_service.url, 0))
    pid = running.gateway_pid()
    windows = Windows()
    stop = asyncio.Event()
    answers: list[tuple[int, float, float]] = []
    failures: list[str] = []

    async def load(session_of, pause: float):
        while not stop.is_set():
            async with session_of() as session:
                for _ in range(200):
                    if stop.is_set():
                        return
                    started = time.monotonic()
                    try:
                        async with session.get(running.url("/users/1")) as response:
                            await response.read()
                            if response.status != 200:
                                failures.append(f"status {response.status}")
                            answers.append((int(response.headers["X-Generation"]), started, time.monotonic()))
                    except (aiohttp.ClientError, OSError, KeyError) as problem:
                        failures.append(repr(problem))
                    await asyncio.sleep(pause)

    def kept():
        return aiohttp.ClientSession()

    def fresh():
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    tasks = [asyncio.create_task(load(kept, 0.002)) for _ in range(6)]
    tasks += [asyncio.create_task(load(fresh, 0.005)) for _ in range(3)]
    refused = 0
    for number in range(1, 201):
        if number % 3 == 0:
            broken = BROKEN[number // 3 % len(BROKEN)]
            assert not await asyncio.to_thread(running.reload, broken), broken
            refused += 1
        else:
            running.write(stamped(aiohttp_service.url, number))
            windows.asked[number] = time.monotonic()
            assert await asyncio.to_thread(running.reload)
            windows.out[number] = time.monotonic()
        # The load must meet every generation.
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*tasks)
    assert failures == []
    assert running.gateway_pid() == pid
    assert refused == 66
    assert len(answers) > 1000
    late = [problem for answer in answers if (problem := windows.check(*answer))]
    assert late == []
    seen = {generation for generation, _, _ in answers}
    assert len(seen) > 50, "the load hardly met the reloads"


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_changes_nothing_and_says_why(gateway, upstream, broken):
    peer = upstream()
    running = gateway(stamped(peer.url, 1))
    assert not running.reload(broken)
    running.wait_log(r"martlet\.yaml(:\d+:\d+)?")
    assert get(running.port()).get("x-generation") == "1"
    assert running.reload(stamped(peer.url, 2))
    assert get(running.port()).get("x-generation") == "2"


def test_a_missing_file_changes_nothing(gateway, upstream):
    peer = upstream()
    running = gateway(stamped(peer.url, 1))
    running.config_path.unlink()
    assert not running.reload()
    assert get(running.port()).get("x-generation") == "1"


def test_a_storm_of_signals_ends_with_the_last_file(gateway, upstream):
    peer = upstream()
    running = gateway(stamped(peer.url, 0))
    for number in range(1, 101):
        running.write(stamped(peer.url, number))
        running.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 10
    while get(running.port()).get("x-generation") != "100":
        assert time.monotonic() < end, "the last file never came into force"


def test_an_exchange_that_runs_keeps_its_configuration(gateway, upstream):
    release = threading.Event()

    def script(connection):
        while connection.read_request():
            if connection.number == 1:
                release.wait(10)
            connection.answer()

    peer = upstream(script)
    running = gateway(stamped(peer.url, 1))
    with RawClient(running.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        while not peer.requests:
            time.sleep(0.01)
        assert running.reload(stamped(peer.url, 2))
        assert get(running.port()).get("x-generation") == "2"
        release.set()
        assert client.read_response().get("x-generation") == "1"
        assert client.get("/").get("x-generation") == "2", "the same connection, the next request"


def test_pools_survive_a_reload(gateway, upstream):
    peer = upstream()
    running = gateway(stamped(peer.url, 1))
    with RawClient(running.port()) as client:
        for generation in range(2, 6):
            assert client.get("/").body == b"1"
            assert running.reload(stamped(peer.url, generation))
        assert client.get("/").body == b"1", "the upstream connection was not kept"


def test_limiter_state_survives_a_reload(gateway, upstream):
    peer = upstream()

    def config(generation: int) -> str:
        return f"""
listen: 127.0.0.1:0
middleware:
  limit: {{ rate_limit: {{ rate: 2/h, burst: 2, key: client_ip }} }}
  stamp: {{ headers: {{ response: {{ set: {{ X-Generation: "{generation}" }} }} }} }}
routes:
  - {{ path: /*, middleware: [limit, stamp], upstream: "{peer.url}" }}
"""
    running = gateway(config(1))
    assert [get(running.port()).status for _ in range(3)] == [200, 200, 429]
    assert running.reload(config(2))
    assert get(running.port()).status == 429


def test_listeners_come_and_go(gateway, upstream):
    peer = upstream()
    port = unused_port()

    def config(extra: str) -> str:
        return f"""
listeners:
  default: {{ bind: ["127.0.0.1:0"] }}
{extra}
routes:
  - {{ path: /*, upstream: "{peer.url}" }}
"""
    running = gateway(config(""))
    with pytest.raises(ConnectionRefusedError):
        get(port)
    assert running.reload(config(f'  second: {{ bind: ["127.0.0.1:{port}"] }}'))
    with RawClient(port) as client:
        assert client.get("/").status == 200
        assert running.reload(config(""))
        assert client.get("/").status == 200, "a removed listener's connections live until they end"
    end = time.monotonic() + 5
    while True:
        try:
            get(port)
        except (ConnectionRefusedError, ConnectionResetError, Ended):
            # Ended: accepted in the moment of the removal, and closed unheard like those in the kernel's queue.
            break
        assert time.monotonic() < end, "the removed listener still accepts"
    assert get(running.port()).status == 200


def test_a_port_in_use_fails_the_reload(gateway, upstream):
    import socket
    peer = upstream()
    running = gateway(stamped(peer.url, 1))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = stamped(peer.url, 2).replace(
            "listen: 127.0.0.1:0", f'listen: ["127.0.0.1:0", "127.0.0.1:{taken.getsockname()[1]}"]')
        assert not running.reload(config)
    assert get(running.port()).get("x-generation") == "1"
