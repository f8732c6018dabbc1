"""Bodies of every framing and size, in constant memory."""

import threading
import time

import aiohttp
import pytest

from support.gateway import eventually
from support.raw import Ended, RawClient, get

MIB = 1 << 20


class Watch:
    """The most memory that the gateway holds while a block runs."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.done = threading.Event()

    def __enter__(self):
        self.before = self.highest = self.gateway.held()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()
        return self

    def sample(self):
        while not self.done.wait(0.02):
            self.highest = max(self.highest, self.gateway.held())

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.highest = max(self.highest, self.gateway.held())

    @property
    def growth(self) -> int:
        return self.highest - self.before


async def test_multipart_upload_of_512_mib_in_constant_memory(proxy, aiohttp_service, tmp_path):
    gateway = proxy(aiohttp_service.url)
    path = tmp_path / "large.bin"

    async def upload(size: int):
        with open(path, "wb") as file:
            file.truncate(size)
        form = aiohttp.FormData()
        with open(path, "rb") as file:
            form.add_field("file", file, filename="large.bin", content_type="application/octet-stream")
            async with aiohttp.ClientSession(read_bufsize=MIB) as session:
                async with session.post(gateway.url("/upload"), data=form) as response:
                    assert response.status == 200
                    assert await response.json() == {"filename": "large.bin", "length": size}

    await upload(32 * MIB)
    with Watch(gateway) as watch:
        await upload(512 * MIB)
    assert watch.growth < 4 * MIB, f"{watch.growth} bytes more"


@pytest.mark.parametrize("chunked", ["", "&chunked"])
async def test_download_of_2_gib_in_constant_memory(proxy, aiohttp_service, chunked):
    gateway = proxy(aiohttp_service.url)
    total = 2048 if not chunked else 512

    async def download(mebibytes: int):
        received = 0
        async with aiohttp.ClientSession(read_bufsize=4 * MIB) as session:
            async with session.get(gateway.url(f"/download?bytes={mebibytes * MIB}{chunked}")) as response:
                assert response.status == 200
                async for part in response.content.iter_any():
                    received += len(part)
        assert received == mebibytes * MIB

    await download(32)
    with Watch(gateway) as watch:
        await download(total)
    assert watch.growth < 4 * MIB, f"{watch.growth} bytes more"


def test_a_client_that_does_not_read_stops_the_upstream(proxy, upstream):
    sent = 0
    stopped = threading.Event()

    def script(connection):
        nonlocal sent
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.socket.settimeout(1)
        block = b"40000\r\n" + bytes(0x40000) + b"\r\n"
        try:
            while sent < 256 * MIB:
                connection.send(block)
                sent += 0x40000
        except TimeoutError:
            stopped.set()

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port(), receive_buffer=65536) as client, Watch(gateway) as watch:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        client.until(b"\r\n\r\n")
        assert stopped.wait(20), f"the upstream could send {sent} bytes to a client that does not read"
    assert sent < 64 * MIB
    assert watch.growth < 2 * MIB, f"{watch.growth} bytes more"


def test_an_upstream_that_does_not_read_stops_the_client(proxy, upstream):
    release = threading.Event()

    def script(connection):
        connection.read_head()
        release.wait(20)

    gateway = proxy(upstream(script).url)
    sent = 0
    with RawClient(gateway.port(), seconds=1) as client, Watch(gateway) as watch:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000000\r\n\r\n")
        with pytest.raises(TimeoutError):
            while sent < 256 * MIB:
                client.send(bytes(MIB))
                sent += MIB
    release.set()
    assert sent < 64 * MIB
    assert watch.growth < 2 * MIB, f"{watch.growth} bytes more"


CUTS = [1, 2, 3, 7, 100]


@pytest.mark.parametrize("cut", CUTS)
def test_chunked_requests_are_chunked_anew(proxy, upstream, cut):
    """However the bytes arrive, the upstream sees our normal form (its parser takes nothing else)."""
    def script(connection):
        while request := connection.read_request():
            connection.answer(request.body)
    gateway = proxy(upstream(script).url)
    body = b"5;name=value\r\nhello\r\n00006\r\n world\r\nA\r\n, how are \r\n0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    with RawClient(gateway.port()) as client:
        whole = head + body
        for start in range(0, len(whole), cut):
            client.send(whole[start : start + cut])
            if cut < 7:
                time.sleep(0.0005)
        assert client.read_response().body == b"hello world, how are "
        assert client.get("/").status == 200, "the connection is still usable"


@pytest.mark.parametrize("pieces", [1, 3])
def test_chunked_answers_are_chunked_anew(proxy, upstream, pieces):
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n0005\r\npedia\r\n0\r\n\r\n"

    def script(connection):
        while connection.read_request():
            size = -(-len(answer) // pieces)
            for start in range(0, len(answer), size):
                connection.send(answer[start : start + size])
                time.sleep(0.02)

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        for _ in range(2):
            response = client.get("/")
            assert response.chunked and response.body == b"wikipedia"


def test_answers_until_close_end_properly(proxy, upstream):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        for _ in range(2):
            response = client.get("/")
            assert response.chunked and response.body == b"all of it"


def test_http_1_0_clients_get_no_chunks(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n")
    peer = upstream(script)
    gateway = proxy(peer.url)
    with RawClient(gateway.port()) as client:
        client.send("GET /old HTTP/1.0\r\nHost: a.test\r\n\r\n")
        response = client.read_head()
        assert response.get("transfer-encoding") is None
        body = client.rest()
        assert body == b"wikipedia"
    assert peer.requests[0].first == "GET /old HTTP/1.1"


def test_http_1_0_clients_without_a_host_are_served(proxy, upstream):
    peer = upstream()
    gateway = proxy(peer.url)
    with RawClient(gateway.port()) as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        assert client.read_response().status == 200
        assert client.at_end(), "the connection ends after the answer"


def test_head_and_bodiless_statuses(proxy, upstream):
    def script(connection):
        while request := connection.read_request():
            if request.target == "/head":
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            elif request.target == "/204":
                connection.send("HTTP/1.1 204 No Content\r\n\r\n")
            elif request.target == "/304":
                connection.send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n")
            else:
                connection.answer("end")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        assert client.get("/head", method="HEAD").get("content-length") == "1000"
        no_content = client.get("/204")
        assert no_content.get("content-length") is None and no_content.get("transfer-encoding") is None
        assert client.get("/304").get("etag") == '"x"'
        assert client.get("/").body == b"end", "no body was expected where there is none"


def test_a_chunked_head_answer_has_no_body(proxy, upstream):
    def script(connection):
        while request := connection.read_request():
            if request.method == "HEAD":
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            else:
                connection.answer("end")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.get("/", method="HEAD")
        assert client.get("/").body == b"end"


def test_interim_answers_are_relayed(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
            connection.send("HTTP/1.1 102 Processing\r\n\r\n")
            connection.answer("done")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        assert client.get("/").body == b"done"
        assert [one.status for one in client.interim] == [103, 102]
        assert client.interim[0].get("link") == "</style.css>; rel=preload"


def test_interim_answers_do_not_go_to_http_1_0_clients(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
            connection.answer("done")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        assert client.read_head().status == 200


def test_too_many_interim_answers_are_an_error(proxy, upstream):
    def script(connection):
        connection.read_request()
        for _ in range(1000):
            connection.send("HTTP/1.1 102 Processing\r\n\r\n")
        connection.answer("done")
    gateway = proxy(upstream(script, may_break=True).url)
    with RawClient(gateway.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        try:
            response = client.read_response()
            assert response.status == 502
        except Ended:
            pass
    assert gateway.entry()["reason"] == "too_many_interim_responses"


def test_expect_100_continue_end_to_end(proxy, upstream):
    """The body starts only after the upstream's own 100."""
    seen = threading.Event()

    def script(connection):
        request = connection.read_head()
        assert request.get("expect") == "100-continue"
        seen.set()
        assert not connection.ahead
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.read_body(request)
        connection.answer(request.body)

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        assert seen.is_set()
        client.send("body")
        assert client.read_response().body == b"body"


def test_expect_100_continue_refused_by_the_upstream(proxy, upstream):
    def script(connection):
        connection.read_head()
        connection.answer("too large", "413 Content Too Large", "Connection: close\r\n")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4000000\r\nExpect: 100-continue\r\n\r\n")
        response = client.read_response()
        assert (response.status, response.body, client.interim) == (413, b"too large", [])


def test_an_unknown_expectation_is_417(proxy, upstream):
    peer = upstream()
    gateway = proxy(peer.url)
    assert get(gateway.port(), fields="Expect: something\r\n").status == 417
    assert peer.requests == []


def test_an_early_answer_arrives_while_the_body_is_still_coming(proxy, upstream):
    def script(connection):
        connection.read_head()
        connection.answer("no", "413 Content Too Large", "Connection: close\r\n")
        connection.rest()
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n" + "x" * 100_000)
        response = client.read_response()
        assert (response.status, response.body) == (413, b"no")


def test_an_early_answer_is_not_lost_to_a_reset(proxy, upstream):
    """The client still sends when the answer comes: closing at once would reset the connection and lose it."""
    def script(connection):
        connection.read_head()
        connection.answer("no", "413 Content Too Large", "Connection: close\r\n")
        connection.rest()
    gateway = proxy(upstream(script).url)
    for _ in range(5):
        with RawClient(gateway.port()) as client:
            client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3000000\r\n\r\n")
            try:
                client.send(bytes(3_000_000))
            except (BrokenPipeError, ConnectionResetError):
                pytest.fail("the connection was cut while the body was coming")
            assert client.read_response().status == 413


def test_half_closed_clients_get_their_answer(proxy, upstream):
    def script(connection):
        while connection.read_request():
            time.sleep(0.2)
            connection.answer("late")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").finish_sending()
        assert client.read_response().body == b"late"
        assert client.at_end()


def test_pipelined_requests_are_answered_in_order(proxy, upstream):
    def script(connection):
        while request := connection.read_request():
            if request.target == "/0":
                time.sleep(0.3)
            connection.answer(request.target)
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("".join(f"GET /{number} HTTP/1.1\r\nHost: a.test\r\n\r\n" for number in range(10)))
        assert [client.read_response().body for _ in range(10)] == [b"/%d" % number for number in range(10)]


def test_a_pipelined_post_and_get(proxy, upstream):
    def script(connection):
        while request := connection.read_request():
            connection.answer(request.method.encode() + b" " + request.body)
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        client.send("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
                    "POST /b HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                    "GET /c HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert [client.read_response().body for _ in range(3)] == [b"POST hello", b"POST abc", b"GET "]


def test_request_trailers_pass_only_when_allowed(gateway, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer()
    peer = upstream(script)
    running = gateway(f"""
listen: 127.0.0.1:0
routes:
  - {{ path: /none, upstream: {peer.url} }}
  - {{ path: /some, upstream: {peer.url}, trailers: [X-Checksum] }}
""")
    body = "3\r\nabc\r\n0\r\nX-Checksum: 123\r\nX-Other: 4\r\nContent-Length: 99\r\n\r\n"
    with RawClient(running.port()) as client:
        for path in ("/none", "/some"):
            client.send(f"POST {path} HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
            assert client.read_response().status == 200
    assert [request.trailers for request in peer.requests] == [[], [("x-checksum", "123")]]


def test_response_trailers_pass_without_dangerous_names(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                            "X-Checksum: 123\r\nContent-Length: 99\r\nSet-Cookie: a=b\r\n\r\n")
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        response = client.get("/", "TE: trailers\r\nConnection: TE\r\n")
        assert response.body == b"abc"
        assert response.trailers == [("x-checksum", "123")]


def test_a_client_that_aborts_an_upload_leaves_it_incomplete(proxy, upstream):
    ended = threading.Event()
    complete = []

    def script(connection):
        request = connection.read_head()
        try:
            connection.read_body(request)
            complete.append(request.body)
        finally:
            ended.set()

    gateway = proxy(upstream(script).url)
    for framing in ("Content-Length: 10", "Transfer-Encoding: chunked"):
        ended.clear()
        with RawClient(gateway.port()) as client:
            body = "hello" if "Length" in framing else "5\r\nhello\r\n"
            client.send(f"POST / HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n{body}")
            client.finish_sending()
            assert ended.wait(10), "the upstream never learned of the abort"
    assert complete == [], "an aborted body looked complete"


def test_a_client_that_aborts_a_download_ends_it_upstream(proxy, upstream):
    ended = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        try:
            while True:
                connection.send(bytes(65536))
        finally:
            ended.set()

    peer = upstream(script)
    gateway = proxy(peer.url)
    with RawClient(gateway.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").until(b"\r\n\r\n")
    assert ended.wait(10), "the upstream kept sending for a client that is gone"
    assert eventually(lambda: gateway.entries(1), what="the line")[0]["reason"] == "client_closed"
