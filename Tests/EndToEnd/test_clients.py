"""Real clients in front of, and real services behind the gateway."""

import asyncio
import json
import subprocess
import time

import aiohttp
import httpx
import pytest
import requests

from support.raw import RawClient


def curl(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30", *arguments],
                          capture_output=True, text=True, **options)


async def by_aiohttp(method, url, params=None, headers=None, json=None):
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, params=params, headers=headers, json=json) as response:
            return response.status, response.headers, await response.read()


async def by_httpx(method, url, params=None, headers=None, json=None):
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.request(method, url, params=params, headers=headers, json=json)
        return response.status_code, response.headers, response.content


async def by_requests(method, url, params=None, headers=None, json=None):
    def send():
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(method, url, params=params, headers=headers, json=json, timeout=30)
            return response.status_code, response.headers, response.content
    return await asyncio.to_thread(send)


async def by_curl(method, url, params=None, headers=None, json=None):
    def send():
        command = ["--dump-header", "-", "--request", method]
        for name, value in (headers or {}).items():
            command += ["--header", f"{name}: {value}"]
        if json is not None:
            command += ["--json", dumps(json)]
        if params:
            command.append("--get")
            for name, value in params.items():
                command += ["--data-urlencode", f"{name}={value}"]
        done = curl(*command, url)
        assert done.returncode == 0, done.stderr
        head, body = done.stdout.split("\n\n", 1)
        lines = head.split("\n")
        fields = httpx.Headers([tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]])
        return int(lines[0].split(" ")[1]), fields, body.encode()
    return await asyncio.to_thread(send)


def dumps(value) -> str:
    return json.dumps(value)


CLIENTS = {"aiohttp": by_aiohttp, "httpx": by_httpx, "requests": by_requests, "curl": by_curl}


@pytest.fixture(params=CLIENTS)
def client(request):
    return CLIENTS[request.param]


@pytest.fixture
def shop(proxy, aiohttp_service):
    return proxy(aiohttp_service.url)


async def test_get_with_a_path_parameter(client, shop):
    status, headers, body = await client("GET", shop.url("/users/42"))
    assert status == 200
    assert headers["X-Service"] == "aiohttp"
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["id"] == "42"


async def test_post_of_json(client, shop):
    given = {"name": "Ada", "tags": ["ä", "ß"], "nested": {"n": 1}}
    status, headers, body = await client("POST", shop.url("/users"), json=given)
    assert status == 201
    assert headers["Location"] == "/users/7"
    assert json.loads(body) == {"created": given}


async def test_request_headers_arrive_and_hop_by_hop_ones_do_not(client, shop):
    sent = {"X-Token": "secret token", "X-Empty-Looking": "0", "Connection": "keep-alive, X-Hop", "X-Hop": "1"}
    _, _, body = await client("GET", shop.url("/users/1"), headers=sent)
    arrived = {name.lower(): value for name, value in json.loads(body)["headers"]}
    assert arrived["x-token"] == "secret token"
    assert arrived["x-empty-looking"] == "0"
    assert "x-hop" not in arrived
    assert "x-hop" not in arrived.get("connection", "").lower()


async def test_query_parameters_arrive_unchanged(client, shop):
    params = {"q": "a b&c=d", "unicode": "grüße", "percent": "100%", "plus": "1+1", "slash": "/a/../b"}
    _, _, body = await client("GET", shop.url("/users/1"), params=params)
    assert dict(json.loads(body)["query"]) == params


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_methods_arrive(client, shop, method):
    status, _, body = await client(method, shop.url("/echo"))
    assert status == 200
    assert json.loads(body)["method"] == method


@pytest.mark.parametrize("code", [204, 301, 304, 400, 404, 418, 500, 503])
async def test_the_services_own_statuses_pass(shop, code):
    async with aiohttp.ClientSession() as session:
        async with session.get(shop.url(f"/status/{code}"), allow_redirects=False) as response:
            assert response.status == code
            assert response.headers["X-Service"] == "aiohttp"
            assert "Proxy-Status" not in response.headers
            assert await response.text() == ("" if code in (204, 304) else f"status {code}")


async def test_a_fastapi_service(client, proxy, fastapi_service):
    gateway = proxy(fastapi_service.url)
    status, _, body = await client("GET", gateway.url("/items/5"), params={"q": "x y"}, headers={"X-Token": "t"})
    assert status == 200
    assert json.loads(body) == {"id": 5, "q": "x y", "token": "t", "client": "127.0.0.1"}
    status, _, body = await client("POST", gateway.url("/items"), json={"name": "pen", "price": 1.5})
    assert (status, json.loads(body)) == (201, {"created": {"name": "pen", "price": 1.5}})
    status, _, body = await client("GET", gateway.url("/items/none"))
    assert status == 422 and json.loads(body)["detail"][0]["type"] == "int_parsing"
    status, _, body = await client("GET", gateway.url("/stream"))
    assert body == b"".join(b"part %d\n" % number for number in range(5))


async def test_a_thousand_concurrent_requests(gateway, aiohttp_service):
    shop = gateway(f"""
listeners: {{ default: {{ bind: "127.0.0.1:0", limits: {{ connections_per_client: off }} }} }}
routes:
  - {{ path: /*, upstream: "{aiohttp_service.url}" }}
""")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def one(number):
            async with session.get(shop.url(f"/users/{number}"), params={"n": number}) as response:
                assert response.status == 200
                body = await response.json()
                return body["id"], body["query"]
        answers = await asyncio.gather(*(one(number) for number in range(1000)))
    assert answers == [(str(number), [["n", str(number)]]) for number in range(1000)]


async def test_concurrent_requests_of_httpx(shop):
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None)) as client:
        answers = await asyncio.gather(*(client.get(shop.url(f"/users/{number}")) for number in range(200)))
    assert [answer.json()["id"] for answer in answers] == [str(number) for number in range(200)]


async def test_a_client_that_gives_up_costs_nobody_else_anything(shop):
    """The end of a client's side may be a half-close, so the exchange goes on until its answer finds nobody."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await session.get(shop.url("/slow?seconds=1"))
    async with aiohttp.ClientSession() as session:
        for number in range(20):
            async with session.get(shop.url(f"/users/{number}")) as response:
                assert response.status == 200
                assert (await response.json())["id"] == str(number)
    lines = await asyncio.to_thread(shop.entries, 25)
    assert sorted(line["path"] for line in lines)[:5] == ["/slow"] * 5


def test_a_client_that_resets_ends_its_exchange(shop):
    with RawClient(shop.port()) as client:
        client.send("GET /slow?seconds=30 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        time.sleep(0.2)
        client.reset()
    assert shop.entry()["reason"] == "client_closed"


def test_timeouts_of_other_clients(shop):
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(shop.url("/slow?seconds=30"), timeout=0.2, trust_env=False)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(shop.url("/slow?seconds=30"), timeout=0.2, proxies={"http": ""})
    assert curl("--max-time", "0.2", shop.url("/slow?seconds=30")).returncode == 28
    assert requests.get(shop.url("/users/1"), timeout=10, proxies={"http": ""}).status_code == 200


def test_connections_of_clients_and_of_the_service_are_kept(proxy, upstream):
    peer = upstream()
    gateway = proxy(peer.url)
    with requests.Session() as session:
        session.trust_env = False
        answers = {session.get(gateway.url("/")).text for _ in range(50)}
    assert answers == {"1"}, "fifty requests in turn need one upstream connection"


def test_curl_sends_a_large_body_after_100_continue(shop, tmp_path):
    body = tmp_path / "body"
    with open(body, "wb") as file:
        file.truncate(3_000_000)
    done = curl("--verbose", "--header", "Expect: 100-continue", "--data-binary", f"@{body}", shop.url("/receive"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"length": 3_000_000, "chunked": False}
    assert "100 Continue" in done.stderr


def test_curl_uploads_chunked(shop, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(bytes(500_000))
    done = curl("--header", "Transfer-Encoding: chunked", "--header", "Expect:", "--upload-file", str(body), "--request", "POST",
                shop.url("/receive"))
    assert json.loads(done.stdout) == {"length": 500_000, "chunked": True}


def test_large_heads_pass_both_ways(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer(fields="".join(f"X-Large-{number}: {'y' * 1000}\r\n" for number in range(14)))
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        answer = client.get("/", "".join(f"X-Large-{number}: {'x' * 1000}\r\n" for number in range(20)))
    assert sum(value == "y" * 1000 for _, value in answer.fields) == 14


async def test_keep_alive_connections_survive_a_pause(shop):
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            start = time.monotonic()
            async with session.get(shop.url("/users/1")) as response:
                assert response.status == 200
            assert time.monotonic() - start < 5
            await asyncio.sleep(0.5)
