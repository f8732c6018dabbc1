"""Faults of what a machine has only once: its ports, its mounts, its name servers, its clock. `make faults` runs these."""

import os
import struct
import threading
import time

import pytest

from support import names
from support.gateway import eventually
from support.namespace import mount, namespaced
from support.raw import RawClient, get

pytestmark = pytest.mark.faults


def config(url: str, top: str = "") -> str:
    return f"listen: 127.0.0.1:0\n{top}\nroutes:\n  - {{ path: /*, upstream: \"{url}\" }}\n"


# MARK: ports


@namespaced
def test_without_a_free_port_requests_are_refused_and_nothing_else(gateway, upstream, tmp_path):
    """Ten ports to connect from: the eleventh connection to an upstream is a 503, not a mark against the endpoint."""
    release = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                release.wait(20)
            connection.answer("ok")

    path = tmp_path / "gateway.sock"
    peer = upstream(script)
    running = gateway(f"workers: 1\nlisten: [\"127.0.0.1:0\", \"unix:{path}\"]\nroutes: [{{ path: /*, upstream: \"{peer.url}\" }}]\n")
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as ports:
        ports.write("50000 50009")
    clients = [RawClient(str(path)) for _ in range(20)]
    for client in clients:
        client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
    eventually(lambda: len(peer.requests) == 10, 5, "ten requests at the upstream")
    entries = running.entries(10)
    assert [(entry["status"], entry["reason"]) for entry in entries] == [(503, "overloaded")] * 10
    release.set()
    statuses = sorted(client.read_response().status for client in clients)
    assert statuses == [200] * 10 + [503] * 10
    # The endpoint is in use as before: there is a port again.
    with RawClient(str(path)) as client:
        assert client.get("/").status == 200


# MARK: disks


@namespaced
def test_a_disk_that_is_full_for_a_while(gateway, upstream, tmp_path):
    """Lines are lost while there is no room, requests are not; when there is room again whole lines follow."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "none", str(disk))
    log = disk / "access.log"
    running = gateway(config(upstream().url, f"access_log: {{ format: json, output: {log} }}\nlog: {{ output: {disk}/own.log }}"),
                      own_log=disk / "own.log")
    ballast = disk / "ballast"
    with RawClient(running.port()) as client:
        assert client.get("/before").status == 200
        eventually(lambda: log.exists() and "/before" in log.read_text(), what="the first line")
        with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"x" * 4096)
        for _ in range(500):
            assert client.get("/" + "f" * 500).status == 200
        time.sleep(0.5)
        ballast.unlink()

        def comes_back():
            assert client.get("/after").status == 200
            return '"/after"' in log.read_text()
        eventually(comes_back, what="lines after the disk was full")
    lines = log.read_text().splitlines()
    broken = [line for line in lines if not (line.startswith("{") and line.endswith("}"))]
    # The line that met the end of the room may be cut; it stays on a line of its own.
    assert len(broken) <= 2, broken
    assert len([line for line in lines if "fff" in line]) < 500, "the disk was never full"


# MARK: names


class Zone:
    """A name server for `upstream.test`, whose mood a test changes."""

    def __init__(self):
        self.mood = "good"
        self.address = "127.0.0.1"
        self.ttl = 1
        self.server = names.NameServer(self.answer)

    def asked(self) -> int:
        return len(self.server.asked)

    def answer(self, query: bytes, is_tcp: bool) -> list[bytes]:
        name, kind, _ = names.read_question(query)
        if kind != names.A:
            return [] if self.mood == "silent" else [names.message(query)]
        good = [names.address(name, self.address, self.ttl)]
        number = struct.unpack("!H", query[:2])[0]
        match self.mood:
            case "silent":
                return []
            case "failing":
                return [names.message(query, code=names.SERVER_FAILURE)]
            case "refusing":
                return [names.message(query, code=names.REFUSED)]
            case "unknown":
                return [names.message(query, code=names.NO_NAME)]
            case "empty":
                return [names.message(query)]
            case "garbage":
                return [b"\0", os.urandom(40), query[:2] + b"\xff" * 30]
            case "loop":
                return [names.message(query, [names.record(name, names.CNAME, names.encode_name("b.test")),
                                              names.record("b.test", names.CNAME, names.encode_name(name))])]
            case "spoofed":
                forged = names.message(query, [names.address(name, "127.0.0.66")], number=number ^ 0x5555)
                return [forged, names.message(query, good)]
            case "many":
                if not is_tcp:
                    return [names.message(query, good, truncated=True)]
                return [names.message(query, [names.address("", f"127.9.{index // 250}.{index % 250 + 1}") for index in range(4000)])]
            case "long":
                if not is_tcp:
                    return [names.message(query, truncated=True)]
                return [names.message(query, good * 400)]
            case _:
                return [names.message(query, good)]


def use_own_name_server(tmp_path) -> Zone:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    mount("--bind", str(file), os.path.realpath("/etc/resolv.conf"))
    return Zone()


def by_name(port: int, name: str = "upstream.test", top: str = "") -> str:
    return config(f"http://{name}:{port}", top)


HARMLESS = ["failing", "refusing", "silent", "garbage", "loop", "empty"]


@namespaced
@pytest.mark.parametrize("mood", HARMLESS)
def test_addresses_outlive_the_name_server(gateway, upstream, tmp_path, mood):
    """What a name last had stays in use while the servers fail, in whichever way."""
    zone = use_own_name_server(tmp_path)
    running = gateway(by_name(upstream().port))
    eventually(lambda: get(running.port()).status == 200, 10, "the first address")
    zone.mood = mood
    asked = zone.asked()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert get(running.port()).status == 200
        time.sleep(0.02)
    assert zone.asked() > asked, "nobody asked again"
    zone.mood = "good"
    assert get(running.port()).status == 200


@namespaced
@pytest.mark.parametrize("mood", HARMLESS + ["unknown"])
def test_a_name_that_comes_late(gateway, upstream, tmp_path, mood):
    """The start does not fail for a name that has no address yet; requests say so, and are served once it has one."""
    zone = use_own_name_server(tmp_path)
    zone.mood = mood
    peer = upstream()
    running = gateway(by_name(peer.port, top="x-nothing: 1"))
    response = get(running.port())
    assert response.status in (502, 503) and b'"dns_error"' in response.body
    zone.mood = "good"
    eventually(lambda: get(running.port()).status == 200, 30, "the address")


@namespaced
def test_a_forged_answer_is_not_believed(gateway, upstream, tmp_path):
    zone = use_own_name_server(tmp_path)
    zone.mood = "spoofed"
    running = gateway(by_name(upstream().port))
    eventually(lambda: get(running.port()).status == 200, 10, "the right address")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        assert get(running.port()).status == 200, "somebody else's address was used"
        time.sleep(0.02)
    assert "127.0.0.66" not in running.log()


@namespaced
@pytest.mark.parametrize("mood", ["many", "long"])
def test_large_answers_are_bounded(gateway, upstream, tmp_path, mood):
    """4,000 addresses, and an answer of more than 4 KiB: asked for over TCP, cut to what an endpoint may have."""
    zone = use_own_name_server(tmp_path)
    zone.mood = mood
    running = gateway(by_name(upstream().port))
    said = running.wait_log(r"resolved upstream\.test: (.*)", seconds=10)[1]
    assert 1 <= len(said.split(", ")) <= 256
    if mood == "long":
        assert get(running.port()).status == 200
    resident = running.held()
    assert resident < 64 << 20


@namespaced
def test_a_name_that_moves_is_followed(gateway, upstream, tmp_path):
    zone = use_own_name_server(tmp_path)

    def script(connection):
        # A kept connection would stay in use for as long as pools keep it.
        connection.read_request()
        connection.answer("ok", fields="Connection: close\r\n")

    running = gateway(by_name(upstream(script).port, top="workers: 1"))
    eventually(lambda: get(running.port()).status == 200, 10, "the first address")
    zone.address = "127.0.0.9"
    running.wait_log(r"resolved upstream\.test: 127\.0\.0\.9", seconds=10)
    eventually(lambda: get(running.port(), method="POST").status in (502, 503), 10, "the new address, where nobody listens")
    zone.address = "127.0.0.1"
    eventually(lambda: get(running.port()).status == 200, 10, "the old address")
