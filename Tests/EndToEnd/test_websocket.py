"""WebSockets through the gateway: real peers at both ends, and frames by hand."""

import asyncio
import json
import os
import threading

import aiohttp
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.frames import CloseCode

from support.gateway import eventually
from support.keys import key_hash
from support.raw import Ended, RawClient, get
from support.websocket import ACCEPTED, BINARY, CLOSE, PING, PONG, TEXT, UPGRADE, accept, close_code, frame, read_frame, upgrade


@pytest.fixture
def chat(proxy, aiohttp_service):
    return proxy(aiohttp_service.url)


def address(gateway, path="/ws") -> str:
    return f"ws://127.0.0.1:{gateway.port()}{path}"


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("service", ["aiohttp", "fastapi"])
async def test_text_binary_and_large_messages(proxy, aiohttp_service, fastapi_service, service, compression):
    gateway = proxy((aiohttp_service if service == "aiohttp" else fastapi_service).url)
    async with connect(address(gateway), compression=compression, max_size=4 << 20, proxy=None) as channel:
        agreed = channel.response.headers.get("Sec-WebSocket-Extensions", "")
        assert ("permessage-deflate" in agreed) == (compression is not None)
        messages = ["", "hello", "grüße ☕", b"", bytes(range(256)), "x" * 125, "x" * 126, "x" * 65535, "x" * 65536,
                    os.urandom(1 << 20), "y" * (1 << 20)]
        for message in messages:
            await channel.send(message)
            assert await channel.recv() == message
        for message in messages:
            await channel.send(message)
        assert [await channel.recv() for _ in messages] == messages


async def test_fragmented_messages(chat):
    async with connect(address(chat), compression=None, proxy=None) as channel:
        await channel.send(["one ", "two ", "three"])
        assert await channel.recv() == "one two three"


async def test_ping_and_pong_are_end_to_end(chat):
    async with connect(address(chat), proxy=None) as channel:
        for _ in range(3):
            assert await asyncio.wait_for(await channel.ping(os.urandom(16)), 5) >= 0


@pytest.mark.parametrize("code, reason", [(1000, ""), (1001, "going"), (1011, "failed"), (3000, "registered"), (4999, "own")])
async def test_close_codes_of_the_service_reach_the_client(chat, code, reason):
    async with connect(address(chat), proxy=None) as channel:
        await channel.send(f"close {code} {reason}")
        with pytest.raises(websockets.ConnectionClosed):
            await channel.recv()
        assert (channel.close_code, channel.close_reason) == (code, reason)


@pytest.mark.parametrize("code", [1000, 3001, 4321])
def test_close_codes_of_the_client_reach_the_service(proxy, upstream, code):
    seen = []

    def script(connection):
        accept(connection)
        opcode, payload = read_frame(connection)
        seen.append((opcode, close_code(payload), payload[2:]))
        connection.send(frame(CLOSE, payload, masked=False))

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        assert upgrade(client).status == 101
        client.send(frame(CLOSE, code.to_bytes(2, "big") + b"bye"))
        opcode, payload = read_frame(client)
        assert (opcode, close_code(payload)) == (CLOSE, code)
        assert client.at_end()
    assert seen == [(CLOSE, code, b"bye")]


async def test_subprotocols_are_agreed_end_to_end(chat):
    async with connect(address(chat), subprotocols=["chat.v1", "other"], proxy=None) as channel:
        assert channel.subprotocol == "chat.v1"


async def test_an_aiohttp_client(chat):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(chat.url("/ws"), compress=15, max_msg_size=4 << 20) as channel:
            await channel.send_str("text")
            assert (await channel.receive(5)).data == "text"
            await channel.send_bytes(bytes(1 << 20))
            assert (await channel.receive(5)).data == bytes(1 << 20)
            await channel.close(code=4000)
            # The service's own answer to the close frame.
            assert channel.close_code == 1000


async def test_the_upgrade_request_carries_forwarded_headers(chat):
    async with connect(address(chat), additional_headers={"X-Forwarded-For": "1.2.3.4", "Cookie": "a=b"}, proxy=None) as channel:
        await channel.send("headers")
        headers = {name.lower(): value for name, value in json.loads(await channel.recv())}
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["cookie"] == "a=b"
    assert headers["upgrade"].lower() == "websocket"
    assert headers["host"] == f"127.0.0.1:{chat.port()}"


async def test_a_thousand_websockets_survive_twenty_reloads(gateway, aiohttp_service):
    def config(generation: int) -> str:
        return f"""
listeners: {{ default: {{ bind: "127.0.0.1:0", limits: {{ connections_per_client: off }} }} }}
middleware:
  stamp: {{ headers: {{ response: {{ set: {{ X-Generation: "{generation}" }} }} }} }}
routes:
  - {{ path: /*, middleware: [stamp], upstream: "{aiohttp_service.url}" }}
"""
    running = gateway(config(0))
    gate = asyncio.Semaphore(100)

    async def opened():
        async with gate:
            return await connect(address(running), compression=None, ping_interval=None, open_timeout=30, proxy=None)

    channels = await asyncio.gather(*(opened() for _ in range(1000)))
    pid = running.gateway_pid()
    for generation in range(1, 21):
        assert await asyncio.to_thread(running.reload, config(generation))
        some = channels[generation * 40 : generation * 40 + 40]
        await asyncio.gather(*(channel.send(f"{generation}") for channel in some))
        assert [await channel.recv() for channel in some] == [f"{generation}"] * len(some)

    async def echo(channel, number):
        await channel.send(f"message {number}")
        return await asyncio.wait_for(channel.recv(), 30)

    answers = await asyncio.gather(*(echo(channel, number) for number, channel in enumerate(channels)))
    assert answers == [f"message {number}" for number in range(1000)], "a WebSocket was lost"
    assert running.gateway_pid() == pid
    assert (await asyncio.to_thread(get, running.port(), "/users/1")).get("x-generation") == "20"
    await asyncio.gather(*(channel.close() for channel in channels))


def policies(url: str, policy: str) -> str:
    return f"""
listen: 127.0.0.1:0
routes:
  - {{ path: /ws, upstream: "{url}", websocket: {policy} }}
"""


@pytest.mark.parametrize("fragments", [1, 5])
def test_messages_larger_than_allowed_are_1009(gateway, upstream, fragments):
    codes = []

    def script(connection):
        accept(connection)
        while True:
            opcode, payload = read_frame(connection)
            if opcode == CLOSE:
                codes.append(close_code(payload))
                return
            if opcode == BINARY:
                connection.send(frame(BINARY, b"got it", masked=False))

    running = gateway(policies(upstream(script).url, "{ max_message: 1KiB }"))
    with RawClient(running.port()) as client:
        assert upgrade(client).status == 101
        client.send(frame(BINARY, bytes(1024)))
        assert read_frame(client) == (BINARY, b"got it")
        part = bytes(2000 // fragments)
        for number in range(fragments):
            client.send(frame(BINARY if number == 0 else 0, part, final=number == fragments - 1))
        while True:
            opcode, payload = read_frame(client)
            if opcode == CLOSE:
                break
        assert close_code(payload) == 1009
    eventually(lambda: codes, what="a close frame for the service")
    assert running.entry()["reason"] == "message_too_big"


def test_messages_of_the_service_are_limited_too(gateway, upstream):
    def script(connection):
        accept(connection)
        connection.send(frame(TEXT, b"x" * 5000, masked=False))
        connection.rest()
    running = gateway(policies(upstream(script).url, "{ max_message: 1KiB }"))
    with RawClient(running.port()) as client:
        upgrade(client)
        received = client.rest()
    assert b"x" * 1025 not in received


def test_idle_websockets_end_with_a_close_frame(gateway, upstream):
    ended = threading.Event()

    def script(connection):
        accept(connection)
        try:
            while read_frame(connection)[0] != CLOSE:
                pass
        finally:
            ended.set()

    running = gateway(policies(upstream(script).url, "{ idle_timeout: 500ms }"))
    with RawClient(running.port()) as client:
        upgrade(client)
        opcode, payload = read_frame(client)
        assert opcode == CLOSE and close_code(payload) in (1000, 1001)
    assert ended.wait(5)
    assert running.entry()["reason"] == "idle_timeout"


def test_the_gateway_pings_both_sides(gateway, upstream):
    pinged = threading.Event()

    def script(connection):
        accept(connection)
        while True:
            opcode, payload = read_frame(connection)
            if opcode == PING:
                pinged.set()
                connection.send(frame(PONG, payload, masked=False))
            if opcode == TEXT:
                connection.send(frame(TEXT, payload, masked=False))

    running = gateway(policies(upstream(script).url, "{ ping_interval: 1s }"))
    with RawClient(running.port()) as client:
        upgrade(client)
        opcode, payload = read_frame(client)
        assert opcode == PING
        client.send(frame(PONG, payload))
        client.send(frame(TEXT, b"hello"))
        # A pong that nobody asked for is harmless (RFC 6455 section 5.5.3).
        while (received := read_frame(client))[0] in (PING, PONG):
            if received[0] == PING:
                client.send(frame(PONG, received[1]))
        assert received == (TEXT, b"hello")
        assert pinged.wait(5)


@pytest.mark.parametrize("status", ["403 Forbidden", "200 OK"])
def test_an_upgrade_that_the_service_refuses(proxy, upstream, status):
    def script(connection):
        while connection.read_request():
            connection.answer("no", status)
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        response = upgrade(client)
        assert (response.first[9:], response.body) == (status, b"no")
        assert client.get("/").body == b"no", "the connection is still an HTTP connection"


BAD_SWITCHES = {
    "wrong accept": ACCEPTED.replace("s3pP", "AAAA"),
    "no accept": ACCEPTED.replace("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", ""),
    "wrong protocol": ACCEPTED.replace("Upgrade: websocket", "Upgrade: other"),
    "no upgrade": ACCEPTED.replace("Upgrade: websocket\r\n", ""),
    "no connection": ACCEPTED.replace("Connection: Upgrade\r\n", ""),
}


@pytest.mark.parametrize("name", BAD_SWITCHES)
def test_a_101_that_is_not_valid_makes_no_tunnel(proxy, upstream, name):
    def script(connection):
        connection.read_request()
        connection.send(BAD_SWITCHES[name])
        connection.rest()
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        assert upgrade(client).status == 502
    assert gateway.entry()["reason"] == "upgrade_failed"


BAD_UPGRADES = {
    "no key": ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
    "short key": ("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"),
    "version 12": ("Version: 13", "Version: 12"),
    "no version": ("Sec-WebSocket-Version: 13\r\n", ""),
    "POST": ("GET ", "POST "),
}


@pytest.mark.parametrize("name", BAD_UPGRADES)
def test_an_upgrade_request_that_is_not_valid_opens_no_tunnel(proxy, upstream, name):
    """Refused, or forwarded as a plain request: never a tunnel that a proxy believes in and the service does not."""
    def script(connection):
        while request := connection.read_request():
            assert request.get("upgrade") is None, "forwarded as an upgrade"
            connection.answer("plain")
    gateway = proxy(upstream(script).url)
    old, new = BAD_UPGRADES[name]
    text = UPGRADE.format(path="/ws", fields="")
    assert old in text
    with RawClient(gateway.port()) as client:
        client.send(text.replace(old, new, 1))
        response = client.read_response()
        assert response.status == 200 or (response.status, response.get("sec-websocket-version")) == (400, "13")


def test_another_protocol_is_not_switched_to(proxy, upstream):
    def script(connection):
        while request := connection.read_request():
            connection.answer(str(request.get("upgrade")))
    gateway = proxy(upstream(script).url)
    assert get(gateway.port(), fields="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n").body == b"None"


def test_frames_sent_with_the_101_are_not_lost(proxy, upstream):
    def script(connection):
        connection.read_request()
        connection.send(ACCEPTED.encode() + frame(TEXT, b"first", masked=False))
        connection.rest()
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        assert upgrade(client).status == 101
        assert read_frame(client) == (TEXT, b"first")


def test_what_follows_a_refused_upgrade_is_a_request_of_its_own(gateway, upstream):
    """Bytes behind an upgrade request are no tunnel before the 101: the rule for /secret holds for them."""
    def script(connection):
        while connection.read_request():
            connection.answer("plain")
    peer = upstream(script)
    running = gateway(f"""
listen: 127.0.0.1:0
routes:
  - {{ path: /secret, respond: {{ status: 403, text: no }} }}
  - {{ path: /*, upstream: "{peer.url}" }}
""")
    with RawClient(running.port()) as client:
        client.send(UPGRADE.format(path="/ws", fields="") + "GET /secret HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert client.read_response().body == b"plain"
        try:
            assert client.read_response().status == 403
        except Ended:
            pass
    assert [request.target for request in peer.requests] == ["/ws"]


def test_a_lost_service_is_seen_by_the_client(proxy, upstream):
    def script(connection):
        accept(connection)
        read_frame(connection)
        connection.reset()
    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port()) as client:
        upgrade(client)
        client.send(frame(TEXT, b"die"))
        try:
            opcode, payload = read_frame(client)
            assert opcode == CLOSE and close_code(payload) in (1001, 1011, 1014, CloseCode.BAD_GATEWAY)
            assert client.at_end()
        except Ended:
            pass


def test_middleware_applies_to_the_upgrade(gateway, upstream):
    def script(connection):
        accept(connection)
        connection.rest()
    peer = upstream(script)
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  keys: {{ api_key: {{ header: X-Api-Key, keys: {{ ada: "{key_hash('right')}" }} }} }}
routes:
  - {{ path: /ws, middleware: [keys], upstream: "{peer.url}" }}
""")
    with RawClient(running.port()) as client:
        assert upgrade(client).status == 401
    with RawClient(running.port()) as client:
        assert upgrade(client, fields="X-Api-Key: right\r\n").status == 101
    assert [request.get("x-identity") for request in peer.requests] == ["ada"]


def test_a_client_that_does_not_read_stops_the_service(proxy, upstream):
    stopped = threading.Event()
    sent = 0

    def script(connection):
        nonlocal sent
        accept(connection)
        connection.socket.settimeout(1)
        message = frame(BINARY, bytes(65536), masked=False)
        try:
            while sent < 256 << 20:
                connection.send(message)
                sent += 65536
        except TimeoutError:
            stopped.set()

    gateway = proxy(upstream(script).url)
    with RawClient(gateway.port(), receive_buffer=65536) as client:
        upgrade(client)
        assert stopped.wait(20)
    assert sent < 64 << 20
