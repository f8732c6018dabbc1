"""Limits and budgets against a real kernel: what a peer may make grow, how slow it may be, and who gives way first."""

import resource
import select
import socket
import struct
import threading
import time
from contextlib import ExitStack

import pytest

from support.gateway import eventually
from support.http2 import INITIAL_WINDOW_SIZE, H2Client, serving
from support.raw import Ended, RawClient, get
from support.websocket import UPGRADE, accept

MIB = 1 << 20
HANDSHAKE = UPGRADE.format(path="/", fields="").encode()
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def configured(url: str, limits: str = "{}", timeouts: str = "{}", more: str = "", upstream: str = "{}") -> str:
    return f"""
workers: 1
{more}
listeners:
  default: {{ bind: ["127.0.0.1:0"], limits: {limits}, timeouts: {timeouts} }}
upstreams:
  service: {{ endpoints: ["{url}"], limits: {upstream} }}
routes:
  - {{ path: /*, upstream: service }}
"""


def from_address(address: str, port: int, receive_buffer: int | None = None) -> socket.socket:
    """A connection from one of the addresses of 127.0.0.0/8: clients are told apart by them."""
    made = socket.socket()
    made.settimeout(10)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.bind((address, 0))
    made.connect(("127.0.0.1", port))
    return made


def answer(connection: socket.socket) -> bytes:
    """All that comes until the end."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except ConnectionResetError:
        pass
    return received


def endless(connection) -> None:
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        connection.send(bytes(65536))


# MARK: Slow peers


def test_a_slow_upload_is_cut_and_never_completed(gateway, upstream):
    bodies = []

    def script(connection):
        request = connection.read_head()
        connection.read_body(request)
        bodies.append(request)

    running = gateway(configured(upstream(script).url, "{ request_rate: 200B }", "{ rate_grace: 500ms }"))
    start = time.monotonic()
    with RawClient(running.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n")
        while not select.select([client.socket], [], [], 0.1)[0]:
            client.send("x")
        response = client.read_response()
    spent = time.monotonic() - start
    assert response.status == 408 and b"request_body_too_slow" in response.body
    assert 0.45 < spent < 3, spent
    assert running.entry()["reason"] == "request_body_too_slow" and bodies == []


def test_an_upload_at_its_rate_is_not_cut(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.answer("whole")

    running = gateway(configured(upstream(script).url, "{ request_rate: 200B }", "{ rate_grace: 500ms }"))
    with RawClient(running.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2000\r\n\r\n")
        for _ in range(40):
            time.sleep(0.1)
            client.send("x" * 50)
        assert client.read_response().body == b"whole"


def test_a_reader_that_is_slow_but_reads_is_not_cut(gateway, upstream):
    """The kernel's buffer is large: it takes nothing more for many seconds while the client empties it slowly. What counts
    is what reaches the client."""
    running = gateway(configured(
        upstream(endless).url, "{ response_rate: 10KB }", "{ rate_grace: 1s, write_idle: 1s }"))
    with from_address("127.0.0.1", running.port(), receive_buffer=8192) as client:
        client.sendall(GET)
        received = 0
        end = time.monotonic() + 6
        while time.monotonic() < end:
            received += len(client.recv(4096))
            time.sleep(0.05)
        assert received > 200_000
        # The same client at a tenth of the rate is not waited for.
        with pytest.raises(ConnectionResetError):
            while True:
                assert client.recv(100)
                time.sleep(0.1)
                assert time.monotonic() < end + 30
    # Windows open in steps: which of the two limits is met first depends on their size.
    assert running.entry()["reason"] in ("read_too_slow", "write_timeout")


def test_a_slow_head_is_answered_and_costs_little(gateway, upstream):
    running = gateway(configured(upstream().url, "{ connections_per_client: off }", "{ head: 4s }"))
    assert get(running.port()).status == 200
    before = running.held()
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(running.port())) for _ in range(400)]
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: ")
        assert get(running.port()).status == 200
        grown = running.held() - before
        assert grown < 400 * 6 * 1024 + 2 * MIB, f"{grown} bytes for 400 heads"
        for client in clients:
            assert client.read_response().status == 408
            assert client.at_end()


# MARK: Numbers


def test_a_client_has_256_connections_and_others_are_served(gateway, upstream):
    running = gateway(configured(upstream().url))
    with ExitStack() as stack:
        for _ in range(256):
            stack.enter_context(from_address("127.0.0.9", running.port()))
        surplus = stack.enter_context(from_address("127.0.0.9", running.port()))
        assert answer(surplus) == b"", "one too many"
        assert get(running.port()).status == 200
        running.wait_log("the last from 127.0.0.9: the client has as many as connections_per_client allows")


def test_tunnels_count_among_the_connections_of_a_client(gateway, upstream):
    running = gateway(configured(upstream(hold_a_tunnel).url, "{ connections_per_client: 2 }"))
    with ExitStack() as stack:
        tunnels = [stack.enter_context(from_address("127.0.0.9", running.port())) for _ in range(2)]
        for tunnel in tunnels:
            tunnel.sendall(HANDSHAKE)
            assert tunnel.recv(4096).startswith(b"HTTP/1.1 101 ")
        surplus = stack.enter_context(from_address("127.0.0.9", running.port()))
        assert answer(surplus) == b"", "one too many"
        tunnels[0].close()
        eventually(lambda: serves_a_tunnel(running), what="a place for another tunnel")


def hold_a_tunnel(connection) -> None:
    accept(connection)
    connection.rest()


def serves_a_tunnel(running) -> bool:
    with from_address("127.0.0.9", running.port()) as client:
        try:
            client.sendall(HANDSHAKE)
            return client.recv(4096).startswith(b"HTTP/1.1 101 ")
        except OSError:
            return False


def test_trusted_peers_have_any_number_of_connections(gateway, upstream):
    running = gateway(configured(
        upstream().url, "{ connections_per_client: 2 }", more="trusted_proxies: [127.0.0.9]"))
    with ExitStack() as stack:
        clients = [stack.enter_context(from_address("127.0.0.9", running.port())) for _ in range(10)]
        for client in clients:
            client.sendall(GET)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")


def test_the_connections_of_all_listeners_are_limited(gateway, upstream):
    running = gateway(f"""
workers: 2
limits: {{ connections: 4 }}
listeners:
  one: {{ bind: ["127.0.0.1:0"] }}
  two: {{ bind: ["127.0.0.1:0"] }}
routes:
  - {{ path: /*, upstream: "{upstream().url}" }}
""")
    with ExitStack() as stack:
        for listener in ("one", "two"):
            for _ in range(2):
                client = stack.enter_context(RawClient(running.port(listener)))
                client.send("GET / HTTP/1.1\r\n")
        # Their heads have begun: none of them is idle.
        time.sleep(0.3)
        with RawClient(running.port("one")) as surplus:
            assert surplus.rest() == b""
        running.wait_log("the gateway has as many as limits.connections allows")


def test_idle_connections_make_room(gateway, upstream):
    running = gateway(configured(upstream().url, "{ connections: 10 }"))
    with ExitStack() as stack:
        idle = [stack.enter_context(RawClient(running.port())) for _ in range(9)]
        for client in idle:
            assert client.get("/").status == 200
        time.sleep(1.2)
        for number in range(3):
            client = stack.enter_context(RawClient(running.port()))
            assert client.get("/").status == 200, "nobody is refused while others idle"
            assert idle[number].at_end(), "the one that is idle longest is closed"
        assert not select.select([client.socket for client in idle[3:]], [], [], 0)[0]
        running.wait_log("idle, and nearly as many are open as may be")


def test_a_connection_serves_its_number_of_requests(gateway, upstream):
    running = gateway(configured(upstream().url, "{ requests: 3 }"))
    with RawClient(running.port()) as client:
        answers = [client.get("/") for _ in range(3)]
        assert [one.get("connection") for one in answers] == [None, None, "close"]
        assert client.at_end()


@pytest.mark.alone
def test_descriptors_run_out_and_come_back(gateway, upstream):
    running = gateway(configured(upstream().url))
    assert get(running.port()).status == 200
    pid = running.gateway_pid()
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (running.descriptors() + 20, hard))
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(RawClient(running.port()))
        running.wait_log("stopped accepting for a moment, times: .*: no descriptors or memory left")
        before = cpu_ticks(pid)
        time.sleep(2)
        spent = cpu_ticks(pid) - before
        assert spent <= 20, f"{spent} ticks in 2 s while nothing can be accepted"
    eventually(lambda: served(running), what="service after the descriptors are free again")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def served(running) -> bool:
    try:
        return get(running.port()).status == 200
    except (Ended, OSError):
        time.sleep(0.05)
        return False


# MARK: Memory


@pytest.mark.alone
def test_memory_is_bounded_and_shared_fairly(gateway, upstream):
    """One client hoards answers that it does not read: it gets 503, everybody else is served."""
    def script(connection):
        while request := connection.read_request():
            if request.target != "/":
                connection.answer("quick")
                continue
            # In chunks, so that the content passes through the gateway's own buffers.
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                connection.send(b"8000\r\n" + bytes(32768) + b"\r\n")

    running = gateway(configured(
        upstream(script).url, "{ connections_per_client: off }", more="limits: { memory: 16MiB }"))
    assert get(running.port(), "/quick").status == 200
    before = running.held()
    with ExitStack() as stack:
        for _ in range(400):
            client = stack.enter_context(from_address("127.0.0.2", running.port(), receive_buffer=4096))
            client.sendall(GET)
        refused = eventually(lambda: refusal(running.port()), 30, "a refusal for memory")
        assert b"memory_limit_reached" in refused and b"\r\nRetry-After: 1\r\n" in refused
        for number in range(20):
            with from_address(f"127.0.0.{10 + number}", running.port()) as light:
                light.sendall(b"GET /quick HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
                assert answer(light).startswith(b"HTTP/1.1 200")
        grown = running.held() - before
        assert grown < 40 * MIB, f"{grown} bytes"
    eventually(lambda: served_quick(running), what="service for the same client afterwards")


@pytest.mark.alone
def test_what_waits_on_streams_for_a_client_counts_as_its_own(gateway, h2_upstream):
    """An upstream in HTTP/2 sends as much as its streams' windows allow; the client takes nothing of it."""
    def script(connection, stream):
        connection.headers(stream.number, [(":status", "200")])
        connection.push(stream.number, bytes(200_000) if stream.get(":path") == "/" else b"quick")
    service = h2_upstream(serving(script))
    running = gateway(f"""
workers: 1
limits: {{ memory: 16MiB }}
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c] }}
upstreams:
  service: {{ endpoints: ["{service.url}"], protocol: h2c }}
routes:
  - {{ path: /*, upstream: service }}
""")
    with H2Client(running.port(), {INITIAL_WINDOW_SIZE: 0}) as hoarder:
        for _ in range(60):
            hoarder.open()
        refused = eventually(lambda: refusal(running.port(), "127.0.0.1"), 30, "a refusal for memory")
        assert b"memory_limit_reached" in refused
        with from_address("127.0.0.9", running.port()) as light:
            light.sendall(b"GET /quick HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            assert answer(light).startswith(b"HTTP/1.1 200")


def kernel_holds(client: socket.socket) -> int:
    """Bytes on their way to a client, by the kernel's account of the gateway's end of the connection."""
    ends = ["{:02X}{:02X}{:02X}{:02X}:{:04X}".format(*reversed(socket.inet_aton(host)), port)
            for host, port in (client.getpeername(), client.getsockname())]
    with open("/proc/net/tcp") as connections:
        for line in connections:
            fields = line.split()
            if fields[1:3] == ends:
                return int(fields[4].split(":")[0], 16)
    raise AssertionError("the connection is gone")


@pytest.mark.parametrize("length", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
def test_the_system_keeps_little_for_a_client_that_does_not_read(gateway, upstream, length):
    """Without a limit it took megabytes for each, and a thousand slow readers all that the machine has for TCP."""
    piece = bytes(65536) if "Length" in length else b"10000\r\n" + bytes(65536) + b"\r\n"
    sent = []

    def script(connection):
        sent.append(0)
        number = len(sent) - 1
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n")
        while True:
            connection.send(piece)
            sent[number] += len(piece)

    url = upstream(script).url
    running = gateway(configured(url))

    def held() -> int:
        with from_address("127.0.0.1", running.port(), receive_buffer=4096) as client:
            client.sendall(GET)
            at = -1
            while not sent or sent[-1] != at:
                at = sent[-1] if sent else -1
                time.sleep(0.3)
            return kernel_holds(client)

    assert 65536 <= held() <= 128 * 1024 + 2 * 65536
    assert running.reload(configured(url, "{ unsent: 16KiB }"))
    assert held() <= 16 * 1024 + 2 * 65536
    assert running.reload(configured(url, "{ unsent: off }"))
    assert held() > 512 * 1024


def refusal(port: int, address: str = "127.0.0.2") -> bytes | None:
    """What the client that hoards is answered, if it is refused."""
    with from_address(address, port) as client:
        client.sendall(b"GET /quick HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        received = answer(client)
    return received if received.startswith(b"HTTP/1.1 503") else None


def served_quick(running) -> bool:
    with from_address("127.0.0.2", running.port()) as client:
        client.sendall(b"GET /quick HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        return answer(client).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_do_not_pile_up(gateway, upstream):
    held = threading.Event()

    def script(connection):
        connection.read_request()
        held.wait(20)

    running = gateway(configured(upstream(script).url))
    assert running.held() > 0
    with RawClient(running.port()) as client:
        client.send(GET)
        before = running.held()
        client.socket.setblocking(False)
        sent = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                sent += client.socket.send(GET * 1000)
            except BlockingIOError:
                time.sleep(0.01)
        assert running.held() - before < 2 * MIB
        held.set()


# MARK: Sizes, each with its key


def chunked(body: str) -> str:
    return f"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}"


REQUESTS = {
    "request_target": ("request_target: 300B", "GET /{} HTTP/1.1\r\nHost: a.test\r\n\r\n", 290, 310, 414),
    "field": ("field: 300B", "GET / HTTP/1.1\r\nHost: a.test\r\nX: {}\r\n\r\n", 290, 310, 431),
    "head": ("head: 1KiB", "GET / HTTP/1.1\r\nHost: a.test\r\nX: {}\r\n\r\n", 900, 1100, 431),
    "fields": ("fields: 3", "GET / HTTP/1.1\r\nHost: a.test\r\n{}\r\n", 2, 3, 431),
    "trailers": ("trailers: 100B", chunked("0\r\nX: {}\r\n\r\n"), 90, 110, 431),
    "trailer_fields": ("trailer_fields: 2", chunked("0\r\n{}\r\n"), 2, 3, 431),
    "chunk_line": ("chunk_line: 50B", chunked("1;x={}\r\na\r\n0\r\n\r\n"), 40, 60, 400),
    "chunk_extensions": ("chunk_extensions: 100B", chunked("{}0\r\n\r\n"), 9, 11, 400),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_size_of_requests(gateway, upstream, name):
    limit, form, fits, exceeds, status = REQUESTS[name]
    running = gateway(configured(upstream().url, f"{{ {limit} }}"))

    def request(count: int) -> str:
        if name in ("fields", "trailer_fields"):
            return form.replace("{}", "".join(f"X-{number}: 1\r\n" for number in range(count)))
        if name == "chunk_extensions":
            return form.replace("{}", "1;x=12345678\r\na\r\n" * count)
        return form.replace("{}", "x" * count)

    for count, expected in ((fits, 200), (exceeds, status)):
        with RawClient(running.port()) as client:
            client.send(request(count))
            assert client.read_response().status == expected, count
            assert expected == 200 or client.at_end()


RESPONSES = {
    "head": ("head: 1KiB", "X: {}\r\n", 900, 1100, "response_headers_too_large"),
    "fields": ("fields: 4", "{}", 2, 4, "response_headers_too_large"),
    "interim": ("interim: 2", "", 2, 3, "too_many_interim_responses"),
    "trailers": ("trailers: 100B", "", 90, 110, "response_invalid"),
    "trailer_fields": ("trailer_fields: 2", "", 2, 3, "response_invalid"),
    "chunk_line": ("chunk_line: 50B", "", 40, 60, "response_invalid"),
    "chunk_extensions": ("chunk_extensions: 100B", "", 9, 11, "response_invalid"),
}


def response(name: str, form: str, count: int) -> str:
    lines = "".join(f"X-{number}: 1\r\n" for number in range(count))
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    match name:
        case "head": return f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{form.replace('{}', 'x' * count)}\r\n"
        case "fields": return f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n"
        case "interim": return "HTTP/1.1 103 Early Hints\r\n\r\n" * count + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        case "trailers": return f"{head}0\r\nX: {'x' * count}\r\n\r\n"
        case "trailer_fields": return f"{head}0\r\n{lines}\r\n"
        case "chunk_line": return f"{head}1;x={'x' * count}\r\na\r\n0\r\n\r\n"
        case _: return f"{head}{'1;x=12345678' * 1}\r\na\r\n" + "1;x=12345678\r\na\r\n" * (count - 1) + "0\r\n\r\n"


@pytest.mark.parametrize("name", RESPONSES)
def test_a_size_of_responses(gateway, upstream, name):
    limit, form, fits, exceeds, code = RESPONSES[name]
    counts = iter((fits, exceeds))

    def script(connection):
        while connection.read_request():
            connection.send(response(name, form, next(counts)))

    running = gateway(configured(upstream(script).url, upstream=f"{{ {limit} }}"))
    with RawClient(running.port()) as client:
        assert client.get("/").status == 200
        try:
            assert client.get("/").status == 502
        except Ended:
            pass
    assert running.entries(2)[1]["reason"] == code


# MARK: Work


def test_a_body_in_chunks_of_one_byte_costs_little(gateway, upstream):
    """Six bytes of framing for each of content, a segment for each few: time and memory stay in proportion."""
    def script(connection):
        request = connection.read_head()
        connection.read_body(request)
        connection.answer(str(len(request.body)))

    running = gateway(configured(upstream(script).url))
    assert running.held() > 0
    pid = running.gateway_pid()
    with RawClient(running.port(), seconds=60) as client:
        before, ticks = running.held(), cpu_ticks(pid)
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"1\r\na\r\n"
        for _ in range(2_000):
            client.send(piece)
        client.send(piece * 100_000)
        client.send("0\r\n\r\n")
        assert client.read_response().body == b"102000"
        assert running.held() - before < 4 * MIB
        assert cpu_ticks(pid) - ticks < 500


def test_clients_that_reset_in_the_middle_do_no_harm(gateway, upstream):
    running = gateway(configured(upstream(endless).url))
    pid = running.gateway_pid()
    descriptors = running.descriptors()
    for _ in range(300):
        client = from_address("127.0.0.1", running.port())
        client.sendall(GET)
        client.recv(4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert running.gateway_pid() == pid
    eventually(lambda: running.descriptors() <= descriptors + 4, what="descriptors of the connections to be free")
    assert all(line["reason"] == "client_closed" for line in running.entries(300))
