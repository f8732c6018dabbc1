"""Answers without an end in sight: every byte arrives when it was sent."""

import threading

import aiohttp
import pytest

from support.raw import RawClient


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_each_event_arrives_before_the_next_is_sent(proxy, upstream, framing):
    """The upstream sends an event only when the client has the one before: buffering would hang here."""
    turns = [threading.Event() for _ in range(20)]

    def script(connection):
        connection.read_request()
        coding = "Transfer-Encoding: chunked\r\n" if framing == "chunked" else ""
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{coding}\r\n")
        for number, turn in enumerate(turns):
            assert turn.wait(10)
            event = f"data: {number}\n\n"
            connection.send(f"{len(event):x}\r\n{event}\r\n" if framing == "chunked" else event)
        if framing == "chunked":
            connection.send("0\r\n\r\n")

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port(), seconds=5) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\nAccept: text/event-stream\r\n\r\n")
        assert client.read_head().get("content-type") == "text/event-stream"
        for number, turn in enumerate(turns):
            turn.set()
            client.until(f"data: {number}\n\n".encode())
        client.until(b"0\r\n\r\n")


async def test_server_sent_events_of_aiohttp(proxy, aiohttp_service):
    gateway = proxy(aiohttp_service.url)
    async with aiohttp.ClientSession() as session:
        async with session.get(gateway.url("/events?count=5&pause=0.05")) as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            lines = [line.decode().strip() async for line in response.content]
    assert [line for line in lines if line.startswith("data")] == [f"data: event {number}" for number in range(5)]


def test_the_head_of_a_long_poll_arrives_at_once(proxy, upstream):
    release = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        assert release.wait(10)
        connection.send("body")

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port(), seconds=5) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        client.read_head()
        release.set()
        assert client.exactly(4) == b"body"


def test_request_bodies_are_not_held_back(proxy, upstream):
    parts = [threading.Event() for _ in range(10)]

    def script(connection):
        connection.read_head()
        for part in parts:
            assert connection.exactly(4) == b"part"
            part.set()
        connection.answer("all")

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port(), seconds=5) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40\r\n\r\n")
        for part in parts:
            client.send("part")
            assert part.wait(5), "a part of the body was held back"
        assert client.read_response().body == b"all"


def test_a_stream_is_cut_by_no_default_but_by_stream_idle(gateway, upstream):
    """An event stream outlives body_idle; silence for stream_idle ends it."""
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        for _ in range(1):
            if threading.Event().wait(0.7):
                return
        connection.send("data: 2\n\n")
        connection.rest()
    peer = upstream(script)
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  service: {{ endpoints: ["{peer.url}"], timeouts: {{ body_idle: 300ms, stream_idle: 1500ms }} }}
routes:
  - {{ path: /*, upstream: service }}
""")
    with RawClient(running.port(), seconds=8) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        client.until(b"data: 1\n\n")
        client.until(b"data: 2\n\n")
        rest = client.rest()
        assert not rest.endswith(b"0\r\n\r\n"), "a stream that was cut must not look complete"
