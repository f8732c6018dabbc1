"""Every timeout with its own code, after the right time."""

import select
import threading
import time
from contextlib import contextmanager

import pytest

from support.raw import DeafListener, Ended, RawClient, get


@contextmanager
def takes(seconds: float, at_most: float | None = None):
    """The block takes at least so long, and not much longer (a busy machine is slow, never fast)."""
    start = time.monotonic()
    yield
    spent = time.monotonic() - start
    assert seconds - 0.05 <= spent <= (at_most or seconds + 3), f"took {spent:.3f} s"


def configured(url: str, timeouts: str, listener: str = "", pool: str = "{}") -> str:
    return f"""
listeners:
  default: {{ bind: ["127.0.0.1:0"], {listener} }}
upstreams:
  service: {{ endpoints: ["{url}"], timeouts: {timeouts}, pool: {pool} }}
routes:
  - {{ path: /*, upstream: service }}
"""


def problem(response, status: int, code: str) -> None:
    import json
    assert response.status == status, response
    assert response.get("content-type") == "application/problem+json"
    body = json.loads(response.body)
    assert body["code"] == code and body["status"] == status and body["request_id"]
    assert response.get("proxy-status")


def test_response_timeout(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.rest()
    running = gateway(configured(upstream(script).url, "{ response: 500ms }"))
    with takes(0.5), RawClient(running.port()) as client:
        problem(client.get("/"), 504, "response_timeout")
    assert running.entry()["reason"] == "response_timeout"


def test_response_timeout_of_a_route_wins(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.rest()
    running = gateway(f"""
listen: 127.0.0.1:0
defaults: {{ timeouts: {{ response: 20s }} }}
routes:
  - {{ path: /*, upstream: "{upstream(script).url}", timeouts: {{ response: 400ms }} }}
""")
    with takes(0.4):
        problem(get(running.port()), 504, "response_timeout")


def test_the_response_timeout_starts_after_the_last_byte_of_the_request(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.answer("in time")
    running = gateway(configured(upstream(script).url, "{ response: 500ms }"))
    with takes(1.0), RawClient(running.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.1)
            client.send("x")
        assert client.read_response().body == b"in time"


def test_connect_timeout(gateway):
    with DeafListener() as deaf:
        running = gateway(configured(deaf.url, "{ connect: 500ms }"))
        # The one retry of the default goes to the same single endpoint, or nowhere.
        with takes(0.5, at_most=4):
            problem(get(running.port()), 504, "connection_timeout")


def test_body_idle_timeout_of_the_upstream_cuts_the_answer(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.rest()
    running = gateway(configured(upstream(script).url, "{ body_idle: 500ms }"))
    with takes(0.5), RawClient(running.port()) as client:
        with pytest.raises(Ended):
            client.get("/")
    assert running.entry()["reason"] == "response_body_timeout"


def test_a_slow_but_moving_answer_is_not_cut(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.1)
            connection.send("x")
    running = gateway(configured(upstream(script).url, "{ body_idle: 500ms, response: 500ms }"))
    with takes(1.0):
        assert get(running.port()).body == b"x" * 10


def test_total_timeout(gateway, upstream):
    def script(connection):
        connection.read_request()
        time.sleep(0.3)
        connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
        connection.rest()
    running = gateway(configured(upstream(script).url, "{ total: 600ms }"))
    with takes(0.6):
        problem(get(running.port()), 504, "total_timeout")


def test_queue_timeout(gateway, upstream):
    busy = threading.Event()
    release = threading.Event()

    def script(connection):
        while connection.read_request():
            busy.set()
            release.wait(20)
            connection.answer()

    running = gateway(configured(upstream(script).url, "{ queue: 500ms }", pool="{ max_connections: 1 }"))
    with RawClient(running.port()) as first:
        first.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert busy.wait(5)
        with takes(0.5):
            response = get(running.port())
            problem(response, 503, "queue_timeout")
        release.set()
        assert first.read_response().status == 200


def test_queue_limit(gateway, upstream):
    busy = threading.Event()
    release = threading.Event()

    def script(connection):
        while connection.read_request():
            busy.set()
            release.wait(20)
            connection.answer()

    running = gateway(configured(upstream(script).url, "{ queue: 20s }", pool="{ max_connections: 1, max_pending: 1 }"))
    with RawClient(running.port()) as first, RawClient(running.port()) as second:
        first.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert busy.wait(5)
        second.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        time.sleep(0.3)
        with takes(0):
            problem(get(running.port()), 503, "connection_limit_reached")
        release.set()
        assert first.read_response().status == 200
        assert second.read_response().status == 200


def test_head_timeout_of_the_listener(gateway, upstream):
    peer = upstream()
    running = gateway(configured(peer.url, "{}", listener="timeouts: { head: 500ms }"))
    with takes(0.5), RawClient(running.port()) as client:
        client.send("GET / HTTP/1.1\r\n")
        response = client.read_response()
        assert response.status == 408
        assert client.at_end()
    assert peer.requests == []


def test_a_trickled_head_has_no_more_time(gateway, upstream):
    running = gateway(configured(upstream().url, "{}", listener="timeouts: { head: 500ms }"))
    with takes(0.5), RawClient(running.port()) as client:
        try:
            for byte in "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + "y" * 100:
                client.send(byte)
                if select.select([client.socket], [], [], 0.05)[0]:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            assert client.read_response().status == 408
        except Ended:
            pass


def test_keep_alive_timeout_closes_quietly(gateway, upstream):
    running = gateway(configured(upstream().url, "{}", listener="timeouts: { keep_alive: 500ms }"))
    with RawClient(running.port()) as client:
        assert client.get("/").status == 200
        with takes(0.5):
            assert client.at_end(), "no byte comes before the end"


def test_a_connection_without_a_byte_is_closed_quietly(gateway, upstream):
    running = gateway(configured(upstream().url, "{}", listener="timeouts: { first_byte: 500ms }"))
    with RawClient(running.port()) as client, takes(0.5):
        assert client.at_end()


def test_body_idle_timeout_of_the_client(gateway, upstream):
    ended = threading.Event()

    def script(connection):
        request = connection.read_head()
        try:
            connection.read_body(request)
        finally:
            ended.set()

    running = gateway(configured(upstream(script).url, "{}", listener="timeouts: { body_idle: 500ms }"))
    with takes(0.5), RawClient(running.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhalf")
        problem(client.read_response(), 408, "request_body_timeout")
        assert client.at_end()
    assert ended.wait(5)


def test_write_idle_timeout_of_a_client_that_does_not_read(gateway, upstream):
    gone = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                connection.send(bytes(65536))
        finally:
            gone.set()

    running = gateway(configured(upstream(script).url, "{}", listener="timeouts: { write_idle: 500ms }"))
    with RawClient(running.port(), receive_buffer=65536) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        with takes(0.5, at_most=8):
            assert gone.wait(10), "the exchange was not ended"
    assert running.entry()["reason"] == "write_timeout"


def test_idle_upstream_connections_are_closed(gateway, upstream):
    closed = threading.Event()

    def script(connection):
        while connection.read_request():
            connection.answer()
        closed.set()

    running = gateway(configured(upstream(script).url, "{}", pool="{ idle_timeout: 500ms }"))
    assert get(running.port()).status == 200
    with takes(0.4):
        assert closed.wait(5)


def test_old_upstream_connections_are_replaced(gateway, upstream):
    peer = upstream()
    running = gateway("workers: 1\n" + configured(peer.url, "{}", pool="{ max_age: 1s }"))
    numbers = []
    for _ in range(7):
        numbers.append(int(get(running.port()).body))
        time.sleep(0.4)
    assert 2 <= numbers[-1] <= 4, numbers


def test_an_unresolvable_name_does_not_keep_the_gateway_from_starting(gateway, upstream):
    peer = upstream()
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  lost: {{ endpoints: ["http://does-not-exist.invalid:80"], timeouts: {{ connect: 1s }} }}
routes:
  - {{ path: /lost, upstream: lost }}
  - {{ path: /*, upstream: "{peer.url}" }}
""")
    assert get(running.port()).status == 200
    with RawClient(running.port(), seconds=20) as client:
        response = client.get("/lost")
    assert response.status in (502, 503, 504)
    assert get(running.port()).status == 200
