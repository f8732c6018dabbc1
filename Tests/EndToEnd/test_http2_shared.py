"""What requests that share a connection in HTTP/2 do to each other: nothing."""

import threading
import time

import pytest

from support.gateway import eventually
from support.http2 import (ENABLE_CONNECT_PROTOCOL, INITIAL_WINDOW_SIZE, NO_ERROR, H2Client, mirror, serving)
from support.metrics import LISTENER, figure
from support.raw import Ended, RawClient, get

HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def config(*urls: str, more: str = "", listener: str = "", protocol: str = "h2c", top: str = "") -> str:
    return f"""
workers: 1
{top}
{LISTENER}
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c]{listener} }}
upstreams:
  service: {{ endpoints: [{", ".join(f'"{url}"' for url in urls)}], protocol: {protocol}{more} }}
routes:
  - {{ path: /*, upstream: service }}
"""


@pytest.fixture
def through(gateway, h2_upstream):
    def make(script=mirror, **named):
        service = h2_upstream(script)
        return gateway(config(service.url, **named)), service
    return make


def serve_all(connection):
    """Answers each request as soon as it is whole."""
    at = 0
    while True:
        connection.respond(connection.request(at), str(connection.number))
        at += 1


def test_a_client_breaks_the_rules_of_a_websocket_whose_connection_is_gone(through):
    def script(connection):
        connection.begin({ENABLE_CONNECT_PROTOCOL: 1})
        if connection.number > 1:
            serve_all(connection)
        stream = connection.request(0, whole=False)
        connection.headers(stream.number, [(":status", "200")])
        connection.settle()
    running, _ = through(script)
    with RawClient(running.port()) as client:
        client.send(HANDSHAKE)
        assert client.read_head().status == 101
        assert client.exactly(4)[:1] == b"\x88"
        # No client may send without a mask.
        client.send(b"\x81\x00")
        assert get(running.port()).body == b"2"


def test_an_end_waits_for_a_client_that_reads_slowly(gateway, upstream):
    """The end of one answer comes by itself while another answer fills the connection."""
    ending = threading.Event()
    def script(connection):
        while request := connection.read_request():
            if request.target == "/large":
                try:
                    connection.answer(b"x" * 30_000_000)
                except OSError:
                    return
            else:
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\npart\r\n")
                assert ending.wait(10)
                connection.send("0\r\n\r\n" if request.target == "/plain" else "0\r\nX-Sum: 7\r\n\r\n")
    service = upstream(script)
    running = gateway(config(service.url, protocol="http/1.1", more=", limits: { trailers: 1KiB }"))
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 2**31 - 1}, receive_buffer=8192) as client:
        client.open_window(0, 2**31 - 1 - 65535)
        ends = [client.open(path="/plain"), client.open(path="/trailers", fields=[("te", "trailers")])]
        client.until(lambda: all(stream.body == b"part" for stream in ends))
        large = client.open(path="/large")
        client.until(lambda: len(large.body) > 0)
        # The gateway's queue for this client stays full: the service is faster than what is read here.
        ending.set()
        time.sleep(0.5)
        for stream in ends:
            client.wait(stream)
            assert stream.ended and stream.reset is None and stream.body == b"part"
        assert ends[1].trailers == [("x-sum", "7")]


def test_clients_that_read_slowly_do_not_stop_the_others(through):
    """24 answers that wait fill the windows of their streams, and not that of the connection."""
    sent = []
    def script(connection, stream):
        if stream.get(":path") == "/slow":
            connection.headers(stream.number, [(":status", "200")])
            connection.push(stream.number, b"x" * 262_144, end=False)
            sent.append(stream)
        else:
            connection.respond(stream, b"y" * 300_000)
    running, service = through(serving(script), listener=", limits: { unsent: 16KiB }")
    slow = []
    for count in range(1, 25):
        slow.append(RawClient(running.port(), receive_buffer=4096).send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n"))
        eventually(lambda: len(sent) == count)
    answer = get(running.port(), "/fast")
    assert answer.status == 200 and answer.body == b"y" * 300_000
    assert len(service.connections) == 1
    for client in slow:
        client.socket.close()


def test_a_connection_that_is_to_be_closed_gives_its_permit_to_whoever_waits(through):
    """The server announces the end and leaves closing to us."""
    def script(connection):
        connection.begin()
        if connection.number > 1:
            serve_all(connection)
        stream = connection.request(0)
        connection.goaway(stream.number)
        connection.settle()
        waiting.wait(10)
        connection.respond(stream, "1")
        connection.until_closed()
    waiting = threading.Event()
    running, service = through(script, more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        first = client.open()
        eventually(lambda: service.requests)
        eventually(lambda: service.connections[0].pongs)
        second = client.open()
        client.settle()
        waiting.set()
        assert client.wait(first).body == b"1"
        assert client.wait(second).body == b"2"


def test_a_connection_that_died_without_a_word_is_left(through):
    def script(connection):
        connection.begin()
        if connection.number > 1:
            serve_all(connection)
        connection.respond(connection.request(0), "1")
        gone.wait(20)
    gone = threading.Event()
    running, service = through(script, more=", timeouts: { response: 500ms }")
    assert get(running.port()).body == b"1"
    assert get(running.port()).status == 504
    assert get(running.port()).body == b"2"
    gone.set()


def test_pipelined_requests_are_answered_one_after_the_other(through):
    running, _ = through()
    with RawClient(running.port()) as client:
        client.send("GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /3 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        started = time.monotonic()
        for number in range(1, 4):
            assert f'"/{number}"'.encode() in client.read_response().body
        # Nothing else happens on this worker that could wake it.
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("end", ["close", "abort", "reset"])
def test_an_answer_that_is_here_survives_its_connection(through, end):
    content = bytes(range(256)) * 900
    done = threading.Event()
    def script(connection):
        connection.begin()
        stream = connection.request(0, whole=False)
        connection.respond(stream, content)
        if end == "reset":
            connection.reset(stream.number, NO_ERROR)
            connection.settle()
        else:
            connection.goaway(stream.number)
            connection.settle()
            if end == "abort":
                connection.abort()
        done.set()
        if end == "reset":
            connection.until_closed()
    running, _ = through(script, listener=", limits: { unsent: 16KiB }")
    with RawClient(running.port(), receive_buffer=4096) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n" + ("12345" if end == "reset" else "1234567890"))
        assert done.wait(10)
        time.sleep(0.2)
        assert client.read_response().body == content


def test_thousands_that_wait_fail_together(gateway, h2_upstream):
    """Each ends the stream that it has just got, which has to be given to the next."""
    count = 4_000
    asked = threading.Event()
    def script(connection):
        connection.begin_silently()
        assert asked.wait(20)
        connection.send_settings()
        serve_all(connection)
    service = h2_upstream(script)
    running = gateway(config(service.url, more=f", pool: {{ max_pending: {2 * count} }}", listener=f", http2: {{ streams: {2 * count} }}"))
    with H2Client(running.port(), seconds=30) as client:
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "a.test"),
                ("sec-websocket-version", "13")]
        client.until(lambda: client.has_settings)
        streams = [client.open_raw(head, end=False) for _ in range(count)]
        client.settle()
        asked.set()
        client.until(lambda: all(stream.fields or stream.reset is not None for stream in streams), 30)
        assert {stream.status for stream in streams} == {502}
    assert get(running.port()).status == 200


def test_an_unused_connection_gives_its_permit_to_another_endpoint(gateway, h2_upstream):
    services = [h2_upstream(mirror) for _ in range(3)]
    running = gateway(config(*(service.url for service in services), more=", balance: round_robin, pool: { max_connections: 1 }"))
    started = time.monotonic()
    for _ in range(6):
        assert get(running.port()).status == 200
    assert time.monotonic() - started < 5
    assert all(service.connections for service in services)
    assert figure(running, "martlet_upstream_connections_open") == 1
