"""Services that speak HTTP/2."""

import json
import ssl
import threading
import time
from collections import Counter

import pytest

from support.gateway import eventually
from support.http2 import (CANCEL, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW_SIZE,
                           INTERNAL_ERROR,
                           MAX_CONCURRENT_STREAMS, NO_ERROR, REFUSED_STREAM, H2Client, H2Connection, mirror, serving)
from support.raw import Ended, RawClient, get, unused_port
from support.tls import TLSUpstream, key, pem


def config(url: str, more: str = "", route: str = "", protocol: str = "h2c", listener: str = "") -> str:
    return f"""
workers: 1
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c]{listener} }}
upstreams:
  service: {{ endpoints: ["{url}"], protocol: {protocol}{more} }}
routes:
  - {{ path: /*, upstream: service{route} }}
"""


@pytest.fixture
def through(gateway, h2_upstream):
    """A gateway before a scripted service: `through(script)` is both."""
    def make(script=mirror, **named):
        service = h2_upstream(script)
        return gateway(config(service.url, **named)), service
    return make


# Requests and answers


def test_a_request_reaches_the_service_in_http2(through):
    running, service = through()
    answer = get(running.port(), "/a?b=1", "X-One: 1\r\nCookie: a=1\r\nTE: gzip\r\nKeep-Alive: 5\r\n", host="a.test")
    assert answer.status == 200
    seen = dict(json.loads(answer.body)["fields"])
    assert (seen[":method"], seen[":scheme"], seen[":path"], seen[":authority"]) == ("GET", "http", "/a?b=1", "a.test")
    assert seen["x-one"] == "1" and "host" not in seen and "keep-alive" not in seen and "te" not in seen
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert len(service.connections) == 1


def test_content_in_both_directions(through):
    def echo(connection, stream):
        assert stream.trailers == []
        connection.respond(stream, bytes(stream.body))
    running, _ = through(serving(echo))
    content = bytes(range(256)) * 12_000
    with RawClient(running.port()) as client:
        for framing in (f"Content-Length: {len(content)}", "Transfer-Encoding: chunked"):
            client.send(f"POST / HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n")
            if "chunked" in framing:
                for at in range(0, len(content), 50_000):
                    part = content[at:at + 50_000]
                    client.send(b"%x\r\n%b\r\n" % (len(part), part))
                client.send(b"0\r\n\r\n")
            else:
                client.send(content)
            assert client.read_response().body == content
    with H2Client(running.port()) as client:
        assert client.get(method="POST", body=content).body == content


def test_trailers_and_interim_answers(through):
    def script(connection, stream):
        connection.headers(stream.number, [(":status", "103"), ("link", "</a>; rel=preload")])
        connection.respond(stream, "content", trailers=[("x-sum", "7"), ("content-length", "9")])
    running, service = through(serving(script), route=", trailers: [x-up]")
    with RawClient(running.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Up: 1\r\nX-Other: 1\r\n\r\n")
        answer = client.read_response()
        assert client.interim[0].status == 103 and client.interim[0].get("link") == "</a>; rel=preload"
        assert answer.body == b"content" and answer.trailers == [("x-sum", "7")]
    assert service.requests[0].trailers == [("x-up", "1")]
    with H2Client(running.port()) as client:
        answer = client.get(method="POST", body=b"a", trailers=[("x-up", "2"), ("x-other", "1")])
        assert answer.interim[0][0] == (":status", "103")
        assert answer.body == b"content" and answer.trailers == [("x-sum", "7")]
    assert service.requests[1].trailers == [("x-up", "2")]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_content(through, status):
    running, _ = through(serving(lambda connection, stream: connection.headers(stream.number, [(":status", str(status)), ("x-a", "1")], end=True)))
    with RawClient(running.port()) as client:
        for _ in range(2):
            answer = client.get()
            assert answer.status == status and answer.get("x-a") == "1"


def test_head_has_a_length_and_no_content(through):
    running, _ = through(serving(lambda connection, stream: connection.headers(stream.number, [(":status", "200"), ("content-length", "5000")], end=True)))
    with RawClient(running.port()) as client:
        for _ in range(2):
            answer = client.get(method="HEAD")
            assert answer.status == 200 and answer.get("content-length") == "5000"
    with H2Client(running.port()) as client:
        answer = client.get(method="HEAD")
        assert answer.status == 200 and answer.get("content-length") == "5000" and answer.ended and not answer.body


def test_a_body_shorter_than_its_length_is_no_complete_answer(through):
    running, _ = through(serving(lambda connection, stream: connection.respond(stream, "12345", [("content-length", "10")])))
    with H2Client(running.port()) as client:
        answer = client.get()
        assert answer.reset == INTERNAL_ERROR or answer.status == 502
    with RawClient(running.port()) as client:
        try:
            assert client.get().status == 502
        except Ended:
            pass
    assert running.entries(2)[0]["status"] in (200, 502)


def test_an_answer_with_forbidden_fields_is_refused(through):
    fields = {"/connection": ("connection", "close"), "/transfer": ("transfer-encoding", "chunked"), "/upper": ("X-Upper", "1"),
              "/value": ("x-a", "a\r\nb: c"), "/twice": ("content-length", "1")}
    def script(connection, stream):
        extra = [("content-length", "2")] if stream.get(":path") == "/twice" else []
        connection.respond(stream, "ok", [*extra, fields[stream.get(":path")]])
    running, _ = through(serving(script))
    for path in fields:
        assert get(running.port(), path).status == 502, path


def test_huge_and_too_huge_heads(through):
    def script(connection, stream):
        count = int(stream.get(":path")[1:])
        block = connection.encoder.encode([(":status", "200"), ("x-big", "b" * count)], huffman=False)
        parts = [block[at:at + 16000] for at in range(0, len(block), 16000)]
        connection.frame(HEADERS, END_STREAM | (END_HEADERS if len(parts) == 1 else 0), stream.number, parts[0])
        for index, part in enumerate(parts[1:], 2):
            connection.frame(CONTINUATION, END_HEADERS if index == len(parts) else 0, stream.number, part)
    running, service = through(serving(script), more=", limits: { head: 64KiB }")
    with RawClient(running.port()) as client:
        assert len(client.get("/20000").get("x-big")) == 20000
        for count in (80_000, 250_000):
            assert client.get(f"/{count}").status == 502
        assert len(client.get("/20000").get("x-big")) == 20000
    with H2Client(running.port()) as client:
        assert len(client.get("/20000").get("x-big")) == 20000
    assert get(running.port(), "/11", f"X-Large: {'x' * 8000}\r\nX-Larger: {'y' * 8000}\r\n").status == 200
    assert service.requests[-1].get("x-large") == "x" * 8000
    assert len(service.connections) == 1


# Flow control


def test_a_service_with_small_windows_gets_everything(through):
    def script(connection):
        connection.begin({INITIAL_WINDOW_SIZE: 100})
        stream = connection.request()
        connection.respond(stream, str(len(stream.body)))
        connection.request(1)
    running, _ = through(script)
    with RawClient(running.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000\r\n\r\n" + b"a" * 20000)
        assert client.read_response().body == b"20000"


def test_a_window_of_nothing_opens_later(through):
    """Both by SETTINGS and by WINDOW_UPDATE; and SETTINGS may make a window negative."""
    def script(connection):
        connection.begin({INITIAL_WINDOW_SIZE: 0})
        connection.respond(connection.request(0), "ready")
        for stream in (connection.request(1, whole=False), connection.request(2, whole=False)):
            stream.acknowledges = False
        _, first, second = connection.requests
        connection.settle()
        assert not first.body and not second.body
        connection.open_window(first.number, 10)
        connection.until(lambda: len(first.body) == 10)
        connection.settle()
        assert len(first.body) == 10 and not second.body
        connection.send_settings({INITIAL_WINDOW_SIZE: 1000})
        connection.until(lambda: len(first.body) == 1010 and len(second.body) == 1000)
        connection.send_settings({INITIAL_WINDOW_SIZE: 0})
        connection.open_window(second.number, 500)
        connection.settle()
        assert len(first.body) == 1010 and len(second.body) == 1000
        connection.open_window(second.number, 1000)
        connection.until(lambda: len(second.body) == 1500)
        connection.send_settings({INITIAL_WINDOW_SIZE: 50_000})
        connection.until(lambda: first.ended and second.ended)
        connection.respond(first, str(len(first.body)))
        connection.respond(second, str(len(second.body)))
        connection.request(3)
    running, _ = through(script)
    with H2Client(running.port()) as client:
        assert client.get().body == b"ready"
        streams = [client.open("POST", "/", end=False) for _ in range(2)]
        for stream in streams:
            client.push(stream.number, b"a" * 20_000)
        for stream in streams:
            assert client.wait(stream).body == b"20000"


def test_a_client_that_does_not_read_holds_up_its_stream_alone(through):
    """The service may send no more than the window for the slow one; another stream of the same connection goes on."""
    def script(connection):
        connection.begin()
        slow = connection.request(0)
        connection.headers(slow.number, [(":status", "200")])
        sent = 0
        while sent < 2_000_000:
            room = min(slow.send_window, connection.send_window, 16384)
            if room <= 0:
                # What the client does not take is not given back.
                connection.settle()
                if min(slow.send_window, connection.send_window) <= 0:
                    break
                continue
            connection.data(slow.number, b"s" * room)
            sent += room
        assert sent < 2_000_000, "the gateway took everything"
        connection.respond(connection.request(1), "fast")
        connection.push(slow.number, b"s" * (2_000_000 - sent))
        connection.request(2)
    running, _ = through(script)
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 0}) as client:
        slow = client.open()
        client.until(lambda: slow.fields)
        fast = client.open(path="/fast")
        client.open_window(fast.number, 10)
        assert client.wait(fast).body == b"fast"
        client.open_window(slow.number, 70_000)
        client.acknowledges = True
        assert len(client.wait(slow).body) == 2_000_000


# Many requests on few connections


def answering_together(count, settings=None):
    """A service that answers when so many requests run at once."""
    def serve(connection):
        connection.begin(settings)
        at = 0
        while True:
            connection.until(lambda: len(connection.requests) >= at + count and all(one.is_over for one in connection.requests[at:at + count]))
            for stream in connection.requests[at:at + count]:
                connection.respond(stream, str(connection.number))
            at += count
    return serve


def test_one_connection_carries_many_requests(through):
    running, service = through(answering_together(100), more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(100)]
        assert {bytes(client.wait(stream).body) for stream in streams} == {b"1"}
    assert len(service.connections) == 1


@pytest.mark.parametrize("limit", [1, 2])
def test_a_service_that_takes_few_streams_gets_few(through, limit):
    def script(connection):
        connection.begin({MAX_CONCURRENT_STREAMS: limit})
        at = 0
        while True:
            stream = connection.request(at)
            connection.settle()
            assert len(connection.requests) - at <= limit, "more streams than allowed"
            at += 1
            connection.respond(stream, "x" * 1000)
    running, service = through(script, more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        client.get()
        streams = [client.open(path=f"/{index}") for index in range(50)]
        for stream in streams:
            assert client.wait(stream).status == 200, stream
    assert len(service.connections) == 1 and len(service.requests) == 51


def test_a_connection_that_is_old_ends_behind_the_request_that_finds_it_so(through):
    running, service = through(more=", pool: { max_age: 1s }")
    with RawClient(running.port()) as client:
        assert client.get().status == 200
        time.sleep(1.1)
        for _ in range(2):
            assert client.get().status == 200
    assert len(service.connections) == 2
    eventually(lambda: service.connections[0].is_closed)


def test_further_connections_are_made_when_a_service_takes_few_streams(through):
    running, service = through(answering_together(1, {MAX_CONCURRENT_STREAMS: 1}), more=", pool: { max_connections: 4 }")
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(20)]
        assert all(client.wait(stream).status == 200 for stream in streams)
    assert 1 <= len(service.connections) <= 4


def test_fifty_requests_with_one_connection(through):
    running, service = through(more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        streams = [client.open("POST", f"/{index}", end=False) for index in range(50)]
        for stream in streams:
            client.data(stream.number, b"abc", True)
        assert all(json.loads(client.wait(stream).body)["body"] == 3 for stream in streams)
    assert len(service.connections) == 1


def test_more_streams_are_allowed_later(through):
    def script(connection):
        connection.begin({MAX_CONCURRENT_STREAMS: 1})
        connection.respond(connection.request(0), "a")
        connection.request(1)
        connection.settle()
        assert len(connection.requests) == 2
        connection.send_settings({MAX_CONCURRENT_STREAMS: 10})
        connection.request(2)
        connection.request(3)
        for stream in connection.requests[1:]:
            connection.respond(stream, "b")
        connection.request(4)
    running, _ = through(script, more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        assert client.get().body == b"a"
        streams = [client.open(path=f"/{index}") for index in range(3)]
        assert [client.wait(stream).body for stream in streams] == [b"b"] * 3


# Cancellation and failures


@pytest.mark.parametrize("when", ["before the answer", "in the request", "in the answer"])
def test_a_client_that_cancels_ends_the_stream_of_the_service(through, when):
    seen = threading.Event()
    def script(connection):
        connection.begin()
        stream = connection.request(0, whole=False)
        if when == "in the answer":
            connection.headers(stream.number, [(":status", "200")])
            connection.data(stream.number, b"some")
        connection.until(lambda: stream.reset is not None)
        assert stream.reset == CANCEL
        seen.set()
        # The connection is as good as before.
        connection.respond(connection.request(1), "next")
        connection.request(2)
    running, service = through(script)
    with H2Client(running.port()) as client:
        stream = client.open("POST" if when == "in the request" else "GET", end=when != "in the request")
        if when == "in the answer":
            client.until(lambda: stream.body)
        else:
            eventually(lambda: service.requests)
        client.reset(stream.number)
        assert seen.wait(5)
        assert client.get().body == b"next"
    assert len(service.connections) == 1
    assert running.entries(2)[0]["reason"] == "client_closed"


@pytest.mark.parametrize("when", ["before the answer", "in the answer"])
def test_a_client_of_http1_that_goes_away_ends_the_stream_of_the_service(through, when):
    seen = threading.Event()
    def script(connection):
        connection.begin()
        stream = connection.request(0)
        if when == "in the answer":
            connection.headers(stream.number, [(":status", "200")])
            connection.data(stream.number, b"some")
        connection.until(lambda: stream.reset is not None)
        seen.set()
        connection.respond(connection.request(1), "next")
        connection.request(2)
    running, service = through(script)
    with RawClient(running.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        if when == "in the answer":
            client.read_head()
        else:
            eventually(lambda: service.requests)
        client.reset()
    assert seen.wait(5)
    assert get(running.port()).body == b"next"
    assert len(service.connections) == 1


@pytest.mark.parametrize("code", [CANCEL, INTERNAL_ERROR, NO_ERROR, ENHANCE_YOUR_CALM])
def test_a_reset_in_the_middle_of_an_answer_is_no_clean_end(through, code):
    def script(connection, stream):
        connection.headers(stream.number, [(":status", "200")])
        connection.data(stream.number, b"some")
        connection.reset(stream.number, code)
    running, _ = through(serving(script))
    with H2Client(running.port()) as client:
        for _ in range(2):
            answer = client.get()
            assert answer.reset == INTERNAL_ERROR and not answer.ended
    with RawClient(running.port()) as client:
        with pytest.raises(Ended):
            client.get()


def test_a_reset_before_the_answer_is_a_bad_gateway(through):
    running, service = through(serving(lambda connection, stream: connection.reset(stream.number, INTERNAL_ERROR)))
    with H2Client(running.port()) as client:
        assert client.get(method="POST", body=b"a").status == 502
    assert len(service.requests) == 1
    assert len(service.connections) == 1


def test_a_connection_that_is_lost_in_the_middle_ends_each_of_its_answers(through):
    def script(connection):
        connection.begin()
        for index in range(5):
            stream = connection.request(index)
            connection.headers(stream.number, [(":status", "200")])
            connection.data(stream.number, b"some")
        connection.abort()
    running, _ = through(script)
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(5)]
        for stream in streams:
            assert client.wait(stream).reset == INTERNAL_ERROR, stream


def test_an_answer_before_the_end_of_the_request(through):
    def script(connection):
        connection.begin()
        stream = connection.request(0, whole=False)
        connection.respond(stream, "enough")
        connection.reset(stream.number, NO_ERROR)
        connection.respond(connection.request(1), "next")
        connection.request(2)
    running, _ = through(script)
    with H2Client(running.port()) as client:
        stream = client.open("POST", end=False)
        client.until(lambda: stream.is_over)
        assert stream.status == 200 and stream.body == b"enough" and stream.ended
        client.until(lambda: stream.reset is not None)
        assert stream.reset == NO_ERROR
        assert client.get().body == b"next"


def test_refused_streams_are_tried_again(through):
    refused = []
    def script(connection, stream):
        if len(service.requests) > 1 and not refused:
            refused.append(stream)
            connection.reset(stream.number, REFUSED_STREAM)
        else:
            connection.respond(stream, str(len(stream.body)))
    running, service = through(serving(script))
    with H2Client(running.port()) as client:
        for _ in range(2):
            answer = client.get()
            assert answer.status == 200 and answer.body == b"0"
    assert refused and len(service.requests) == 3


def test_goaway_lets_running_streams_end_and_further_requests_go_elsewhere(through):
    def script(connection):
        connection.begin()
        stream = connection.request(0)
        if connection.number > 1:
            connection.respond(stream, str(connection.number))
            connection.request(1)
            return
        connection.goaway(stream.number)
        connection.settle()
        eventually(lambda: len(connection.upstream.connections) == 2)
        eventually(lambda: len(connection.upstream.requests) == 2)
        connection.respond(stream, str(connection.number))
        with pytest.raises(Ended):
            connection.request(1)
    running, service = through(script)
    with H2Client(running.port()) as client:
        first = client.open()
        eventually(lambda: service.requests)
        eventually(lambda: service.connections[0].pongs)
        second = client.open()
        assert client.wait(second).body == b"2"
        assert client.wait(first).body == b"1"


def test_streams_behind_a_goaway_are_sent_again(through):
    """RFC 9113 section 6.8: those above the last stream were not touched."""
    def script(connection):
        connection.begin()
        if connection.number > 1:
            at = 0
            while True:
                stream = connection.request(at)
                at += 1
                connection.respond(stream, f"{connection.number} {len(stream.body)}")
        first = connection.request(0)
        connection.request(1)
        connection.request(2)
        connection.goaway(first.number)
        connection.respond(first, "1")
        with pytest.raises(Ended):
            connection.request(3)
    running, service = through(script)
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(3)]
        assert [bytes(client.wait(stream).body) for stream in streams] == [b"1", b"2 0", b"2 0"]


def test_a_connection_that_said_goaway_ends_though_requests_wait_for_another(through):
    """The last stream ends while the next request waits: not for this connection."""
    ended, go = threading.Event(), threading.Event()
    def script(connection):
        if connection.number > 1:
            # Its settings, and with them the answer to who waits, come when the first connection is done.
            go.wait(10)
            connection.begin()
            for index in range(2):
                connection.respond(connection.request(index), "second")
            connection.request(2)
        connection.begin()
        stream = connection.request(0)
        connection.goaway(stream.number)
        connection.settle()
        eventually(lambda: len(connection.upstream.connections) == 2)
        connection.respond(stream, "first")
        with pytest.raises(Ended):
            connection.request(1)
        ended.set()
    running, service = through(script)
    with H2Client(running.port()) as client:
        first = client.open()
        eventually(lambda: service.requests and service.connections[0].pongs)
        others = [client.open(path=f"/{index}") for index in range(2)]
        assert client.wait(first).body == b"first"
        assert ended.wait(5)
        go.set()
        assert [bytes(client.wait(one).body) for one in others] == [b"second"] * 2


def test_streams_that_are_refused_many_times(through):
    """RFC 9113 section 8.7: they were not touched, so they are sent again, and that takes nothing from the retries."""
    refused = Counter()
    def script(connection, stream):
        if refused[stream.get(":path")] < 10 and stream.get(":path") != "/":
            refused[stream.get(":path")] += 1
            connection.reset(stream.number, REFUSED_STREAM)
        else:
            connection.respond(stream)
    running, service = through(serving(script))
    with H2Client(running.port()) as client:
        client.get()
        streams = [client.open(path=f"/{index}") for index in range(30)]
        assert [client.wait(stream).get(":status") for stream in streams] == ["200"] * 30
    assert sum(refused.values()) == 300


def test_a_service_that_refuses_for_ever_gets_a_request_seventeen_times(through):
    """And then once more, as its retries have it."""
    def script(connection, stream):
        if stream.get(":path") == "/no":
            connection.reset(stream.number, REFUSED_STREAM)
        else:
            connection.respond(stream)
    running, service = through(serving(script))
    with H2Client(running.port()) as client:
        assert client.get().status == 200
        assert client.get("/no").status == 502
        # What has content is not kept to be sent again.
        assert client.get("/no", (), "POST", b"abc").status == 502
    assert [stream.get(":method") for stream in service.requests if stream.get(":path") == "/no"] == ["GET"] * 18 + ["POST"]


def test_requests_wait_for_the_settings_of_a_new_connection(through):
    """All but the one that it was made for: a service may take fewer streams than any number that could be guessed."""
    def script(connection):
        connection.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while True:
                connection.fill()
        assert connection.ahead.count(b"/many") == 1
        connection.socket.settimeout(10)
        connection.begin({MAX_CONCURRENT_STREAMS: 2})
        for index in range(20):
            stream = connection.request(index)
            assert sum(not one.fields or one.number not in answered for one in connection.requests) <= 2
            answered.add(stream.number)
            connection.respond(stream, "ok")
        connection.request(20)
    answered = set()
    running, service = through(script, more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/many{index}") for index in range(20)]
        assert [client.wait(stream).get(":status") for stream in streams] == ["200"] * 20
    assert len(service.connections) == 1


def test_trailers_that_may_not_pass_leave_an_end_without_any(through):
    """Not an empty field block, which some take for a broken rule."""
    def script(connection):
        connection.begin()
        stream = connection.request(0, whole=False)
        while True:
            kind, flags, number, payload = connection.step()
            if number == stream.number:
                frames.append((kind, flags & END_STREAM, payload))
                if flags & END_STREAM:
                    break
        connection.respond(stream, "ok", trailers=[("content-length", "7")])
        connection.request(1)
    frames = []
    running, service = through(script, route=", trailers: [x-sum]")
    with H2Client(running.port()) as client:
        stream = client.open("POST", end=False)
        client.data(stream.number, b"abc")
        client.headers(stream.number, [("x-other", "1")], end=True)
        client.until(lambda: stream.is_over)
        assert stream.ended and stream.body == b"ok" and not stream.trailers
    assert frames[-1] == (DATA, END_STREAM, b"")


def test_a_connection_lost_between_requests_does_not_fail_the_next(through):
    def script(connection):
        connection.begin()
        connection.respond(connection.request(0), str(connection.number))
    running, service = through(script)
    with RawClient(running.port()) as client:
        for number in range(1, 5):
            assert client.get().body == str(number).encode()


def test_a_connection_lost_with_the_request_on_it_is_tried_again_when_it_may_be(through):
    def script(connection):
        connection.begin()
        connection.respond(connection.request(0), "first")
        if connection.number == 1:
            connection.request(1)
            return
        connection.request(1)
    running, service = through(script)
    with H2Client(running.port()) as client:
        assert client.get().body == b"first"
        assert client.get().body == b"first"
    assert len(service.connections) == 2


def test_a_service_that_does_not_speak_http2(gateway, upstream):
    running = gateway(config(upstream(lambda connection: connection.answer("HTTP/1.1", status="400 Bad Request")).url))
    assert get(running.port()).status == 502
    with H2Client(running.port()) as client:
        assert client.get().status == 502


def test_a_service_that_breaks_the_rules_is_told(through):
    codes = []
    def script(connection):
        connection.begin()
        connection.request(0)
        connection.frame(0, 0, 0, b"data on stream 0")
        codes.append(connection.goaway_code())
    running, _ = through(script)
    assert get(running.port()).status == 502
    eventually(lambda: codes)
    assert codes[0] == 1


def test_a_request_that_waits_for_a_stream_can_be_cancelled(through):
    go = threading.Event()
    def script(connection):
        connection.begin({MAX_CONCURRENT_STREAMS: 1})
        connection.respond(connection.request(0), "ready")
        stream = connection.request(1)
        go.wait(5)
        connection.respond(stream, "done")
        at = 2
        while True:
            connection.respond(connection.request(at), connection.requests[at].get(":path"))
            at += 1
    running, service = through(script, more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        client.get()
        first = client.open()
        eventually(lambda: len(service.requests) == 2)
        streams = [client.open(path=f"/{index}") for index in range(10)]
        for stream in streams[:5]:
            client.reset(stream.number)
        client.settle()
        go.set()
        assert client.wait(first).body == b"done"
        for index, stream in enumerate(streams[5:], 5):
            assert client.wait(stream).body == f"/{index}".encode()
    assert len(service.requests) == 7


def test_a_client_that_goes_away_takes_what_waits_along(through):
    def script(connection):
        connection.begin({MAX_CONCURRENT_STREAMS: 1})
        connection.respond(connection.request(0), "ready")
        stream = connection.request(1)
        connection.until(lambda: stream.reset is not None)
        connection.respond(connection.request(2), "next")
        connection.request(3)
    running, service = through(script, more=", pool: { max_connections: 1 }")
    with H2Client(running.port()) as client:
        client.get()
        for _ in range(50):
            client.open()
        eventually(lambda: len(service.requests) == 2)
        client.settle()
        client.abort()
    assert get(running.port()).body == b"next"
    assert len(service.requests) == 3


def test_downloads_that_are_cancelled_leak_no_window(through):
    def script(connection):
        connection.begin()
        at = 0
        while True:
            stream = connection.request(at)
            at += 1
            connection.headers(stream.number, [(":status", "200")])
            if stream.get(":path") == "/end":
                assert connection.send_window > 2_000_000
                connection.data(stream.number, b"done", True)
                continue
            # All that the windows allow, whatever the client takes.
            connection.data(stream.number, b"x" * min(stream.send_window, connection.send_window))
            connection.until(lambda: stream.reset is not None)
    running, service = through(script)
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 1000}) as client:
        for _ in range(60):
            stream = client.open()
            stream.acknowledges = False
            client.until(lambda: stream.body)
            client.reset(stream.number)
        assert client.get("/end").body == b"done"
    assert len(service.connections) == 1


def test_many_requests_at_once_to_a_service_that_is_down(gateway):
    running = gateway(config(f"http://127.0.0.1:{unused_port()}"))
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(50)]
        assert {client.wait(stream, 3).status for stream in streams} == {502}


@pytest.mark.parametrize("timeouts, begins", [("response: 200ms", False), ("body_idle: 200ms", True)])
def test_a_service_that_is_too_slow_is_told(through, timeouts, begins):
    def script(connection):
        connection.begin()
        stream = connection.request(0)
        if begins:
            connection.headers(stream.number, [(":status", "200")])
            connection.data(stream.number, b"some")
        connection.until(lambda: stream.reset is not None)
        assert stream.reset == CANCEL
        connection.respond(connection.request(1), "next")
        connection.request(2)
    running, service = through(script, more=f", timeouts: {{ {timeouts} }}")
    with H2Client(running.port()) as client:
        stream = client.get()
        assert stream.reset == INTERNAL_ERROR if begins else stream.status == 504
        assert client.get().body == b"next"
    assert len(service.connections) == 1


def test_too_many_interim_answers(through):
    def script(connection):
        connection.begin()
        stream = connection.request(0)
        for _ in range(100):
            connection.headers(stream.number, [(":status", "103")])
        connection.until(lambda: stream.reset is not None)
        connection.respond(connection.request(1), "next")
        connection.request(2)
    running, _ = through(script)
    assert get(running.port()).status == 502
    assert get(running.port()).body == b"next"


# WebSockets


HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def test_a_websocket_of_http1_goes_to_a_stream(through):
    def script(connection):
        connection.begin({ENABLE_CONNECT_PROTOCOL: 1})
        stream = connection.request(0, whole=False)
        assert (stream.get(":method"), stream.get(":protocol"), stream.get(":path")) == ("CONNECT", "websocket", "/chat")
        assert stream.get("sec-websocket-key") is None
        connection.headers(stream.number, [(":status", "200")])
        connection.until(lambda: len(stream.body) == 8)
        connection.data(stream.number, bytes([0x81, 2]) + b"hi")
        connection.until(lambda: stream.is_over)
        connection.request(1)
    running, service = through(script)
    with RawClient(running.port()) as client:
        client.send(HANDSHAKE)
        head = client.read_head()
        assert head.status == 101 and head.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        client.send(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"yo")
        assert client.exactly(4) == bytes([0x81, 2]) + b"hi"
        client.reset()
    eventually(lambda: service.requests[0].is_over)


def test_a_service_without_websockets_gets_none(through):
    running, service = through()
    with RawClient(running.port()) as client:
        client.send(HANDSHAKE)
        assert client.read_response().status == 502
    assert get(running.port()).status == 200
    assert [stream.get(":method") for stream in service.requests] == ["GET"]


# Decisions


def test_forward_auth_over_http2(gateway, h2_upstream, upstream):
    def decide(connection, stream):
        status = "200" if stream.get("x-token") == "good" else "403"
        connection.headers(stream.number, [(":status", status), ("x-user", "ada")], True)
    judge, service = h2_upstream(serving(decide)), upstream()
    running = gateway(f"""
workers: 1
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c] }}
upstreams:
  judge: {{ endpoints: ["{judge.url}"], protocol: h2c }}
middleware:
  judged: {{ forward_auth: {{ upstream: judge, request_headers: [X-Token], copy_headers: [X-User] }} }}
routes:
  - {{ path: /*, middleware: [judged], upstream: "{service.url}" }}
""")
    with H2Client(running.port()) as client:
        assert client.get().status == 403
        streams = [client.open(fields=[("x-token", "good")]) for _ in range(40)]
        assert all(client.wait(stream).status == 200 for stream in streams)
        assert client.get("/", [("x-token", "good")], "POST", b"a" * 100_000).status == 200
    assert get(running.port(), fields="X-Token: good\r\n").status == 200
    assert len(judge.connections) == 1 and {request.get("x-user") for request in service.requests} == {"ada"}


# TLS


def context(*protocols):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem("ecdsa"), key("ecdsa"))
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


SECURE = f", tls: {{ ca: {pem('ca')}, server_name: api.example.com }}"


@pytest.mark.parametrize("protocol", ["h2", "auto"])
def test_http2_over_tls(gateway, h2_upstream, protocol):
    service = h2_upstream(mirror, context("h2", "http/1.1"))
    running = gateway(config(service.url, SECURE, protocol=protocol))
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(30)]
        for stream in streams:
            assert client.wait(stream).status == 200
            assert dict(json.loads(stream.body)["fields"])[":scheme"] == "https"
    assert len(service.connections) == 1


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_auto_takes_http1_where_there_is_nothing_else(gateway, protocols):
    service = TLSUpstream()
    if protocols:
        service.context.set_alpn_protocols(list(protocols))
    try:
        running = gateway(config(service.url, SECURE, protocol="auto"))
        with H2Client(running.port()) as client:
            for _ in range(3):
                streams = [client.open(path=f"/{index}") for index in range(10)]
                assert all(client.wait(stream).status == 200 for stream in streams)
        assert len(service.requests) == 30
    finally:
        assert not service.close()


def test_h2_does_not_take_http1(gateway):
    service = TLSUpstream()
    service.context.set_alpn_protocols(["http/1.1"])
    try:
        running = gateway(config(service.url, SECURE, protocol="h2"))
        assert get(running.port()).status == 502
        assert not service.requests
    finally:
        service.close()
