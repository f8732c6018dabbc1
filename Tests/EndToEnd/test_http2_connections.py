"""What holds for connections with many requests on them: names and policies, age, drains, reloads."""

import json
import ssl
import threading
import time

import pytest

from support.gateway import eventually
from support.http2 import NO_ERROR, REFUSED_STREAM, H2Client
from support.raw import Ended
from support.tls import CA, ask, certificate, client_context, connect


def echo(connection):
    while request := connection.read_request():
        connection.answer(request.target)


def slow(go: threading.Event):
    """/slow is answered when it is time; uploads are read as they come."""
    def script(connection):
        while request := connection.read_head():
            if request.target == "/slow":
                go.wait(10)
            connection.read_body(request)
            connection.answer(f"{request.target} {len(request.body)}")
    return script


def config(url: str, listener: str = "", more: str = "", top: str = "") -> str:
    return f"""
workers: 1
{top}
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }}{listener} }}
{more}
routes:
  - {{ path: /*, upstream: "{url}" }}
"""


def secure_client(running, name: str = "api.example.com", identity: str | None = None, listener: str = "default", **named) -> H2Client:
    return H2Client(running.port(listener), context=client_context(identity), name=name, host=name, **named)


def status(client: H2Client, host: str, path: str = "/") -> int:
    stream = client.open_raw([(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)])
    return client.wait(stream).status


# Names


PLAIN, OTHER, ADMIN = "b.api.example.com", "c.api.example.com", "admin.api.example.com"


@pytest.fixture
def guarded(gateway, upstream):
    """A host that demands a certificate of its clients, and others that do not."""
    tls = f"certificates: [{certificate('ecdsa')}, {certificate('ed25519')}], hosts: {{ {ADMIN}: {{ client_auth: {{ ca: {CA} }} }} }}"
    service = upstream(echo)
    return service, gateway(f"""
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ {tls} }} }}
routes:
  - {{ path: /*, upstream: "{service.url}" }}
""")


def test_names_of_one_policy_share_a_connection_and_others_are_misdirected(guarded):
    """What browsers do with one certificate for many names: RFC 9113 section 9.1.1. A 421 leaves the connection as it is."""
    service, running = guarded
    with secure_client(running, PLAIN) as client:
        for _ in range(3):
            assert status(client, PLAIN) == status(client, OTHER) == status(client, f"{OTHER}:{running.port()}") == 200
            for host in (ADMIN, ADMIN.upper(), f"{ADMIN}:443", f"{ADMIN}."):
                assert status(client, host, "/secret") in (400, 421), host
            stream = client.open_raw([(":method", "GET"), (":scheme", "https"), (":authority", ADMIN), (":path", "/secret")])
            assert client.wait(stream).status == 421 and json.loads(stream.body)["code"] == "misdirected"
        assert client.goaways == []
    with secure_client(running, ADMIN, "client") as client:
        assert status(client, ADMIN, "/secret") == 200
        assert status(client, PLAIN) == 421, "its policy is another one"
        assert status(client, ADMIN) == 200
    with pytest.raises((ssl.SSLError, ConnectionError, Ended)):
        with secure_client(running, ADMIN) as client:
            status(client, ADMIN, "/secret")
    assert [request.target for request in service.requests].count("/secret") == 1


def test_both_versions_misdirect_alike(guarded):
    service, running = guarded
    for name, identity, hosts in ((PLAIN, None, {PLAIN: 200, OTHER: 200, ADMIN: 421}), (ADMIN, "client", {ADMIN: 200, PLAIN: 421}),
                                  ("other.example", None, {"other.example": 200, PLAIN: 200, ADMIN: 421})):
        with secure_client(running, name, identity) as client:
            assert {host: status(client, host) for host in hosts} == hosts
        with connect(running.port(), name, client_context(identity)) as client:
            assert {host: ask(client, host=host)[0] for host in hosts} == hosts


def test_a_websocket_for_another_policy_is_misdirected(guarded):
    service, running = guarded
    with secure_client(running, PLAIN) as client:
        client.settle()
        stream = client.open_raw([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", ADMIN), (":path", "/ws"),
                                  ("sec-websocket-version", "13")], end=False)
        assert client.wait(stream).status == 421
        assert status(client, PLAIN) == 200
    assert not [request for request in service.requests if request.target == "/ws"]


def test_a_name_chooses_the_certificate_of_a_connection_in_http2(guarded):
    _, running = guarded
    for name, subject in ((PLAIN, "api.example.com"), ("api.example.com", "api.example.com"), ("other.example", "other.example")):
        with secure_client(running, name) as client:
            assert dict(part[0] for part in client.socket.getpeercert()["subject"])["commonName"] == subject
            assert status(client, name) == 200


# Age


def test_a_connection_of_age_is_told_and_its_streams_end(gateway, upstream):
    go = threading.Event()
    running = gateway(config(upstream(slow(go)).url, ", timeouts: { connection_age: 1s }"))
    with secure_client(running) as client:
        waiting = client.open(path="/slow")
        upload = client.open("POST", "/upload", end=False)
        client.data(upload.number, b"first")
        assert client.get("/early").status == 200 and not client.goaways
        time.sleep(1.2)
        late = client.open(path="/late")
        assert client.wait(late).body == b"/late 0"
        client.until(lambda: client.goaways)
        assert client.goaways[0][1] == NO_ERROR and client.goaways[0][0] >= late.number
        # On its way when the gateway said so: served, or refused so that it may be sent again.
        later = client.open(path="/later")
        client.data(upload.number, b"second" * 50_000, end=True)
        assert client.wait(upload).body == b"/upload 300005"
        go.set()
        assert client.wait(waiting).body == b"/slow 0"
        client.until_closed()
        assert later.body == b"/later 0" or later.reset == REFUSED_STREAM or client.goaways[-1][0] < later.number
        assert client.goaways[-1][1] == NO_ERROR


# No stream is lost


class Load:
    """A client that asks without pause, five streams at a time, and makes another connection when it is told to."""

    def __init__(self, running, is_last: bool = False):
        self.running = running
        self.is_last = is_last
        """The gateway ends: nobody listens behind the last connection."""
        self.served = self.connections = 0
        self.lost: list = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> "Load":
        self.thread.start()
        eventually(lambda: self.served > 50 or self.lost, 20, "traffic")
        return self

    def __exit__(self, *_) -> None:
        self.stopping.set()
        self.thread.join(30)

    def run(self) -> None:
        while not self.stopping.is_set() and not self.lost:
            try:
                client = secure_client(self.running)
            except OSError as problem:
                if not self.is_last:
                    self.lost.append(problem)
                return
            with client:
                self.connections += 1
                self.use(client)

    def use(self, client: H2Client) -> None:
        while not self.stopping.is_set() and not client.goaways:
            streams = []
            try:
                for number in range(5):
                    streams.append(client.open(path=f"/{number}"))
                for stream in streams:
                    client.wait(stream)
            except (Ended, OSError) as problem:
                # Only what the gateway says that it did not touch may be without an answer.
                untouched = client.goaways[-1][0] if client.goaways else None
                if untouched is None or any(not stream.is_over and stream.number <= untouched for stream in streams):
                    self.lost.append((problem, client.goaways, streams))
                return
            for number, stream in enumerate(streams):
                if stream.ended and stream.status == 200 and stream.body == b"/%d" % number:
                    self.served += 1
                elif stream.reset != REFUSED_STREAM:
                    self.lost.append(stream)


def test_no_stream_is_lost_at_the_age_of_connections(gateway, upstream):
    running = gateway(config(upstream(echo).url, ", timeouts: { connection_age: 1s }, limits: { requests: off }"))
    with Load(running) as first, Load(running) as second:
        eventually(lambda: first.connections + second.connections >= 6 or first.lost or second.lost, 20, "three ages")
    assert not first.lost and not second.lost


def test_no_stream_is_lost_at_the_last_request_of_connections(gateway, upstream):
    running = gateway(config(upstream(echo).url, ", limits: { requests: 23 }"))
    with Load(running) as first, Load(running) as second:
        eventually(lambda: first.connections + second.connections >= 40 or first.lost or second.lost, 20, "many connections")
    assert not first.lost and not second.lost


def test_no_stream_is_lost_in_a_drain(gateway, upstream):
    running = gateway(config(upstream(echo).url, top="drain_timeout: 10s", listener=", limits: { requests: off }"))
    with Load(running, is_last=True) as first, Load(running, is_last=True) as second:
        running.terminate()
        assert running.wait(20) == 0
    assert not first.lost and not second.lost and first.served + second.served > 100


def test_no_stream_is_lost_in_reloads(gateway, upstream):
    """Also not when certificates, limits and protocols of the listener are others each time."""
    url = upstream(echo).url
    variants = [config(url), config(url, ", http2: { streams: 50 }"), config(url).replace(certificate("ecdsa"), certificate("rsa")),
                config(url, ", timeouts: { connection_age: 5s }")]
    running = gateway(variants[0])
    with Load(running) as first, Load(running) as second:
        for turn in range(12):
            assert running.reload(variants[turn % len(variants)])
    assert not first.lost and not second.lost


def test_a_listener_that_a_reload_takes_away_ends_its_connections_in_order(gateway, upstream):
    go = threading.Event()
    service = upstream(slow(go))
    other = f'  other: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate("ecdsa")}] }} }}'
    running = gateway(config(service.url, more=other))
    with secure_client(running, listener="other") as going, secure_client(running) as staying:
        waiting = going.open(path="/slow")
        upload = going.open("POST", "/upload", end=False)
        eventually(lambda: len(service.requests) == 2)
        assert staying.get("/a").status == 200
        assert running.reload(config(service.url))
        with pytest.raises(OSError):
            eventually(lambda: not secure_client(running, listener="other").close(), 5)
        going.push(upload.number, b"abc" * 50_000)
        assert going.wait(upload).body == b"/upload 150000"
        go.set()
        assert going.wait(waiting).body == b"/slow 0"
        assert staying.get("/b").status == 200 and not staying.goaways
