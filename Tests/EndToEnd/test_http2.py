"""Clients that speak HTTP/2, with TLS and without."""

import base64
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import httpx
import pytest

from support.gateway import eventually
from support.http2 import (CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENABLE_CONNECT_PROTOCOL,
                           ENABLE_PUSH, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, HEADERS, INITIAL_WINDOW_SIZE,
                           INTERNAL_ERROR, MAX_CONCURRENT_STREAMS, NO_ERROR, PING, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM,
                           SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, H2Client, frame)
from support.keys import key_hash
from support.metrics import LISTENER, figure
from support.raw import Ended, RawClient, get
from support.tls import certificate, client_context, pem


def mirror(connection):
    """Says what came, in HTTP/1.1."""
    while request := connection.read_request():
        connection.answer(json.dumps({"first": request.first, "fields": request.fields, "body": len(request.body), "trailers": request.trailers,
                                      "chunked": request.chunked, "connection": connection.number}))


def config(url: str, listener: str = "", more: str = "", route: str = "", upstream: str = "", top: str = "workers: 1") -> str:
    return f"""
{top}
{LISTENER}
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c]{listener} }}
upstreams:
  service: {{ endpoints: ["{url}"]{upstream} }}
routes:
{more}
  - {{ path: /*, upstream: service{route} }}
"""


@pytest.fixture
def through(gateway, upstream):
    """A gateway before a scripted service of HTTP/1.1: both."""
    def make(script=mirror, **named):
        service = upstream(script)
        return gateway(config(service.url, **named)), service
    return make


def said(stream) -> dict:
    assert stream.status == 200, stream
    return json.loads(stream.body)


# Requests


def test_a_request_reaches_the_service_in_http1(through):
    running, service = through()
    with H2Client(running.port()) as client:
        seen = said(client.get("/a%20b?c=d", [("x-one", "1"), ("x-two", ""), ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")]))
        assert seen["first"] == "GET /a%20b?c=d HTTP/1.1"
        fields = dict(seen["fields"])
        assert fields["host"] == "a.test" and fields["x-one"] == "1" and fields["x-two"] == ""
        assert [value for name, value in seen["fields"] if name == "cookie"] == ["a=1; b=2"]
        assert fields["x-forwarded-for"] == "127.0.0.1" and fields["x-forwarded-proto"] == "http"
        assert client.settings[ENABLE_CONNECT_PROTOCOL] == 1 and client.settings.get(ENABLE_PUSH, 0) == 0
    entry = running.entry()
    assert entry["protocol"] == "HTTP/2.0" and entry["path"] == "/a%20b" and entry["status"] == 200


def test_content_of_3_mb_in_both_directions(through):
    def echo(connection):
        while request := connection.read_request():
            if request.chunked:
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
                for at in range(0, len(request.body), 100_000):
                    part = request.body[at:at + 100_000]
                    connection.send(b"%x\r\n%b\r\n" % (len(part), part))
                connection.send(f"0\r\nX-Sum: {len(request.body)}\r\n\r\n")
            else:
                connection.answer(request.body)
    running, service = through(echo)
    content = os.urandom(3_000_000)
    with H2Client(running.port()) as client:
        answer = client.get("/", [("content-length", "3000000")], "POST", content)
        assert answer.body == content and answer.get("content-length") == "3000000" and not answer.trailers
        answer = client.get("/", (), "POST", content)
        assert answer.body == content and answer.get("content-length") is None and answer.trailers == [("x-sum", "3000000")]
    assert [request.chunked for request in service.requests] == [False, True]


def test_answers_without_content(through):
    def script(connection):
        while request := connection.read_request():
            if request.method == "HEAD":
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            else:
                connection.send(f"HTTP/1.1 {request.target[1:]} X\r\nETag: \"a\"\r\n\r\n")
    running, service = through(script)
    with H2Client(running.port()) as client:
        for status in (204, 304):
            answer = client.get(f"/{status}")
            assert answer.status == status and answer.ended and not answer.body and answer.get("etag") == '"a"'
        answer = client.get(method="HEAD")
        assert answer.status == 200 and answer.get("content-length") == "5000" and not answer.body
    assert len(service.connections) == 1


def test_interim_answers_and_trailers_of_requests(through):
    def script(connection):
        while request := connection.read_request():
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            connection.answer(json.dumps(request.trailers))
    running, service = through(script, route=", trailers: [x-sum]")
    with H2Client(running.port()) as client:
        answer = client.get(method="POST", body=b"abc", trailers=[("x-sum", "3"), ("x-user", "admin"), ("content-length", "9")])
        assert answer.interim == [[(":status", "103"), ("link", "</a>")]]
        assert json.loads(answer.body) == [["x-sum", "3"]]
        answer = client.get(method="POST", fields=[("content-length", "3")], body=b"abc", trailers=[("x-sum", "3")])
        assert answer.status == 200


def test_expect_100_continue(through):
    def script(connection):
        while request := connection.read_head():
            if request.target == "/no":
                connection.answer("no", "417 No", "Connection: close\r\n")
                return
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            connection.answer(request.body)
    running, service = through(script)
    with H2Client(running.port()) as client:
        stream = client.open("POST", "/yes", [("expect", "100-continue"), ("content-length", "3")], end=False)
        client.until(lambda: stream.interim)
        assert stream.interim[0][0] == (":status", "100")
        client.data(stream.number, b"abc", True)
        assert client.wait(stream).body == b"abc"
        stream = client.open("POST", "/no", [("expect", "100-continue"), ("content-length", "3")], end=False)
        assert client.wait(stream).status == 417 and not stream.interim
        client.until(lambda: stream.reset is not None)
        assert stream.reset == NO_ERROR


def test_both_versions_on_one_port_and_httpx_over_tls(gateway, upstream):
    service = upstream(mirror)
    running = gateway(f"""
listeners:
  plain: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c] }}
  old: {{ bind: "127.0.0.1:0" }}
  secure: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }} }}
routes:
  - {{ path: /*, upstream: "{service.url}" }}
""")
    assert get(running.port("plain")).status == 200
    with H2Client(running.port("plain")) as client:
        assert client.get().status == 200
    with RawClient(running.port("old")) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.read_response().status in (400, 505)
        assert client.at_end()
    context = client_context()
    content = os.urandom(1_000_000)
    with httpx.Client(http2=True, verify=context) as client:
        for _ in range(3):
            answer = client.post(f"https://127.0.0.1:{running.port('secure')}/a", content=content, headers={"host": "api.example.com"},
                                 extensions={"sni_hostname": "api.example.com"})
            assert answer.http_version == "HTTP/2" and answer.json()["body"] == len(content)
            assert dict(answer.json()["fields"])["x-forwarded-proto"] == "https"
    with H2Client(running.port("secure"), context=client_context(), host="api.example.com") as client:
        assert client.get().status == 200


@pytest.mark.skipif("HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout if shutil.which("curl") else True,
                    reason="curl speaks no HTTP/2")
def test_curl(gateway, upstream, tmp_path):
    service = upstream(mirror)
    running = gateway(f"""
listeners:
  plain: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c] }}
  secure: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }} }}
routes:
  - {{ path: /*, upstream: "{service.url}" }}
""")
    (tmp_path / "big").write_bytes(os.urandom(2_000_000))
    for url, more in ((f"http://127.0.0.1:{running.port('plain')}", ["--http2-prior-knowledge"]),
                      (f"https://api.example.com:{running.port('secure')}", ["--http2", "--cacert", pem("ca"), "--resolve",
                                                                            f"api.example.com:{running.port('secure')}:127.0.0.1"])):
        for content in ([], ["--data-binary", f"@{tmp_path}/big"], ["-T", str(tmp_path / "big"), "-H", "Transfer-Encoding: chunked"], ["-I"]):
            done = subprocess.run(["curl", "-s", "--max-time", "10", "-o", str(tmp_path / "out"), "-w", "%{http_version} %{http_code}", *more, *content, url],
                                  capture_output=True, text=True, timeout=20)
            assert done.stdout == "2 200", (done, content)
    # The upgrade is not served; the request is.
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--http2", f"http://127.0.0.1:{running.port('plain')}"],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout == "1.1 200"
    assert all(request.get("upgrade") is None and request.get("http2-settings") is None for request in service.requests)


# Policies


def test_middleware_and_local_answers(gateway, upstream):
    service = upstream(mirror)

    def decide(connection):
        while request := connection.read_request():
            if request.get("x-token") == "good":
                connection.answer("", fields="X-User: ada\r\n")
            else:
                connection.answer("no", "403 Forbidden")
    judge = upstream(decide)
    running = gateway(f"""
workers: 1
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c], http2: {{ stream_errors: 1000 }} }}
  inner: {{ bind: "127.0.0.1:0", protocols: [h2c] }}
upstreams:
  service: {{ endpoints: ["{service.url}"] }}
  judge: {{ endpoints: ["{judge.url}"] }}
middleware:
  all: {{ headers: {{ response: {{ set: {{ X-All: "{{method}} {{path}} {{query.b}}" }} }} }} }}
  keys: {{ api_key: {{ header: X-Api-Key, keys: {{ ada: "{key_hash('right')}" }} }} }}
  rate: {{ rate_limit: {{ rate: 1/h, burst: 1, key: client_ip }} }}
  small: {{ body_limit: 10B }}
  cross: {{ cors: {{ origins: ["https://app.example"], methods: [GET] }} }}
  judged: {{ forward_auth: {{ upstream: judge, request_headers: [X-Token], copy_headers: [X-User] }} }}
routes:
  - {{ path: /fixed, respond: {{ status: 200, text: "hello" }} }}
  - {{ path: /gone, redirect: "https://other.example/x" }}
  - {{ path: /headers/*, upstream: service, middleware: [all] }}
  - {{ path: /keys, upstream: service, middleware: [keys] }}
  - {{ path: /rate, upstream: service, middleware: [rate] }}
  - {{ path: /small, upstream: service, middleware: [small] }}
  - {{ path: /cors, upstream: service, middleware: [cross] }}
  - {{ path: /judged, upstream: service, middleware: [judged] }}
  - {{ path: /mirror, upstream: service }}
""")
    with H2Client(running.port()) as client:
        assert client.get("/fixed").body == b"hello"
        answer = client.get("/gone")
        assert answer.status in (301, 302, 307, 308) and answer.get("location") == "https://other.example/x"
        answer = client.get("/nowhere")
        assert answer.status == 404 and answer.get("content-type") == "application/problem+json" and json.loads(answer.body)["status"] == 404
        assert client.get("/headers/a?b=1").get("x-all") == "GET /headers/a 1"
        assert client.get("/headers/a").get("x-all") == "GET /headers/a", "no white space at the end"
        assert client.get("/keys").status == 401
        assert client.get("/keys", [("x-api-key", "right")]).status == 200
        assert [client.get("/rate").status for _ in range(2)] == [200, 429]
        assert client.get("/small", (), "POST", b"0123456789").status == 200
        stream = client.open("POST", "/small", [("content-length", "11")], end=False)
        assert client.wait(stream).status == 413
        stream = client.open("POST", "/small", end=False)
        client.data(stream.number, b"01234567890")
        assert client.wait(stream).status == 413
        client.until(lambda: stream.reset is not None)
        assert stream.reset == NO_ERROR
        answer = client.get("/cors", [("origin", "https://app.example"), ("access-control-request-method", "GET")], "OPTIONS")
        assert answer.status in (200, 204) and answer.get("access-control-allow-origin") == "https://app.example"
        assert client.get("/judged").status == 403
        assert dict(said(client.get("/judged", [("x-token", "good")]))["fields"])["x-user"] == "ada"
        answer = client.get("/judged", [("x-token", "good")], "POST", b"abc" * 1000)
        assert said(answer)["body"] == 3000
        assert client.get("/mirror", (), "CONNECT").is_over
        assert client.get("/mirror").status == 200


def test_client_certificates_and_names(gateway, upstream):
    service = upstream(mirror)
    running = gateway(f"""
listeners:
  default:
    bind: "127.0.0.1:0"
    tls: {{ certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {pem('ca')}, require: false, forward: certificate }} }}
routes:
  - {{ path: /*, upstream: "{service.url}" }}
""")
    with H2Client(running.port(), context=client_context("client"), host="api.example.com") as client:
        fields = dict(said(client.get(fields=[("client-cert", "forged")]))["fields"])
        assert fields["client-cert"].startswith(":") and fields["client-cert"] != "forged"


# Many streams


@pytest.mark.parametrize("count", [100, 1000])
def test_many_streams_at_once(gateway, h2_upstream, count):
    def script(connection):
        connection.begin({MAX_CONCURRENT_STREAMS: 5000})
        # How many streams there may be shows with the settings: none waits for those.
        connection.respond(connection.request(0), "ready")
        connection.until(lambda: len(connection.requests) == count + 1 and all(one.is_over for one in connection.requests))
        for stream in connection.requests[1:]:
            connection.respond(stream, stream.get(":path"))
        connection.request(count + 1)
    service = h2_upstream(script)
    running = gateway(config(service.url, f", http2: {{ streams: {count} }}, limits: {{ requests: off }}", upstream=", protocol: h2c"))
    with H2Client(running.port()) as client:
        assert client.get().body == b"ready"
        streams = [client.open(path=f"/{index}") for index in range(count)]
        for index, stream in enumerate(streams):
            assert client.wait(stream).body == f"/{index}".encode()
    assert len(service.connections) == 1


def test_more_streams_than_allowed_are_refused(through):
    go = threading.Event()
    def script(connection):
        while connection.read_request():
            go.wait(5)
            connection.answer("done")
    running, service = through(script, listener=", http2: { streams: 3 }")
    with H2Client(running.port()) as client:
        client.settle()
        assert client.settings[MAX_CONCURRENT_STREAMS] == 3
        streams = [client.open(path=f"/{index}") for index in range(6)]
        client.settle()
        assert [stream.reset for stream in streams] == [None] * 3 + [REFUSED_STREAM] * 3
        go.set()
        assert [client.wait(stream).body for stream in streams[:3]] == [b"done"] * 3
        assert client.get().body == b"done"
    assert len(service.requests) == 4


def endless(connection):
    """An answer without end to /slow; others are short."""
    while request := connection.read_request():
        if request.target != "/slow":
            connection.answer("fast")
            continue
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.send(b"s" * 65536)


def test_a_stream_without_a_window_does_not_stop_others_and_is_reset(through):
    running, service = through(endless, listener=", timeouts: { write_idle: 300ms }")
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 0}) as client:
        slow = client.open(path="/slow")
        client.until(lambda: slow.fields)
        client.send_settings({INITIAL_WINDOW_SIZE: 100})
        slow.acknowledges = False
        before = time.monotonic()
        while slow.reset is None and time.monotonic() < before + 5:
            fast = client.open(path="/fast")
            assert client.wait(fast).body == b"fast"
        assert slow.reset is not None and time.monotonic() - before < 3
        assert client.get("/fast").body == b"fast"
    eventually(lambda: any(entry["path"] == "/slow" for entry in running.entries(2)))


def test_slow_readers_hold_no_memory(through):
    running, service = through(endless, listener=", http2: { streams: 200 }")
    before = running.resident()
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 0}) as client:
        streams = [client.open(path="/slow") for _ in range(60)]
        client.until(lambda: all(stream.fields for stream in streams))
        for _ in range(20):
            client.settle()
        assert running.resident() - before < 60_000_000
        assert not any(stream.body for stream in streams)


def test_an_upload_that_the_service_does_not_read_is_held_up(through):
    stop = threading.Event()
    def script(connection):
        while request := connection.read_head():
            if request.target == "/fast":
                connection.answer("fast")
                continue
            stop.wait(10)
            connection.read_body(request)
            connection.answer(str(len(request.body)))
    running, service = through(script)
    size = 20_000_000
    with H2Client(running.port()) as client:
        stream = client.open("POST", "/", [("content-length", str(size))], end=False)
        sent = 0
        for _ in range(40):
            while (room := min(stream.send_window, client.send_window, 16384)) > 0 and sent < size:
                client.data(stream.number, b"u" * room)
                sent += room
            client.settle()
        assert sent < 12_000_000, "the kernel and one window hold less"
        assert stream.send_window < 65536
        assert client.get("/fast").body == b"fast"
        client.reset(stream.number)
        stop.set()
        assert client.get("/fast").body == b"fast"


# Cancellation


@pytest.mark.parametrize("when", ["before the answer", "in the request", "in the answer", "in an answer that waits"])
def test_a_client_that_cancels_ends_the_request_of_the_service(through, when):
    ended = threading.Event()
    def script(connection):
        request = connection.read_head()
        if request.target == "/next":
            connection.answer("next")
            return
        if when == "in the answer":
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        elif when == "in an answer that waits":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"a" * 99_999)
        connection.rest()
        ended.set()
    running, service = through(script)
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 0} if "waits" in when else None) as client:
        stream = client.open("POST" if when == "in the request" else "GET", end=when != "in the request")
        if "in the answer" == when:
            client.until(lambda: stream.body)
        elif "waits" in when:
            client.until(lambda: stream.fields)
        else:
            eventually(lambda: service.requests)
        client.reset(stream.number)
        assert ended.wait(5)
        if "waits" not in when:
            assert client.get("/next").body == b"next"
        client.settle()
        assert not client.goaways
    entry = running.entries(1)[0]
    assert entry["reason"] == "client_closed"


def test_a_client_that_goes_away_ends_all_its_requests(through):
    ended = []
    def script(connection):
        connection.read_head()
        connection.rest()
        ended.append(connection)
    running, service = through(script)
    with H2Client(running.port()) as client:
        for index in range(20):
            client.open(path=f"/{index}")
        eventually(lambda: len(service.requests) == 20)
        client.abort()
    eventually(lambda: len(ended) == 20)
    assert {entry["reason"] for entry in running.entries(20)} == {"client_closed"}


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nzz\r\n"])
def test_a_service_that_fails_in_its_answer_is_no_clean_end(through, answer):
    def script(connection):
        connection.read_request()
        connection.send(answer)
    running, service = through(script)
    with H2Client(running.port()) as client:
        for _ in range(2):
            stream = client.get()
            assert stream.status == 200 and stream.reset == INTERNAL_ERROR and not stream.ended
            assert stream.body in (b"", b"some")


def test_an_answer_before_the_end_of_the_request_is_complete(through):
    def script(connection):
        while request := connection.read_head():
            connection.answer("enough" * 1000, fields="Connection: close\r\n")
            return
    running, service = through(script)
    with H2Client(running.port()) as client:
        for _ in range(3):
            stream = client.open("POST", end=False)
            client.wait(stream)
            assert stream.status == 200 and stream.body == b"enough" * 1000 and stream.ended
            client.until(lambda: stream.reset is not None)
            assert stream.reset == NO_ERROR


def test_the_end_of_a_request_may_come_behind_the_answer(through):
    """Many send it in a frame of its own, also without content: no reset meets it on its way."""
    def script(connection):
        while request := connection.read_request():
            connection.answer("x" * 100_000 if request.target == "/long" else "short")
    running, service = through(script, listener=", timeouts: { linger_idle: 300ms }", more="  - { path: /local, respond: { status: 200, text: a } }")
    with H2Client(running.port()) as client:
        for path in ("/short", "/long", "/local"):
            # An answer that does not wait for what was announced is another matter.
            for content in (b"", b"abc") if path != "/local" else (b"",):
                stream = client.open("POST", path, [("content-length", str(len(content)))], end=False)
                if content:
                    client.data(stream.number, content)
                client.until(lambda: stream.ended)
                client.settle()
                assert stream.status == 200 and stream.reset is None
                client.data(stream.number, b"", True)
                client.settle()
                assert stream.reset is None
        before = time.monotonic()
        silent = client.open("POST", "/short", [("content-length", "3")], end=False)
        client.data(silent.number, b"abc")
        client.until(lambda: silent.reset is not None)
        assert silent.reset == NO_ERROR and silent.ended and 0.2 < time.monotonic() - before < 5
        assert client.get().status == 200 and not client.goaways
    assert len(running.entries(7)) == 7


def test_a_silent_call_does_not_hold_a_connection_of_http1(through):
    def script(connection):
        connection.read_head()
        connection.rest()
    running, service = through(script, listener=", timeouts: { body_idle: 300ms }")
    with H2Client(running.port()) as client:
        stream = client.open("POST", "/a.Service/Call", [("content-type", "application/grpc")], end=False)
        client.wait(stream, 5)
        assert stream.status == 200 and stream.get("grpc-status") == "4"
    assert running.entry()["status"] == 408
    eventually(lambda: service.connections[0].is_ended())


# Ends of connections


def test_the_last_request_of_a_connection_is_announced(through):
    running, service = through(listener=", limits: { requests: 3 }")
    with H2Client(running.port()) as client:
        for _ in range(3):
            assert client.get().status == 200
        client.until_closed()
        assert client.goaways[0][1] == NO_ERROR and client.goaways[-1][0] in (5, 2**31 - 1)


def test_requests_on_their_way_at_the_last_one_are_served(through):
    running, service = through(listener=", limits: { requests: 3 }")
    with H2Client(running.port()) as client:
        streams = [client.open(path=f"/{index}") for index in range(10)]
        for stream in streams:
            client.until(lambda: stream.is_over or client.goaways and client.goaways[-1][0] < stream.number)
        client.until_closed()
    assert len(service.requests) == sum(1 for stream in streams if stream.fields) >= 3


def test_a_client_that_goes_on_after_goaway_is_served_for_a_second(through):
    go = threading.Event()
    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                go.wait(20)
            connection.answer("done")
    running, service = through(script, listener=", limits: { requests: 2 }")
    with H2Client(running.port()) as client, H2Client(running.port()) as single:
        slow = client.open(path="/slow")
        assert client.get("/second").status == 200
        began = time.monotonic()
        # Never two at once, and never none for long.
        count = 0
        while not any(last < 2**31 - 1 for last, _ in single.goaways) and time.monotonic() - began < 8:
            stream = single.open(path="/single")
            single.until(lambda: stream.is_over or single.goaways and single.goaways[-1][0] < stream.number)
            count += 1
            time.sleep(0.05)
        assert 0.5 < time.monotonic() - began < 8 and count > 2
        client.until(lambda: client.goaways[-1][0] < 2**31 - 1)
        late = client.open(path="/late")
        client.settle()
        assert not late.is_over and client.goaways[-1] == (client.goaways[-1][0], NO_ERROR) and client.goaways[-1][0] < late.number
        go.set()
        assert client.wait(slow).body == b"done"
        client.until_closed()
    assert "/late" not in [request.target for request in service.requests]


def test_an_unused_connection_ends_with_goaway(through):
    running, service = through(listener=", timeouts: { keep_alive: 300ms }")
    with H2Client(running.port()) as client:
        assert client.get().status == 200
        before = time.monotonic()
        assert client.goaway_code() == NO_ERROR
        assert 0.2 < time.monotonic() - before < 3


def test_a_client_that_says_goaway_gets_its_answers(through):
    go = threading.Event()
    def script(connection):
        connection.read_request()
        go.wait(5)
        connection.answer("late")
    running, service = through(script)
    with H2Client(running.port()) as client:
        stream = client.open()
        client.goaway(0)
        client.settle()
        go.set()
        assert client.wait(stream).body == b"late"
        client.until_closed()


def test_a_drain_lets_running_streams_end(through):
    go = threading.Event()
    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                go.wait(5)
            connection.answer("done")
    running, service = through(script)
    with H2Client(running.port()) as client, H2Client(running.port()) as idle:
        idle.get()
        slow = client.open(path="/slow")
        upload = client.open("POST", "/upload", end=False)
        eventually(lambda: len(service.requests) == 3)
        running.terminate()
        client.until(lambda: client.goaways)
        assert client.goaways[0][1] == NO_ERROR
        # On its way when the gateway said that it goes.
        late = client.open(path="/late")
        assert client.wait(late).is_over
        client.push(upload.number, b"abc" * 10_000)
        assert client.wait(upload).body == b"done"
        go.set()
        assert client.wait(slow).body == b"done"
        idle.until_closed()
        assert idle.goaways[0][1] == NO_ERROR
        client.until_closed()
    assert running.wait() == 0


def test_a_reload_leaves_running_streams_alone(through):
    go = threading.Event()
    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                go.wait(5)
            connection.answer("done")
    running, service = through(script)
    with H2Client(running.port()) as client:
        slow = client.open(path="/slow")
        upload = client.open("POST", "/upload", end=False)
        eventually(lambda: len(service.requests) == 2)
        assert running.reload(running.config_path.read_text().replace("routes:\n", "routes:\n  - { path: /new, respond: { status: 200, text: new } }\n"))
        go.set()
        assert client.wait(slow).body == b"done"
        client.push(upload.number, b"abc")
        assert client.wait(upload).body == b"done"
        if not client.goaways:
            assert client.get("/new").body == b"new"
    with H2Client(running.port()) as client:
        assert client.get("/new").body == b"new"


def test_a_proxy_protocol_header_before_http2(through):
    running, service = through(listener=', proxy_protocol: { from: ["127.0.0.0/8"] }')
    with H2Client(running.port(), before=b"PROXY TCP4 203.0.113.7 127.0.0.1 1000 80\r\n") as client:
        assert dict(said(client.get())["fields"])["x-forwarded-for"] == "203.0.113.7"


def test_a_preface_in_pieces(through):
    running, service = through()
    whole = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
    for cut in (1, 3, 4, 15, 16, 17, 18, 20, 23, 24, 25, 32):
        with H2Client(running.port(), opening=b"") as client:
            client.send(whole[:cut])
            get(running.port())
            client.send(whole[cut:])
            assert client.get().status == 200, cut
    for wrong in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", b"PRI * HTTP/2.0\r\nHost: a.test\r\n\r\n", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with RawClient(running.port()) as client:
            client.send(wrong)
            rest = client.rest()
            assert b"200" not in rest[:20]


# Messages that are not valid


def check_others(running, service_target: str = "/ok") -> None:
    """The gateway still serves."""
    with H2Client(running.port()) as client:
        assert client.get(service_target).status == 200


HEAD = [(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/bad")]


def without(name: str) -> list[tuple[str, str]]:
    return [one for one in HEAD if one[0] != name]


def instead(name: str, value: str) -> list[tuple[str, str]]:
    return [(key, value if key == name else old) for key, old in HEAD]


MALFORMED = {
    "connection": [*HEAD, ("connection", "close")],
    "connection-te": [*HEAD, ("connection", "transfer-encoding")],
    "keep-alive": [*HEAD, ("keep-alive", "5")],
    "proxy-connection": [*HEAD, ("proxy-connection", "x")],
    "transfer-encoding": [*HEAD, ("transfer-encoding", "chunked")],
    "upgrade": [*HEAD, ("upgrade", "websocket")],
    "te gzip": [*HEAD, ("te", "gzip")],
    "upper case": [*HEAD, ("X-Up", "1")],
    "space in a name": [*HEAD, ("x y", "1")],
    "colon in a name": [*HEAD, ("x:y", "1")],
    "line in a name": [*HEAD, ("x: 1\r\nx-evil", "1")],
    "no name": [*HEAD, ("", "1")],
    "CR LF in a value": [*HEAD, ("x", "a\r\nb: c")],
    "LF in a value": [*HEAD, ("x", "a\nb")],
    "NUL in a value": [*HEAD, ("x", "a\0b")],
    "path with a space": instead(":path", "/bad HTTP/1.1"),
    "path with CR LF": instead(":path", "/bad HTTP/1.1\r\nX: y\r\n\r\nGET /smuggled"),
    "path with a fragment": instead(":path", "/bad#x"),
    "path without a slash": instead(":path", "bad"),
    "path with a host": instead(":path", "http://other.test/bad"),
    "star": instead(":path", "*"),
    "empty path": instead(":path", ""),
    "no path": without(":path"),
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no authority": without(":authority"),
    "scheme with a target": instead(":scheme", "http://evil/"),
    "method with a space": instead(":method", "GET /x"),
    "method with CR LF": instead(":method", "GET / HTTP/1.1\r\nX: y"),
    "authority with a path": instead(":authority", "a.test/x"),
    "authority with userinfo": instead(":authority", "u@a.test"),
    "authority with a space": instead(":authority", "a.test b"),
    "authority with CR LF": instead(":authority", "a.test\r\nX: y"),
    "another host": [*HEAD, ("host", "evil.test")],
    "two hosts": [*without(":authority"), ("host", "a.test"), ("host", "b.test")],
    "path twice": [*HEAD, (":path", "/again")],
    "unknown pseudo-header": [*HEAD, (":foo", "x")],
    "status": [*HEAD, (":status", "200")],
    "late pseudo-header": [("x", "1"), *HEAD],
    "protocol of GET": [*HEAD, (":protocol", "websocket")],
    "length of nothing": [*HEAD, ("content-length", "5")],
    "signed length": [*HEAD, ("content-length", "+0")],
    "two lengths": [*HEAD, ("content-length", "0"), ("content-length", "5")],
    "list of lengths": [*HEAD, ("content-length", "0, 0")],
}


@pytest.mark.parametrize("protocol", ["http/1.1", "h2c"])
def test_malformed_requests_never_reach_the_service(gateway, upstream, h2_upstream, protocol):
    service = upstream(mirror) if protocol == "http/1.1" else h2_upstream()
    running = gateway(config(service.url, ", http2: { stream_errors: 1000 }", upstream=f", protocol: {protocol}"))
    with H2Client(running.port()) as client:
        for what, fields in MALFORMED.items():
            for more in ([], [("cookie", "a=1")]):
                number = client.next
                client.next += 2
                # As they are: the encoder must not tidy them up.
                client.headers(number, [*fields, *more], True)
                stream = client.wait(client.made(number))
                assert stream.reset == PROTOCOL_ERROR or stream.status in (400, 405, 421), (what, stream)
        assert not service.requests
        assert client.get("/ok").status == 200
    assert len(service.requests) == 1


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"


@pytest.mark.parametrize("length, parts, trailers", [("0", [SMUGGLED], False), ("50", [b"12345"], False), ("5", [b"123", b"456"], False), ("5", [b"123"], True),
                                                      ("50", [], True), ("18446744073709551621", [b"12345"], False), ("5", [b"12345", b"6"], False)])
@pytest.mark.parametrize("protocol", ["http/1.1", "h2c"])
def test_content_of_another_length_is_never_passed_on_as_whole(gateway, upstream, h2_upstream, protocol, length, parts, trailers):
    """An HTTP/1.1 service may see the head, and then the end of its connection."""
    service = upstream(mirror) if protocol == "http/1.1" else h2_upstream()
    running = gateway(config(service.url, upstream=f", protocol: {protocol}"))
    with H2Client(running.port()) as client:
        stream = client.open("POST", "/v", [("content-length", length)], end=False)
        for index, part in enumerate(parts):
            client.data(stream.number, part, end=index == len(parts) - 1 and not trailers)
        if trailers:
            client.headers(stream.number, [("x-sum", "1")], True)
        client.wait(stream)
        # A service that has all that was announced may answer before the rest comes.
        is_answered = protocol == "http/1.1" and sum(map(len, parts)) > int(length) and stream.get(":status") == "200"
        assert stream.reset == PROTOCOL_ERROR or is_answered or stream.status in (400, 413), stream
        for _ in range(3):
            assert client.get("/ok").status == 200
    if protocol == "http/1.1":
        assert [request.target for request in service.requests if request.target != "/v"] == ["/ok"] * 3
        # What is too much may come when the service has all that was announced: it never gets a byte more.
        assert all(len(request.body) <= int(length) for request in service.requests if request.target == "/v")
        if sum(map(len, parts)) < int(length):
            assert all(len(request.body) < int(length) for request in service.requests if request.target == "/v")
    else:
        assert not any(stream.ended for stream in service.requests if stream.get(":path") == "/v")
        assert len([stream for stream in service.requests if stream.get(":path") == "/ok"]) == 3


def test_heads_that_are_too_large(through):
    running, service = through(listener=", limits: { fields: 50, head: 16KiB }")
    with H2Client(running.port()) as client:
        for fields in ([(f"x-{index}", "1") for index in range(60)], [(f"x-{index}", "a" * 1000) for index in range(20)], [("x", "a" * 9000)]):
            answer = client.get("/large", fields)
            assert answer.status == 431 or answer.reset == ENHANCE_YOUR_CALM, answer
        answer = client.get("/" + "a" * 9000)
        assert answer.status in (414, 431)
        assert client.get("/ok").status == 200
        stream = client.get("/cookies", [("cookie", f"a{index}=1") for index in range(45)])
        assert "; ".join(f"a{index}=1" for index in range(45)) in str(said(stream)["fields"])
    flood(running, lambda client: client.open(path="/many", fields=[("cookie", "a") for _ in range(3000)]))
    assert [request.target for request in service.requests] == ["/ok", "/cookies", "/ok", "/ok", "/ok"]


# Floods: each ends with GOAWAY, and nobody else notices


def flood(running, begin, code: int = ENHANCE_YOUR_CALM, settings=None, reason: str | None = None) -> H2Client:
    """`begin` sends what is too much; the gateway may have hung up before all of it was sent. `reason` is the metric's label."""
    with H2Client(running.port(), settings) as bystander, H2Client(running.port(), settings) as client:
        assert bystander.get("/ok").status == 200
        client.settle()
        try:
            begin(client)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert client.goaway_code() == code
        assert bystander.get("/ok").status == 200
    if reason:
        assert figure(running, "martlet_http2_connections_ended_total", side="client", reason=reason) == 1
    check_others(running)
    return client


def limited(**limits) -> str:
    return ", http2: { " + ", ".join(f"{name}: {value}" for name, value in limits.items()) + " }"


def test_rapid_resets(through):
    def script(connection):
        while request := connection.read_request():
            if request.target != "/ok":
                connection.rest()
                return
            connection.answer("ok")
    running, service = through(script, listener=limited(rapid_resets=10))
    def begin(client):
        for _ in range(12):
            client.reset(client.open(path="/slow").number)
    flood(running, begin, reason="rapid_resets")


def made_window_zero(client, stream):
    client.open_window(stream.number, 0)


def made_window_over(client, stream):
    client.open_window(stream.number, 2**31 - 1)


def made_data(client, stream):
    client.frame(DATA, END_STREAM, stream.number, b"")
    client.frame(DATA, 0, stream.number, b"more")


def made_head(client, stream):
    client.headers(stream.number, [("x", "trailers without an end")])


def made_priority(client, stream):
    client.frame(PRIORITY, 0, stream.number, b"1234")


@pytest.mark.parametrize("provoke", [made_window_zero, made_window_over, made_data, made_head, made_priority])
def test_resets_that_the_client_provokes(through, provoke):
    """MadeYouReset: rules broken so that the gateway resets streams whose requests go on upstream."""
    def script(connection):
        while request := connection.read_head():
            if request.target != "/ok":
                connection.rest()
                return
            connection.answer("ok")
    running, service = through(script, listener=limited(stream_errors=10))
    def begin(client):
        for _ in range(12):
            provoke(client, client.open("POST", "/slow", end=False))
    with H2Client(running.port()) as client:
        client.settle()
        try:
            begin(client)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert client.goaway_code() in (ENHANCE_YOUR_CALM, STREAM_CLOSED)
    assert sum(figure(running, "martlet_http2_connections_ended_total", side="client", reason=reason) for reason in ("stream_errors", "closed_stream")) == 1
    check_others(running)
    for one in list(service.connections):
        eventually(lambda: one.is_ended() or one.upstream.requests[-1].target == "/ok")


@pytest.mark.parametrize("what", ["pings", "settings", "empty_frames", "empty_headers", "priorities", "window_updates", "ignored_frames", "continuations", "header_block"])
def test_floods(through, what):
    running, service = through(listener=limited(pings=10, settings=5, empty_frames=5, priorities=10, window_updates=10, ignored_frames=20, continuations=3,
                                                header_block="4KiB"))
    def begin(client):
        stream = client.open("POST", "/ok", end=False) if what in ("empty_frames", "window_updates") else None
        for index in range(300):
            match what:
                case "pings": client.ping()
                case "settings": client.send_settings()
                case "empty_frames": client.frame(DATA, 0, stream.number)
                case "empty_headers": client.frame(HEADERS, 0, 1) if index == 0 else client.frame(CONTINUATION, 0, 1)
                case "priorities": client.frame(PRIORITY, 0, 2 * index + 1, struct.pack(">IB", 0, 1))
                case "window_updates": client.open_window(stream.number, 1)
                case "ignored_frames": client.frame(0x77, 0, 0, b"")
                case "continuations": client.frame(HEADERS if index == 0 else CONTINUATION, 0, 1, b"\x82" if index == 0 else b"\x00\x01x\x01y")
                case "header_block": client.frame(HEADERS if index == 0 else CONTINUATION, 0, 1, client.encoder.encode([(f"x{index}", os.urandom(1000).hex())]))
    flood(running, begin, reason="continuations" if what == "empty_headers" else what)
    assert {request.target for request in service.requests} == {"/ok"}


def test_a_flood_is_not_read_for_long_behind_its_goaway(through):
    """`limits.linger`, 64 MiB, is for uploads whose refusal is still to be read."""
    running, _ = through(listener=limited(pings=10))
    with H2Client(running.port()) as client:
        client.settle()
        for _ in range(12):
            client.ping()
        client.until(lambda: client.goaways)
        assert client.goaways[-1][1] == ENHANCE_YOUR_CALM
        # More than the kernel's buffers hold.
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(512):
                client.send(bytes(65_536))


def test_an_hpack_bomb(through):
    """A table entry of 4 KiB, named thousands of times in a block of a few KiB."""
    running, service = through()
    with H2Client(running.port()) as client:
        client.settle()
        before = running.resident()
        for _ in range(5):
            block = client.encoder.encode([*HEAD, ("x-bomb", "a" * 4000)]) + b"\xbe" * 12_000
            number = client.next
            client.next += 2
            client.frame(HEADERS, END_HEADERS | END_STREAM, number, block)
            stream = client.made(number)
            try:
                client.wait(stream)
            except Ended:
                assert client.goaways[-1][1] == ENHANCE_YOUR_CALM
                break
            assert stream.status == 431 or stream.reset == ENHANCE_YOUR_CALM
        assert running.resident() - before < 20_000_000
    assert not service.requests
    check_others(running)


def test_replies_that_the_client_does_not_read(through):
    running, service = through(listener=limited(pings=1000000, unread_replies=100))
    before = running.resident()
    with H2Client(running.port(), receive_buffer=4096) as client:
        client.settle()
        client.socket.settimeout(0.5)
        try:
            for _ in range(400):
                client.send(frame(PING, 0, 0, b"12345678") * 1000)
        except OSError:
            pass
        assert running.resident() - before < 20_000_000
        client.socket.settimeout(10)
        client.until_closed()
    assert figure(running, "martlet_http2_connections_ended_total", side="client", reason="unread_replies") == 1
    check_others(running)


@pytest.mark.parametrize("code, sent", [
    (FLOW_CONTROL_ERROR, lambda client: client.open_window(0, 2**31 - 1)),
    (PROTOCOL_ERROR, lambda client: client.open_window(0, 0)),
    (PROTOCOL_ERROR, lambda client: client.frame(DATA, 0, 0, b"x")),
    (PROTOCOL_ERROR, lambda client: client.frame(5, END_HEADERS, 1, b"\0\0\0\2")),
    (PROTOCOL_ERROR, lambda client: client.headers(2, HEAD, True)),
    (FRAME_SIZE_ERROR, lambda client: client.frame(DATA, 0, 1, b"x" * 16385)),
    (FRAME_SIZE_ERROR, lambda client: client.frame(PING, 0, 0, b"x")),
    (COMPRESSION_ERROR, lambda client: client.frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")),
    (PROTOCOL_ERROR, lambda client: client.frame(CONTINUATION, END_HEADERS, 1, b"")),
    (FLOW_CONTROL_ERROR, lambda client: client.send_settings({INITIAL_WINDOW_SIZE: 2**31})),
])
def test_broken_rules_of_the_connection(through, code, sent):
    running, service = through()
    flood(running, sent, code)


def test_more_content_than_the_window_allows(through):
    hold = threading.Event()
    def script(connection):
        while request := connection.read_head():
            if request.target == "/ok":
                connection.answer("ok")
                continue
            hold.wait(10)
            return
    running, service = through(script)
    with H2Client(running.port()) as client:
        # What it has to acknowledge comes before the end: it could not be sent then, and the reset not be read.
        client.settle()
        stream = client.open("POST", "/v", end=False)
        try:
            for _ in range(2000):
                client.data(stream.number, b"x" * 16384)
        except OSError:
            pass
        try:
            client.wait(stream)
            assert stream.reset == FLOW_CONTROL_ERROR
        except (Ended, OSError):
            assert client.goaways[-1][1] == FLOW_CONTROL_ERROR
    check_others(running)
    hold.set()


def test_padded_content_does_not_leak_the_window(through):
    running, service = through()
    with H2Client(running.port()) as client:
        stream = client.open("POST", "/", end=False)
        padded = bytes([250]) + b"a" * 10 + bytes(250)
        for _ in range(6000):
            while min(stream.send_window, client.send_window) < len(padded):
                client.step()
            stream.send_window -= len(padded)
            client.send_window -= len(padded)
            client.frame(DATA, 8, stream.number, padded)
        client.data(stream.number, b"", True)
        assert said(client.wait(stream))["body"] == 60_000


@pytest.mark.parametrize("how", ["local", "early", "cancel"])
def test_uploads_that_nobody_reads_leak_no_window(through, how):
    def script(connection):
        while request := connection.read_head():
            if request.target == "/ok":
                connection.answer("ok")
                continue
            if how == "cancel":
                connection.rest()
            else:
                connection.answer("early", fields="Connection: close\r\n")
            return
    limits = limited(rapid_resets=10000, stream_errors=10000, ignored_frames=100000, pings=10000)
    running, service = through(script, listener=limits, more="  - { path: /local, respond: { status: 200, text: a } }")
    with H2Client(running.port()) as client:
        for _ in range(60):
            stream = client.open("POST", "/local" if how == "local" else "/v", end=False)
            sent = 0
            while sent < 65535 and not stream.is_over and stream.send_window > 0:
                room = min(client.send_window, stream.send_window, 16384, 65535 - sent)
                if room <= 0:
                    client.step()
                    continue
                client.data(stream.number, b"x" * room)
                sent += room
            if how == "cancel":
                client.reset(stream.number)
                client.settle()
            else:
                client.wait(stream)
        client.settle()
        assert client.get("/ok").body == b"ok"
        assert client.send_window > 400_000


# WebSockets


def test_a_websocket_on_a_stream(gateway, upstream):
    def script(connection):
        request = connection.read_head()
        assert request.method == "GET" and request.get("upgrade") == "websocket"
        connection.target = request.target
        accept = base64.b64encode(hashlib.sha1((request.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        connection.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
        while True:
            first, length = connection.exactly(2)
            mask, data = connection.exactly(4), connection.exactly(length & 127)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
            connection.send(bytes([first, len(data)]) + data)
            if first & 15 == 8:
                return
    service = upstream(script)
    running = gateway(config(service.url))
    with H2Client(running.port()) as client:
        client.settle()
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a.test")]
        streams = [client.open_raw([*head, (":path", f"/{index}"), ("sec-websocket-version", "13")], end=False) for index in range(5)]
        for index, stream in enumerate(streams):
            client.until(lambda: stream.fields)
            assert stream.status == 200 and stream.get("sec-websocket-accept") is None and stream.get("upgrade") is None
            client.data(stream.number, bytes([0x81, 0x80 | 2, 0, 0, 0, 0]) + b"%02d" % index)
        for index, stream in enumerate(streams):
            client.until(lambda: len(stream.body) == 4)
            assert stream.body == b"\x81\x02%02d" % index
        client.data(streams[0].number, bytes([0x88, 0x82, 0, 0, 0, 0, 3, 232]))
        assert client.wait(streams[0]).body[4:] == bytes([0x88, 2, 3, 232])
        client.reset(streams[1].number)
        client.data(streams[2].number, bytes([0x81, 0x80 | 2, 0, 0, 0, 0]) + b"xx")
        client.until(lambda: len(streams[2].body) == 8)
        # One that is cut off at the service ends alone.
        next(one for one in service.connections if one.target == "/3").socket.shutdown(socket.SHUT_RDWR)
        client.wait(streams[3])
        client.data(streams[4].number, bytes([0x81, 0x80 | 2, 0, 0, 0, 0]) + b"yy")
        client.until(lambda: len(streams[4].body) == 8)
    for one in service.connections:
        eventually(lambda: one.socket.fileno() < 0 or one.is_ended())
