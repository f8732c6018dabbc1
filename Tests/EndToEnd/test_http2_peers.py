"""nginx and HAProxy as services that speak HTTP/2, over TLS and without."""

import hashlib
import re
import threading

import pytest
import requests

from support.http2 import H2Client
from support.peers import PeerProcess, nginx_config, pair, unused_ports
from support.raw import Ended
from support.tls import CA
from support.websocket import BINARY, CLOSE, TEXT, frame, read_frame, upgrade
from support.raw import RawClient

pytestmark = pytest.mark.faults
KINDS = pytest.mark.parametrize("kind", ["nginx", "haproxy"])
PROTOCOLS = pytest.mark.parametrize("protocol", ["h2", "h2c"])


class H2Peer(PeerProcess):
    """It speaks HTTP/2 alone, and HTTP/1.1 with a plain service of ours, which it tells of the connection in `X-Peer`.

    `more` stands in nginx's `server` or HAProxy's `global` block.
    """

    def __init__(self, kind: str, folder, service: str, more: str = "", calls: str = ""):
        secure, plain = ports = unused_ports(2)
        self.urls = {"h2": f"https://127.0.0.1:{secure}", "h2c": f"http://127.0.0.1:{plain}"}
        make = self.nginx if kind == "nginx" else self.haproxy
        super().__init__(kind, folder, make(folder, secure, plain, service.removeprefix("http://"), more, calls), ports)

    @staticmethod
    def nginx(folder, secure, plain, service, more, calls) -> str:
        location = f"grpc_pass grpc://{calls.removeprefix('http://')};" if calls else f"proxy_pass http://{service};"
        return nginx_config(folder, f"""
  ssl_certificate {pair(folder)};
  ssl_certificate_key {folder}/pair.pem;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_set_header X-Peer "$server_protocol port=$remote_port";
  server {{
    listen 127.0.0.1:{secure} ssl http2;
    listen 127.0.0.1:{plain} http2;
    add_trailer X-Sum $status;
    {more}
    location / {{ {location} }}
  }}
""")

    @staticmethod
    def haproxy(folder, secure, plain, service, more, calls) -> str:
        return f"""
global
  {more}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend peer
  bind 127.0.0.1:{secure} ssl crt {pair(folder)} alpn h2
  bind 127.0.0.1:{plain} proto h2
  http-request set-header X-Peer HTTP/%[req.ver]\\ port=%[src_port]
  default_backend service
backend service
  server service {service}
"""


@pytest.fixture
def peer(tmp_path):
    made = []

    def make(kind: str, service: str, **named) -> H2Peer:
        folder = tmp_path / f"peer{len(made)}"
        folder.mkdir()
        made.append(H2Peer(kind, folder, service, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def before(gateway, service: H2Peer, protocol: str, connections: int = 4, route: str = ""):
    secure = f", tls: {{ ca: {CA}, server_name: api.example.com }}" if protocol == "h2" else ""
    return gateway(f"""
workers: 1
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c], limits: {{ requests: off }}, http2: {{ streams: 500 }} }}
upstreams:
  service: {{ endpoints: ["{service.urls[protocol]}"], protocol: {protocol}, pool: {{ max_connections: {connections} }}{secure} }}
routes:
  - {{ path: /*, upstream: service{route} }}
""")


def connection_of(answered: dict) -> str:
    """The version and the port of the connection that a request came on."""
    told = {name.lower(): value for name, value in answered["headers"]}["x-peer"]
    assert re.fullmatch(r"HTTP/2\.0 port=\d+", told), told
    return told


@KINDS
@PROTOCOLS
def test_requests_of_every_kind(gateway, aiohttp_service, peer, kind, protocol):
    running = before(gateway, peer(kind, aiohttp_service.url), protocol)
    content = bytes(range(256)) * 4096
    digest = hashlib.sha256(content).hexdigest()
    with requests.Session() as session:
        seen = set()
        for size in (0, 1, 20_000, 1 << 20):
            got = session.post(running.url("/echo"), data=content[:size], timeout=20).json()
            assert got["length"] == size
            seen.add(connection_of(got))
        chunks = (content[at:at + 100_000] for at in range(0, len(content), 100_000))
        got = session.post(running.url("/echo?a=b%20c"), data=chunks, timeout=20).json()
        assert (got["length"], got["sha256"], got["target"]) == (len(content), digest, "/echo?a=b%20c")
        seen.add(connection_of(got))
        for query in ("bytes=5000000", "bytes=5000000&chunked"):
            assert len(session.get(running.url(f"/download?{query}"), timeout=20).content) == 5_000_000
        assert session.get(running.url("/status/404"), timeout=20).text == "status 404"
        assert session.get(running.url("/nowhere"), timeout=20).status_code == 404
        for status in (204, 304, 500):
            assert session.get(running.url(f"/status/{status}"), timeout=20).status_code == status
        whole = session.get(running.url("/status/200"), timeout=20)
        head = session.head(running.url("/status/200"), timeout=20)
        assert head.status_code == 200 and not head.content and head.headers["content-length"] == whole.headers["content-length"] == "10"
        seen.add(connection_of(session.post(running.url("/echo"), timeout=20).json()))
    assert len(seen) == 1, "one connection carries all of them"


@KINDS
@PROTOCOLS
def test_many_streams_at_once(gateway, upstream, peer, kind, protocol):
    """The service answers when all have come."""
    count, connections = 200, 2
    together = threading.Barrier(count, timeout=30)

    def script(connection):
        while request := connection.read_request():
            if request.target == "/together":
                together.wait()
            connection.answer(request.get("x-peer"))
    running = before(gateway, peer(kind, upstream(script).url), protocol, connections)
    with H2Client(running.port(), seconds=30) as client:
        # How many streams a connection takes shows with its first answer.
        assert client.get("/first").status == 200
        streams = [client.open(path="/together") for _ in range(count)]
        for stream in streams:
            assert client.wait(stream, 30).status == 200, stream
        assert 1 <= len({bytes(stream.body) for stream in streams}) <= connections


@KINDS
@PROTOCOLS
def test_a_reader_that_stops_holds_up_its_stream_alone(gateway, aiohttp_service, peer, kind, protocol):
    running = before(gateway, peer(kind, aiohttp_service.url), protocol, connections=1)
    with H2Client(running.port()) as client:
        client.settle()
        slow = client.open(path="/download?bytes=20000000")
        slow.acknowledges = False
        client.until(lambda: len(slow.body) == 65_535)
        for _ in range(20):
            assert client.get("/status/200").body == b"status 200"
        assert len(slow.body) == 65_535
        slow.acknowledges = True
        client.open_window(slow.number, len(slow.body))
        assert len(client.wait(slow, 20).body) == 20_000_000


@KINDS
@PROTOCOLS
def test_trailers(gateway, upstream, peer, kind, protocol):
    def script(connection):
        while request := connection.read_request():
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nsome\r\n0\r\nX-Sum: 200\r\n\r\n")
    service = upstream(script)
    running = before(gateway, peer(kind, service.url), protocol, route=", trailers: [x-sum]")
    # nginx 1.22 takes trailers of a request for a mistake, and ends the connection.
    sent = [("x-sum", "3")] if kind == "haproxy" else []
    with H2Client(running.port()) as client:
        for _ in range(3):
            answer = client.get(method="POST", body=b"abc", trailers=[*sent, ("x-other", "4")])
            assert (answer.status, answer.body, answer.trailers) == (200, b"some", [("x-sum", "200")])
    assert [(request.body, request.trailers) for request in service.requests] == [(b"abc", sent)] * 3


@PROTOCOLS
def test_calls_through_nginx(gateway, h2_upstream, peer, protocol):
    """`grpc_pass`: HTTP/2 on both of its sides."""
    def script(connection):
        connection.begin()
        at = 0
        while True:
            stream = connection.request(at)
            at += 1
            assert stream.get("te") == "trailers" and stream.get("content-type") == "application/grpc"
            connection.respond(stream, bytes(stream.body), [("content-type", "application/grpc")], trailers=[("grpc-status", "0"), ("grpc-message", "fine")])
    running = before(gateway, peer("nginx", "http://127.0.0.1:9", calls=h2_upstream(script).url), protocol, route=", trailers: all")
    call = [("content-type", "application/grpc"), ("te", "trailers")]
    with H2Client(running.port()) as client:
        for message in (b"", b"a", b"x" * 300_000):
            answer = client.get("/a.Service/Method", call, "POST", message)
            assert answer.status == 200 and answer.body == message
            assert dict(answer.trailers) | {"x-sum": ""} == {"grpc-status": "0", "grpc-message": "fine", "x-sum": ""}


@PROTOCOLS
@pytest.mark.parametrize("kind, more", [("nginx", "keepalive_requests 7; http2_max_concurrent_streams 3;"),
                                        ("haproxy", "tune.h2.max-concurrent-streams 3")])
def test_few_streams_and_few_requests_for_each_connection(gateway, aiohttp_service, peer, kind, more, protocol):
    """Connections end all the time: with GOAWAY while requests are on their way."""
    running = before(gateway, peer(kind, aiohttp_service.url, more=more), protocol, connections=2)
    with H2Client(running.port(), seconds=30) as client:
        for _ in range(3):
            streams = [client.open(path=f"/users/{index}") for index in range(100)]
            for index, stream in enumerate(streams):
                assert client.wait(stream, 30).status == 200 and b'"id": "%d"' % index in stream.body, stream


@KINDS
@PROTOCOLS
def test_it_is_reloaded_under_load(gateway, aiohttp_service, peer, kind, protocol):
    """Its old worker says GOAWAY and ends what it has; the gateway goes on with the new one."""
    service = peer(kind, aiohttp_service.url)
    running = before(gateway, service, protocol)
    done, wrong, stop = [], [], threading.Event()

    def ask(client_number: int) -> None:
        try:
            with H2Client(running.port()) as client:
                while not stop.is_set():
                    streams = [client.open(path=f"/users/{client_number}") for _ in range(5)]
                    wrong.extend(stream for stream in map(client.wait, streams) if stream.get(":status") != "200" or not stream.ended)
                    done.append(len(streams))
        except (Ended, OSError) as problem:
            wrong.append(problem)
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        seen = len(done)
        service.reload()
        while len(done) < seen + 30 and not wrong and any(thread.is_alive() for thread in threads):
            stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not wrong and sum(done) > 500, (wrong[:3], len(done))


@PROTOCOLS
def test_websockets_go_through_haproxy(gateway, aiohttp_service, peer, protocol):
    """Extended CONNECT; a second one and requests use the same connection."""
    running = before(gateway, peer("haproxy", aiohttp_service.url), protocol, connections=1)
    with RawClient(running.port()) as first, RawClient(running.port()) as second, RawClient(running.port()) as other:
        for client in (first, second):
            assert upgrade(client).status == 101
        for index, client in enumerate([first, second] * 10):
            for opcode, content in ((TEXT, b"text %d" % index), (BINARY, bytes([index]) * 70_000)):
                client.send(frame(opcode, content))
                assert read_frame(client) == (opcode, content)
            assert other.get("/status/200").status == 200
        first.send(frame(TEXT, b"close 4001 own"))
        assert read_frame(first) == (CLOSE, b"\x0f\xa1own")
        second.send(frame(TEXT, b"still"))
        assert read_frame(second) == (TEXT, b"still")


def test_websockets_cannot_go_through_nginx(gateway, aiohttp_service, peer):
    """It does not offer extended CONNECT."""
    running = before(gateway, peer("nginx", aiohttp_service.url), "h2c")
    with RawClient(running.port()) as client:
        assert upgrade(client).status == 502
        assert client.get("/status/200").status == 200
