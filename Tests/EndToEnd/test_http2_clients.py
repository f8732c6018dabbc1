"""What libraries and tools do over TLS and in HTTP/2: many requests at once, long uploads, streams."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import time

import aiohttp
import httpx
import pytest

from support.tls import CA, certificate, client_context

NAME = "api.example.com"
CONTENT = os.urandom(1 << 20) * 3
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def running(gateway, aiohttp_service):
    return gateway(f"""
workers: 1
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }} }}
  plain: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c] }}
routes:
  - {{ path: /*, upstream: "{aiohttp_service.url}" }}
""")


def httpx_client(running, **named) -> httpx.AsyncClient:
    return httpx.AsyncClient(http2=True, verify=client_context(), trust_env=False, base_url=f"https://127.0.0.1:{running.port()}", timeout=30, **named)


async def pieces(size: int = 100_000):
    for at in range(0, len(CONTENT), size):
        yield CONTENT[at:at + size]
        await asyncio.sleep(0)


async def test_a_hundred_requests_of_httpx_at_once_share_a_connection(running):
    async with httpx_client(running, limits=httpx.Limits(max_connections=1)) as client:
        assert (await client.get("/users/first")).http_version == "HTTP/2"

        async def one(number: int) -> None:
            if number % 5 == 0:
                # Within a stream's window: of uploads that wait for theirs, httpcore may leave one waiting for news that another
                # has read already.
                answer = await client.post("/echo", content=CONTENT[:number * 600])
                assert answer.json()["sha256"] == hashlib.sha256(CONTENT[:number * 600]).hexdigest()
            else:
                answer = await client.get(f"/users/{number}", params={"n": number})
                assert answer.json()["id"] == str(number) and answer.json()["query"] == [["n", str(number)]]
            assert answer.http_version == "HTTP/2" and answer.status_code == 200
        await asyncio.gather(*(one(number) for number in range(100)))
    assert len({entry["client_port"] for entry in running.entries(101)}) == 1


async def test_httpx_posts_nothing(running):
    """Its head does not end the request: that is a frame of its own, and the answer may be here first."""
    async with httpx_client(running, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(10):
            answers = await asyncio.gather(*(client.post(path) for path in ("/echo", "/users/1", "/status/401") * 5))
            assert {answer.status_code for answer in answers} == {200, 401, 405}


async def test_httpx_uploads_and_downloads_in_streams(running):
    async with httpx_client(running) as client:
        answers = [await client.post("/echo", content=pieces(1000 * 7 ** turn)) for turn in range(3)]
        assert [answer.json()["sha256"] for answer in answers] == [DIGEST] * 3
        for query in ("bytes=3000000", "bytes=3000000&chunked"):
            async with client.stream("GET", f"/download?{query}") as answer:
                assert answer.http_version == "HTTP/2"
                assert sum([len(part) async for part in answer.aiter_bytes()]) == 3_000_000
        # Events come when they happen.
        before = time.monotonic()
        async with client.stream("GET", "/events?count=4&pause=0.3") as answer:
            lines = [(line, time.monotonic() - before) async for line in answer.aiter_lines() if line.startswith("data")]
        assert [line for line, _ in lines] == [f"data: event {number}" for number in range(4)]
        assert lines[0][1] < 0.5 and lines[3][1] > 0.8


async def test_a_stream_that_httpx_leaves_does_not_end_the_others(running):
    async with httpx_client(running, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(3):
            async with client.stream("GET", "/download?bytes=50000000") as answer:
                async for _ in answer.aiter_bytes():
                    break
            with pytest.raises(httpx.ReadTimeout):
                await client.get("/slow?seconds=30", timeout=0.1)
            assert (await client.get("/users/1")).status_code == 200


async def test_a_hundred_requests_of_aiohttp_at_once_over_tls(running):
    connector = aiohttp.TCPConnector(ssl=client_context(), limit=0)
    async with aiohttp.ClientSession(f"https://127.0.0.1:{running.port()}", connector=connector) as session:
        async def one(number: int) -> None:
            if number % 10 == 0:
                async with session.post("/echo", data=pieces()) as answer:
                    assert (await answer.json())["sha256"] == DIGEST
            else:
                async with session.get(f"/users/{number}") as answer:
                    assert (await answer.json())["id"] == str(number)
        for _ in range(2):
            await asyncio.gather(*(one(number) for number in range(100)))
        async with session.get("/download?bytes=5000000") as answer:
            assert len(await answer.read()) == 5_000_000
        async with session.ws_connect("/ws") as channel:
            await channel.send_bytes(CONTENT)
            assert (await channel.receive()).data == CONTENT


CURL = pytest.mark.skipif("HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout if shutil.which("curl") else True,
                          reason="curl speaks no HTTP/2")


def curl(running, secure: bool, *arguments, paths) -> list[str]:
    port = running.port("default" if secure else "plain")
    # The connection that others wait for is the first one's.
    how = ["--http2", "--cacert", str(CA), "--resolve", f"{NAME}:{port}:127.0.0.1"] if secure else ["--http2-prior-knowledge"]
    base = f"https://{NAME}:{port}" if secure else f"http://127.0.0.1:{port}"
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *how, *arguments, *(base + path for path in paths)], capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@CURL
@pytest.mark.parametrize("secure", [True, False])
def test_a_long_upload_of_curl(running, tmp_path, secure):
    big = tmp_path / "big"
    big.write_bytes(CONTENT * 4)
    for more in ((), ("-H", "Content-Length:"), ("-H", "Expect: 100-continue")):
        said, version = curl(running, secure, "-T", str(big), "-X", "POST", "-w", "\n%{http_version}", *more, paths=["/receive"])
        assert json.loads(said)["length"] == len(CONTENT) * 4 and version == "2"


# Without TLS curl 7.88 fails of that by itself, with any server.
@CURL
def test_curl_with_many_transfers_on_one_connection(running, tmp_path):
    outputs = [argument for number in range(50) for argument in ("-o", str(tmp_path / str(number)))]
    lines = curl(running, True, "-Z", "--parallel-max", "50", *outputs, "-w", "%{http_version} %{http_code}\n",
                 paths=[f"/users/{number}" for number in range(50)])
    assert lines == ["2 200"] * 50
    assert [json.loads((tmp_path / str(number)).read_text())["id"] for number in range(50)] == [str(number) for number in range(50)]
    # It makes as many as it has transfers until it knows that they can share.
    assert len({entry["client_port"] for entry in running.entries(50)}) <= 2
