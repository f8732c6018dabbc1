"""What is not strict HTTP never goes further, and never looks complete: what logs say, and failures that need a script. The
cases themselves stand in the table of `Tests/Conformance`."""

import threading
import time

import pytest

from support.raw import Ended, RawClient, get


BAD_ANSWERS = [
    ("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "response_invalid"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok", "response_invalid"),
    ("an upgrade that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
     "upgrade_failed"),
]


@pytest.mark.parametrize("name, answer, reason", BAD_ANSWERS, ids=[row[0] for row in BAD_ANSWERS])
def test_malformed_answers_are_502(proxy, upstream, name, answer, reason):
    def script(connection):
        connection.read_request()
        connection.send(answer)
        connection.rest()
    peer = upstream(script)
    gateway = proxy(peer.url)
    with RawClient(gateway.port()) as client:
        response = client.get("/")
        assert response.status == 502, response
        assert response.get("content-type") == "application/problem+json"
    assert gateway.entry()["reason"] == reason


def test_an_answer_with_a_too_large_head_is_502(proxy, upstream):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n" + "".join(f"X-{n}: {'x' * 1000}\r\n" for n in range(1000)) + "Content-Length: 0\r\n\r\n")
    gateway = proxy(upstream(script).url)
    assert get(gateway.port()).status == 502
    assert gateway.entry()["reason"] == "response_headers_too_large"


TRUNCATED = [
    ("nothing", b"", 502),
    ("half a head", b"HTTP/1.1 200 OK\r\nContent-", 502),
    ("short of its length", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", None),
    ("without the last chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", None),
    ("in the middle of a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", None),
    ("a bad chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", None),
    ("no end of the trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n", None),
]


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("name, answer, status", TRUNCATED, ids=[row[0] for row in TRUNCATED])
def test_truncated_answers_never_look_complete(proxy, upstream, name, answer, status, ending):
    def script(connection):
        if connection.number > 1 and status is None:
            connection.read_request()
            connection.answer("whole")
            return
        connection.read_request()
        connection.send(answer)
        if ending == "reset":
            time.sleep(0.1)
            connection.reset()
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        # POST: what was sent once must not be sent again.
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n")
        if status:
            assert client.read_response().status == status
        else:
            with pytest.raises(Ended):
                response = client.read_response()
                pytest.fail(f"looked complete: {response}")
    assert gateway.entry()["reason"] in (
        "connection_terminated", "connection_reset", "response_incomplete", "response_invalid")


def test_bytes_behind_an_answer_reach_nobody(proxy, upstream):
    """An answer that nobody asked for, at once or while the connection is idle, is dropped with its connection."""
    late = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/extra":
                # In one piece: sent later, it could be the answer to whoever asks next on this connection.
                connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"
                    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
            elif request.target == "/late":
                connection.answer("own")
                time.sleep(0.1)
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
                late.set()
            else:
                connection.answer("own")

    peer = upstream(script)
    gateway = proxy(peer.url)
    for path in ("/extra", "/late"):
        with RawClient(gateway.port()) as client:
            assert client.get(path).body == b"own"
        if path == "/late":
            assert late.wait(5)
            time.sleep(0.1)
        for _ in range(5):
            assert get(gateway.port(), "/victim").body == b"own"


@pytest.mark.parametrize("line", [b"TRACE /v HTTP/1.1", b"CONNECT a.test:443 HTTP/1.1"])
def test_a_method_that_is_not_served_is_told_which_are(gateway, upstream, line):
    running = gateway(f'listen: 127.0.0.1:0\nroutes:\n  - {{ path: /*, upstream: "{upstream().url}" }}\n')
    with RawClient(running.port()) as client:
        client.send(line + b"\r\nHost: a.test\r\n\r\n")
        response = client.read_response()
        assert response.status == 405
        assert response.get("allow") == "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, QUERY"
        assert client.rest() == b"", "the connection ends"
