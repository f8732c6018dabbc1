"""What is not strict HTTP never goes further, and never looks complete."""

import threading
import time

import pytest

from support.raw import Ended, RawClient, get

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"


def post(*lines: bytes, body: bytes = CHUNKS) -> bytes:
    return b"POST /v HTTP/1.1\r\nHost: a.test\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def request(*lines: bytes, first: bytes = b"GET /v HTTP/1.1") -> bytes:
    return first + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


HOST = b"Host: a.test"

# Name, bytes, the statuses that may answer. Each is followed by a smuggled request that must not be seen.
REFUSED = [
    ("length and chunked", post(b"Content-Length: 5", b"Transfer-Encoding: chunked"), {400}),
    ("chunked and length", post(b"Transfer-Encoding: chunked", b"Content-Length: 5"), {400}),
    ("length twice, equal", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), {400}),
    ("length twice, different", post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), {400}),
    ("length as a list", post(b"Content-Length: 5, 5", body=b"hello"), {400}),
    *((f"length {value!r}", post(b"Content-Length: " + value, body=b"hello"), {400, 413}) for value in (
        b"+5", b"-5", b"0x5", b"5_0", b"5e0", b"5.0", b'"5"', b"\xd9\xa5", b"", b"5 5", b"18446744073709551617",
        b"99999999999999999999999999")),
    ("unknown coding", post(b"Transfer-Encoding: xchunked"), {501}),
    ("gzip before chunked", post(b"Transfer-Encoding: gzip, chunked"), {501, 400}),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked"), {400, 501}),
    ("two coding lines", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), {400, 501}),
    ("chunked with a parameter", post(b"Transfer-Encoding: chunked;q=1"), {400, 501}),
    ("identity", post(b"Transfer-Encoding: identity"), {400, 501}),
    ("KELVIN SIGN in chunked", post(b"Transfer-Encoding: chun\xe2\x84\xaaed"), {400, 501}),
    ("vertical tab in the coding", post(b"Transfer-Encoding: \x0bchunked"), {400, 501}),
    ("chunked from HTTP/1.0", b"POST /v HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, {400}),
    ("bare LF in the head", b"GET /v HTTP/1.1\nHost: a.test\n\n", {400}),
    ("one bare LF", b"GET /v HTTP/1.1\r\nHost: a.test\nX: 1\r\n\r\n", {400}),
    ("bare CR in a value", request(HOST, b"X-A: b\rX-Evil: 1"), {400}),
    ("NUL in a value", request(HOST, b"X-A: b\0c"), {400}),
    ("control character in a value", request(HOST, b"X-A: b\x01c"), {400}),
    ("folded line", request(HOST, b"X-A: b", b" c"), {400}),
    ("folded coding", post(b"Transfer-Encoding:", b" chunked"), {400, 501}),
    ("space before the colon", request(HOST, b"X-A : b"), {400}),
    ("space before the colon of the length", post(b"Content-Length : 5", body=b"hello"), {400}),
    ("tab before the colon", request(HOST, b"X-A\t: b"), {400}),
    ("0xa0 before the colon", request(HOST, b"X-A\xa0: b"), {400}),
    ("no colon", request(HOST, b"X-A"), {400}),
    ("empty name", request(HOST, b": b"), {400}),
    ("a name with a space", request(HOST, b"X A: b"), {400}),
    ("space before the first field", b"GET /v HTTP/1.1\r\n Host: x\r\nHost: a.test\r\n\r\n", {400}),
    ("no host", request(), {400}),
    ("two hosts", request(HOST, HOST), {400}),
    *((f"host {value!r}", request(b"Host: " + value), {400}) for value in (
        b"", b"a, b", b"a/x", b"u@a", b"a:99999", b"a:80x", b"[::1", b"a b", b"a?x", b"a#x", b"a\\b")),
    ("method with a separator", request(HOST, first=b"G@T /v HTTP/1.1"), {400}),
    ("three words and more", request(HOST, first=b"GET /v v HTTP/1.1"), {400}),
    ("two spaces", request(HOST, first=b"GET  /v HTTP/1.1"), {400}),
    ("tab for a space", request(HOST, first=b"GET\t/v HTTP/1.1"), {400}),
    ("space behind the version", request(HOST, first=b"GET /v HTTP/1.1 "), {400}),
    ("version 1.10", request(HOST, first=b"GET /v HTTP/1.10"), {400}),
    ("lower-case version", request(HOST, first=b"GET /v http/1.1"), {400}),
    ("version 2.0", request(HOST, first=b"GET /v HTTP/2.0"), {505}),
    ("version 3.0", request(HOST, first=b"GET /v HTTP/3.0"), {505}),
    ("HTTP/0.9", b"GET /v\r\n\r\n", {400, 505}),
    ("fragment in the target", request(HOST, first=b"GET /v#x HTTP/1.1"), {400}),
    ("control character in the target", request(HOST, first=b"GET /v\x01 HTTP/1.1"), {400}),
    ("0x80 in the target", request(HOST, first=b"GET /v\x80 HTTP/1.1"), {400}),
    ("backslash in the target", request(HOST, first=b"GET /v\\x HTTP/1.1"), {400}),
    ("bad escape", request(HOST, first=b"GET /v%zz HTTP/1.1"), {400}),
    ("cut escape", request(HOST, first=b"GET /v%4 HTTP/1.1"), {400}),
    ("asterisk for GET", request(HOST, first=b"GET * HTTP/1.1"), {400}),
    ("authority for GET", request(HOST, first=b"GET a.test:80 HTTP/1.1"), {400}),
    ("CONNECT", request(b"Host: a.test:443", first=b"CONNECT a.test:443 HTTP/1.1"), {405}),
    ("TRACE", request(HOST, first=b"TRACE /v HTTP/1.1"), {405}),
    ("long target", request(HOST, first=b"GET /" + b"z" * 40_000 + b" HTTP/1.1"), {414}),
    ("large field", request(HOST, b"X-A: " + b"z" * 70_000), {431}),
    ("many fields", request(HOST, *(b"X-%d: 1" % number for number in range(400))), {431}),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505}),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n", {400}),
]


@pytest.mark.parametrize("written", ["at once", "byte by byte"])
@pytest.mark.parametrize("name, data, statuses", REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_requests_end_the_connection(shared, name, data, statuses, written):
    """One answer, then the end; the upstream sees nothing, however the bytes are cut."""
    gateway, peer = shared
    peer.requests.clear()
    whole = data + SMUGGLED
    with RawClient(gateway.port()) as client:
        try:
            if written == "at once" or len(whole) > 5000:
                client.send(whole)
            else:
                for index in range(len(whole)):
                    client.send(whole[index : index + 1])
        except (BrokenPipeError, ConnectionResetError):
            pass
        response = client.read_response()
        assert response.status in statuses, response
        assert response.get("connection") == "close" or response.first.startswith("HTTP/1.0")
        assert client.rest() == b"", "something was answered after the refusal"
    assert peer.requests == [], "the upstream saw a request"
    assert get(gateway.port(), "/fine").status == 200


@pytest.fixture(scope="module")
def shared(martlet, tmp_path_factory):
    """One gateway and upstream for the whole table: each row leaves them as they were."""
    from support.gateway import Gateway
    from support.raw import RawUpstream
    peer = RawUpstream()
    running = Gateway(martlet, tmp_path_factory.mktemp("malformed"),
                      f"listen: 127.0.0.1:0\nroutes:\n  - path: /*\n    upstream: {peer.url}\n").start()
    pid = running.gateway_pid()
    yield running, peer
    assert running.gateway_pid() == pid, "a request ended the gateway process"
    assert running.close() == []
    assert peer.close() == []


BAD_CHUNKS = [b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
              b"-5\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
              b"5\r\nhelloXX0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
              b"8000000000000000\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n",
              b"5;\nhello\r\n0\r\n\r\n", b"5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n", b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n",
              b"5\r\nhello\r\n0\r\nBad Name: 1\r\n\r\n", b"5\r\nhello\r\n0\nX: 1\r\n\r\n"]


@pytest.mark.parametrize("chunks", BAD_CHUNKS, ids=[repr(chunks[:20]) for chunks in BAD_CHUNKS])
def test_bad_chunks_never_make_a_complete_request(shared, chunks):
    gateway, peer = shared
    peer.requests.clear()
    with RawClient(gateway.port()) as client:
        try:
            client.send(post(b"Transfer-Encoding: chunked", body=chunks + SMUGGLED))
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            assert client.read_response().status in (400, 413, 431)
        except Ended as ended:
            assert ended.args[0] == b""
        assert client.rest() == b""
    assert [one for one in peer.requests if one.target == "/smuggled"] == []
    # The head may have gone ahead, the end of the body must not: the peer's script never answered it.
    assert get(gateway.port(), "/fine").status == 200


@pytest.mark.parametrize("path", ["/v%5cx", "/v%00", "/v%0d%0aX:1", "/v/..%5c..%5cx"])
def test_ambiguous_paths_are_refused(shared, path):
    """The framing is sound, so the connection may go on; this request does not."""
    gateway, peer = shared
    peer.requests.clear()
    with RawClient(gateway.port()) as client:
        response = client.get(path)
        assert response.status == 400 and b"path_refused" in response.body
    assert peer.requests == []


def test_absolute_form_sets_the_host(shared):
    gateway, peer = shared
    peer.requests.clear()
    with RawClient(gateway.port()) as client:
        client.send("GET http://b.test/v?x=1 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert client.read_response().status == 200
        client.send("GET http://b.test?x=1 HTTP/1.1\r\nHost: b.test\r\n\r\n")
        assert client.read_response().status == 200
        client.send("OPTIONS http://b.test HTTP/1.1\r\nHost: b.test\r\n\r\n")
        client.read_response()
    assert [(one.target, one.get("host")) for one in peer.requests][:2] == [("/v?x=1", "b.test"), ("/?x=1", "b.test")]


def test_names_that_servers_confuse_are_dropped(shared):
    gateway, peer = shared
    peer.requests.clear()
    get(gateway.port(), "/v", "X_Identity: admin\r\nX.Dotted: 1\r\nX-Fine: 1\r\n")
    names = [name for name, _ in peer.requests[0].fields]
    assert "x-fine" in names and "x_identity" not in names and "x.dotted" not in names


def test_bytes_above_0x80_in_values_pass_unchanged(proxy, upstream):
    def script(connection):
        while received := connection.read_request():
            connection.answer(fields=f"X-Back: {received.get('x-text')}\r\n")
    gateway = proxy(upstream(script).url)
    assert get(gateway.port(), "/", "X-Text: gr\xfc\xdfe\r\n").get("x-back") == "gr\xfc\xdfe"


def test_empty_lines_before_a_request_are_skipped(shared):
    gateway, _ = shared
    with RawClient(gateway.port()) as client:
        client.send("\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert client.read_response().status == 200


BAD_ANSWERS = [
    ("not HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ("no version", b"200 OK\r\n\r\n"),
    ("status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("status 099", b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n"),
    ("status of letters", b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n"),
    ("version 2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("folded line", b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
    ("bare CR", b"HTTP/1.1 200 OK\r\nX-A: b\rX-Evil: 1\r\nContent-Length: 0\r\n\r\n"),
    ("NUL", b"HTTP/1.1 200 OK\r\nX-A: b\0\r\nContent-Length: 0\r\n\r\n"),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("a line without colon", b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 0\r\n\r\n"),
    ("length +2", b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
    ("length too long", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok"),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok"),
    ("unknown coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"),
    ("an upgrade that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
]


@pytest.mark.parametrize("name, answer", BAD_ANSWERS, ids=[row[0] for row in BAD_ANSWERS])
def test_malformed_answers_are_502(proxy, upstream, name, answer):
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
    assert gateway.entry()["reason"] in ("response_invalid", "upgrade_failed")


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
