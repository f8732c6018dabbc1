"""Where and from whom connections are taken."""

import json
import os
import re
import socket
import stat
import struct
import time

import pytest

from support.gateway import eventually
from support.raw import Ended, RawClient, get


def mirror(connection):
    while request := connection.read_request():
        connection.answer(json.dumps(dict(request.fields)))


def listening(listener: str, url: str) -> str:
    return f"""
listeners:
  default: {{ {listener} }}
routes:
  - {{ path: /*, upstream: "{url}" }}
"""


def v2(source: str, port: int, family: int = 0x11, command: int = 0x21, more: bytes = b"") -> bytes:
    """A PROXY protocol header, version 2."""
    if family == 0x11:
        addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", port, 80)
    elif family == 0x21:
        addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "2001:db8::1") + struct.pack(">HH", port, 80)
    else:
        addresses = b""
    addresses += more
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) + struct.pack(">H", len(addresses)) + addresses


REQUEST = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

PROXIED = {
    "v1": (b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 80\r\n", "203.0.113.9"),
    "v1 of IPv6": (b"PROXY TCP6 2001:db8::9 2001:db8::1 5555 80\r\n", "2001:db8::9"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 unknown with words": (b"PROXY UNKNOWN what stands here is for nobody to read\r\n", "127.0.0.1"),
    "v2": (v2("203.0.113.9", 5555), "203.0.113.9"),
    "v2 of IPv6": (v2("2001:db8::9", 5555, family=0x21), "2001:db8::9"),
    "v2 with a field behind": (v2("203.0.113.9", 5555, more=b"\x04\x00\x03abc"), "203.0.113.9"),
    "v2 local": (v2("", 0, family=0, command=0x20), "127.0.0.1"),
}


@pytest.mark.parametrize("header, port", [
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 80\r\n", "80"), (b"PROXY TCP6 2001:db8::9 2001:db8::1 5555 81\r\n", "81"),
    (v2("203.0.113.9", 5555), "80"), (v2("2001:db8::9", 5555, family=0x21), "80"), (b"PROXY UNKNOWN\r\n", None)])
def test_the_proxy_protocol_names_the_port(gateway, upstream, header, port):
    running = gateway(listening('bind: ["127.0.0.1:0"], proxy_protocol: { from: [127.0.0.1] }', upstream(mirror).url))
    with RawClient(running.port()) as client:
        client.send(header + REQUEST)
        assert json.loads(client.read_response().body)["x-forwarded-port"] == (port or str(running.port()))


def test_where_tls_ended_is_not_our_port(gateway, upstream):
    running = gateway("trusted_proxies: [127.0.0.1]\n" + listening('bind: ["127.0.0.1:0"]', upstream(mirror).url))
    own = str(running.port())
    for fields, port in (("X-Forwarded-Proto: https\r\n", None), ("X-Forwarded-Proto: http\r\n", own), ("", own),
                         ("X-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n", "8443")):
        assert json.loads(get(running.port(), fields=fields).body).get("x-forwarded-port") == port


@pytest.mark.parametrize("port, authority", [("true", "shop.test"), ("443", "shop.test"), ("8443", "shop.test:8443")])
def test_a_listener_can_send_everything_to_https(gateway, upstream, port, authority):
    peer = upstream()
    running = gateway(listening(f'bind: ["127.0.0.1:0"], redirect_to_https: {port}', peer.url))
    with RawClient(running.port()) as client:
        for method, status in (("GET", 301), ("HEAD", 301), ("POST", 308), ("OPTIONS", 308), ("DELETE", 308)):
            client.send(f"{method} /a%2Fb/../c?q=1&r HTTP/1.1\r\nHost: Shop.test:8080\r\n\r\n")
            answer = client.read_response(method=method)
            assert (answer.status, answer.get("location")) == (status, f"https://{authority}/a%2Fb/../c?q=1&r"), method
        for target, path in (("/", "/"), ("http://other.test", "/"), ("http://other.test/x?", "/x?"), ("http://other.test?x", "/?x")):
            client.send(f"GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            host = authority.replace("shop", "other") if "other" in target else authority
            assert client.read_response().get("location") == f"https://{host}{path}", target
        client.send("OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        assert client.read_response(method="OPTIONS").get("location") == f"https://{authority}/"
        client.send("POST /a HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello")
        assert client.read_response().status == 308
        assert client.get("/again", host="shop.test").status == 301
        client.send("GET / HTTP/1.0\r\n\r\n")
        assert client.read_response().status == 400
    assert peer.requests == []


def test_a_target_too_long_for_a_redirect_is_refused(gateway):
    running = gateway(listening('bind: ["127.0.0.1:0"], redirect_to_https: true, limits: { request_target: 64KiB, head: 128KiB }',
                                "http://127.0.0.1:9"))
    for count, status in ((15_000, 301), (15_400, 414), (40_000, 414)):
        answer = get(running.port(), "/?" + "a" * count)
        assert answer.status == status and (status == 414 or answer.get("location") == "https://a.test/?" + "a" * count), count


def test_what_a_trusted_proxy_took_over_tls_is_not_sent_there_again(gateway, upstream):
    fields = "X-Forwarded-Proto: https\r\n"
    text = listening('bind: ["127.0.0.1:0"], redirect_to_https: true', upstream(mirror).url)
    running = gateway("trusted_proxies: [127.0.0.1]\n" + text)
    assert get(running.port(), fields=fields).status == 200
    assert get(running.port()).status == 301
    running = gateway(text)
    assert get(running.port(), fields=fields).status == 301


def test_hsts_is_for_answers_over_tls(gateway):
    running = gateway("""
trusted_proxies: [127.0.0.1]
listen: 127.0.0.1:0
middleware:
  a: { hsts: { max_age: 1d, include_subdomains: true } }
  b: { headers: { request: { set: { X: "{scheme}" } }, response: { set: { X-Scheme: "{scheme}<{tls.version}>" } } } }
routes: [{ path: /*, middleware: [a, b], respond: 200 }]
""")
    plain = get(running.port())
    assert (plain.get("strict-transport-security"), plain.get("x-scheme")) == (None, "http<>")
    secure = get(running.port(), fields="X-Forwarded-Proto: https\r\n")
    assert secure.get("strict-transport-security") == "max-age=86400; includeSubDomains"
    assert secure.get("x-scheme") == "https<>"


@pytest.mark.parametrize("written", ["at once", "byte by byte"])
@pytest.mark.parametrize("name", PROXIED)
def test_the_proxy_protocol_names_the_client(gateway, upstream, name, written):
    running = gateway(listening('bind: ["127.0.0.1:0"], proxy_protocol: { from: [127.0.0.1] }', upstream(mirror).url))
    header, client_address = PROXIED[name]
    with RawClient(running.port()) as client:
        data = header + REQUEST
        if written == "at once":
            client.send(data)
        else:
            for index in range(len(data)):
                client.send(data[index : index + 1])
        assert json.loads(client.read_response().body)["x-forwarded-for"] == client_address
        assert json.loads(client.get("/").body)["x-forwarded-for"] == client_address, "the header counts for the connection"


BROKEN_PROXY = [REQUEST, b"PROXY TCP4 203.0.113.9 2001:db8::1 5555 80\r\n" + REQUEST, b"PROXY TCP4 203.0.113.999 192.0.2.1 5555 80\r\n" + REQUEST, b"PROXY TCP4 203.0.113.9\r\n" + REQUEST,
                b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 99999\r\n" + REQUEST, b"PROXY " + b"x" * 200 + b"\r\n" + REQUEST,
                b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + bytes(12) + REQUEST, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02ab" + REQUEST]


@pytest.mark.parametrize("data", BROKEN_PROXY, ids=[repr(data[:24]) for data in BROKEN_PROXY])
def test_a_missing_or_broken_proxy_header_ends_the_connection(gateway, upstream, data):
    peer = upstream()
    running = gateway(listening('bind: ["127.0.0.1:0"], proxy_protocol: { from: [127.0.0.1] }', peer.url))
    with RawClient(running.port()) as client:
        client.send(data)
        answer = client.rest()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer
    assert peer.requests == []


def test_a_proxy_header_from_anybody_else_is_no_header(gateway, upstream):
    peer = upstream()
    running = gateway(listening('bind: ["127.0.0.1:0"], proxy_protocol: { from: [10.9.9.9] }', peer.url))
    assert get(running.port()).status == 200
    with RawClient(running.port()) as client:
        client.send(PROXIED["v1"][0] + REQUEST)
        assert client.read_response().status == 400
    assert len(peer.requests) == 1


def test_a_unix_listener(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(listening('bind: ["127.0.0.1:0"]', peer.url))
    path = str(running.folder / "m.sock")
    assert running.reload(f"""
listeners:
  default: {{ bind: ["127.0.0.1:0"] }}
  local: {{ bind: [{{ unix: "{path}", mode: "0660" }}] }}
routes:
  - {{ path: /*, upstream: "{peer.url}" }}
""")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert get(path).status == 200
    running.terminate()
    assert running.wait() == 0
    assert not os.path.exists(path), "the socket file stays behind"


def behind_unix(tmp_path, url: str, top: str = "", listener: str = "") -> tuple[str, str]:
    """The path of a socket and a gateway that listens there."""
    path = str(tmp_path / "front.sock")
    return path, f"""{top}
listeners:
  default: {{ bind: ["127.0.0.1:0", {{ unix: "{path}" }}] {listener} }}
middleware:
  once: {{ rate_limit: {{ rate: 1/h, burst: 1, key: client_ip }} }}
routes:
  - {{ path: /once, middleware: [once], upstream: "{url}" }}
  - {{ path: /*, upstream: "{url}" }}
"""


FORWARDED = "X-Forwarded-For: 203.0.113.9, 203.0.113.7\r\nX-Real-IP: 203.0.113.9\r\n"


def test_behind_a_unix_socket_nobody_is_named(gateway, upstream, tmp_path):
    path, config = behind_unix(tmp_path, upstream(mirror).url, "trusted_proxies: [0.0.0.0/0]")
    gateway(config)
    for given in ("", FORWARDED):
        arrived = json.loads(get(path, fields=given).body)
        assert "x-forwarded-for" not in arrived and "x-real-ip" not in arrived
        assert arrived["x-forwarded-proto"] == "http" and arrived["x-forwarded-host"] == "a.test"


def test_a_proxy_on_a_unix_socket_can_be_trusted(gateway, upstream, tmp_path):
    path, config = behind_unix(tmp_path, upstream(mirror).url, "trusted_proxies: [unix, 203.0.113.7]")
    running = gateway(config)
    arrived = json.loads(get(path, fields=FORWARDED).body)
    assert arrived["x-forwarded-for"] == "203.0.113.9, 203.0.113.7" and arrived["x-real-ip"] == "203.0.113.9"
    arrived = json.loads(get(path).body)
    assert "x-forwarded-for" not in arrived and "x-real-ip" not in arrived
    assert json.loads(get(running.port(), fields=FORWARDED).body)["x-forwarded-for"] == "127.0.0.1"
    statuses = [get(path, "/once", f"X-Forwarded-For: 203.0.113.{last}\r\n").status for last in (1, 2, 1)]
    assert statuses == [200, 200, 429], "rate limits see whom the proxy names"


def test_connections_of_a_unix_socket_are_nobodys(gateway, upstream, tmp_path):
    path, config = behind_unix(tmp_path, upstream().url, listener=", limits: { connections_per_client: 1 }")
    gateway(config)
    clients = [RawClient(path) for _ in range(3)]
    for client in clients:
        assert client.get("/").status == 200
    for client in clients:
        client.socket.close()


def test_a_stale_socket_file_is_replaced(gateway, upstream, tmp_path):
    path = str(tmp_path / "stale.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    peer = upstream()
    running = gateway(f"""
listeners:
  default: {{ bind: ["127.0.0.1:0", {{ unix: "{path}" }}] }}
routes:
  - {{ path: /*, upstream: "{peer.url}" }}
""")
    assert get(path).status == 200
    assert get(running.port()).status == 200


def test_several_addresses_of_one_listener(gateway, upstream):
    peer = upstream()
    running = gateway(listening('bind: ["127.0.0.1:0", "127.0.0.2:0"]', peer.url))
    addresses = [(host, port) for host, port, _ in running.read_ports()]
    assert len(addresses) == 2
    for address in addresses:
        assert get(address).status == 200


def test_ipv6(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(listening('bind: ["127.0.0.1:0", "[::1]:0"]', peer.url))
    ports = [port for _, port, _ in running.read_ports()]
    answers = set()
    for port in ports:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as client:
                client.settimeout(5)
                try:
                    client.connect((address, port))
                except ConnectionRefusedError:
                    continue
                client.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
                received = b""
                while more := client.recv(65536):
                    received += more
                answers.add(json.loads(received.split(b"\r\n\r\n")[1])["x-forwarded-for"])
    assert answers == {"127.0.0.1", "::1"}


def test_the_connection_limit(gateway, upstream):
    peer = upstream()
    running = gateway("workers: 1\n" + listening('bind: ["127.0.0.1:0"], limits: { connections: 4 }', peer.url))
    clients = [RawClient(running.port()) for _ in range(4)]
    for client in clients:
        assert client.get("/").status == 200
        # None of them is idle.
        client.send(REQUEST[:5])
    with RawClient(running.port(), seconds=1) as fifth:
        # Refused at once, or left in the backlog until a place is free.
        try:
            fifth.send(REQUEST)
            response = fifth.read_response()
            assert response.status == 503
        except (Ended, OSError):
            pass
    running.wait_log("closed 1 connection to listener default, .*: the listener has as many as it may")
    for client in clients:
        client.socket.close()
    eventually(lambda: served(running), what="service after the connections are gone")


def served(running) -> bool:
    try:
        return get(running.port()).status == 200
    except (Ended, OSError):
        time.sleep(0.05)
        return False


def test_the_connection_limit_of_one_client(gateway, upstream):
    peer = upstream()
    running = gateway(listening('bind: ["127.0.0.1:0"], limits: { connections_per_client: 3 }', peer.url))
    clients = [RawClient(running.port()) for _ in range(3)]
    for client in clients:
        assert client.get("/").status == 200
    with RawClient(running.port()) as fourth:
        try:
            fourth.send(REQUEST)
            assert fourth.read_response().status in (429, 503)
        except (Ended, OSError):
            pass
    clients.pop().socket.close()
    eventually(lambda: served(running), what="a free place")
    for client in clients:
        client.socket.close()


REFUSED = re.compile(r"info closed (\d+) connections? to listener default, the last from 127\.0\.0\.1: (.*)")


def refusals(running, cause: str, count: int) -> list[str]:
    """The lines about connections that ended without an answer, once they sum up to `count`."""
    def read():
        found = [match for match in REFUSED.finditer(running.log()) if cause in match[2]]
        return found if sum(int(match[1]) for match in found) == count else []
    return eventually(read, what=f"lines about {count} connections: {cause}")


def test_refused_connections_leave_a_line(gateway, upstream):
    limits = "timeouts: { head: 300ms }, limits: { connections_per_client: 1, connections: 3 }"
    running = gateway("workers: 1\n" + listening(
        f'bind: ["127.0.0.1:0"], proxy_protocol: {{ from: [127.0.0.1] }}, {limits}', upstream().url))
    with RawClient(running.port()) as silent:
        assert silent.rest() == b""
    assert len(refusals(running, "did not come in time", 1)) == 1
    for _ in range(40):
        with RawClient(running.port()) as client:
            client.send(REQUEST)
            client.rest()
    assert len(refusals(running, "no valid PROXY header", 40)) < 10, "a flood does not fill the log"
    with RawClient(running.port()) as first:
        first.send(b"PROXY UNKNOWN\r\n" + REQUEST)
        assert first.read_response().status == 200
        with RawClient(running.port()) as second:
            second.send(b"PROXY UNKNOWN\r\n" + REQUEST)
            second.rest()
        refusals(running, "connections_per_client", 1)


def test_limits_of_the_head(gateway, upstream):
    peer = upstream()
    running = gateway(listening('bind: ["127.0.0.1:0"], limits: { head: 2KiB, fields: 10 }', peer.url))
    assert get(running.port(), fields="X: " + "y" * 1000 + "\r\n").status == 200
    assert get(running.port(), fields="X: " + "y" * 3000 + "\r\n").status == 431
    assert get(running.port(), fields="".join(f"X-{n}: 1\r\n" for n in range(20))).status == 431
    assert len(peer.requests) == 1


def test_connections_spread_over_the_workers(gateway, upstream):
    """Few long-lived connections: every worker thread takes its share of the work."""
    peer = upstream()
    running = gateway("workers: 2\n" + listening('bind: ["127.0.0.1:0"]', peer.url))
    clients = [RawClient(running.port()) for _ in range(40)]
    pid = running.gateway_pid()

    def spent() -> dict[str, int]:
        ticks = {}
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                ticks[task] = int(file.read().split()[0])
        return ticks

    for client in clients:
        client.get("/")
    before = spent()
    for _ in range(50):
        for client in clients:
            assert client.get("/").status == 200
    after = spent()
    for client in clients:
        client.socket.close()
    used = sorted((after[task] - before.get(task, 0) for task in after), reverse=True)[:2]
    assert used[1] > used[0] * 0.15, f"one worker did nearly all of the work: {used}"
