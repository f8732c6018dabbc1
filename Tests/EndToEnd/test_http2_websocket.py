"""WebSockets as browsers open them: extended CONNECT on a stream of an HTTP/2 connection (RFC 8441), over TLS."""

import asyncio
import contextlib
import json
import os
import ssl

import pytest
from h2.errors import ErrorCodes
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed

from support.browser import Browser, Channel, H2Stream, h2_service
from support.tls import CA, certificate, client_context, key, pem

SERVICES = pytest.mark.parametrize("service", ["http/1.1", "h2c", "h2"])


class Seen:
    """How WebSockets ended at the service: their codes."""

    def __init__(self):
        self.codes: list[int] = []

    async def ended(self, count: int) -> list[int]:
        while len(self.codes) < count:
            await asyncio.sleep(0.005)
        return self.codes


@contextlib.asynccontextmanager
async def by_websockets(seen: Seen):
    """Over HTTP/1.1; the library's own server."""
    async def chat(channel) -> None:
        try:
            async for message in channel:
                if message == "headers":
                    await channel.send(json.dumps([[name.lower(), value] for name, value in channel.request.headers.raw_items()]))
                elif isinstance(message, str) and message.startswith("close "):
                    await channel.close(int(message.split(" ")[1]), message.split(" ")[2])
                elif isinstance(message, str) and message.startswith("flood "):
                    for _ in range(int(message.split(" ")[1])):
                        await channel.send(bytes(100_000))
                else:
                    await channel.send(message)
        except ConnectionClosed:
            pass
        finally:
            await channel.wait_closed()
            seen.codes.append(channel.close_code)

    def answer(channel, request):
        if request.path == "/refused":
            return channel.respond(403, "not you\n")
        if request.headers.get("Upgrade") is None:
            return channel.respond(200, f"item {request.path}")
        return None

    def choose(channel, offered):
        return next((one for one in ("chat.v2", "chat.v1") if one in offered), None)

    async with serve_websockets(chat, "127.0.0.1", 0, process_request=answer, select_subprotocol=choose, max_size=4 << 20,
                                ping_interval=None) as server:
        yield server.sockets[0].getsockname()[1]


def by_h2(seen: Seen, is_secure: bool):
    """The same over HTTP/2."""
    async def chat(channel: Channel) -> None:
        await channel.accept()
        try:
            while (message := await channel.listen()) is not None:
                if message == "headers":
                    await channel.say(json.dumps(list(channel.headers.items())))
                elif isinstance(message, str) and message.startswith("close "):
                    await channel.close(int(message.split(" ")[1]), message.split(" ")[2])
                elif isinstance(message, str) and message.startswith("flood "):
                    for _ in range(int(message.split(" ")[1])):
                        await channel.say(bytes(100_000))
                else:
                    await channel.say(message)
            if channel.closed and not channel.said_end:
                await channel.close(channel.closed[0])
        finally:
            seen.codes.append(channel.closed[0] if channel.closed else 1006)

    async def serve(stream: H2Stream) -> None:
        if isinstance(stream, Channel) and stream.headers[":path"] != "/refused":
            await chat(stream)
            return
        text = b"not you\n" if isinstance(stream, Channel) else f"item {stream.headers[':path']}".encode()
        stream.link.h2.send_headers(stream.number, [(":status", "403" if isinstance(stream, Channel) else "200"), ("content-length", str(len(text)))])
        await stream.send(text, end=True)

    context = None
    if is_secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem("ecdsa"), key("ecdsa"))
        context.set_alpn_protocols(["h2"])
    return h2_service(serve, context)


@contextlib.asynccontextmanager
async def behind(gateway, service: str, more: str = "", top: str = ""):
    """A gateway before that service, and what the service saw."""
    seen = Seen()
    async with (by_websockets(seen) if service == "http/1.1" else by_h2(seen, service == "h2")) as port:
        protocol, url = service, f"http{'s' if service == 'h2' else ''}://127.0.0.1:{port}"
        secure = f", tls: {{ ca: {CA}, server_name: api.example.com }}" if protocol == "h2" else ""
        running = await asyncio.to_thread(gateway, f"""
workers: 1
{top}
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }}{more} }}
upstreams:
  service: {{ endpoints: ["{url}"], protocol: {protocol}{secure} }}
routes:
  - {{ path: /*, upstream: service }}
""")
        yield running, seen


def browser(running) -> Browser:
    return Browser(running.port(), client_context())


@SERVICES
@pytest.mark.parametrize("compression", [True, False])
async def test_messages_of_every_kind(gateway, service, compression):
    async with behind(gateway, service) as (running, seen), browser(running) as client:
        channel = await client.open("/ws?a=b%20c", "chat.v1, chat.v2", [("cookie", "a=1"), ("cookie", "b=2")], compression)
        assert channel.status == 200 and channel.headers["sec-websocket-protocol"] == "chat.v2"
        assert compression == ("permessage-deflate" in channel.headers.get("sec-websocket-extensions", ""))
        assert not {"upgrade", "connection", "sec-websocket-accept"} & channel.headers.keys()
        await channel.say("headers")
        fields = json.loads(await channel.hear())
        assert [value for name, value in fields if name == "cookie"] == ["a=1; b=2"]
        assert dict(fields)["origin"] == "https://api.example.com" and dict(fields)["x-forwarded-proto"] == "https"
        for message in ("hello", "grüße ☕", bytes(range(256)), "x" * 125, "x" * 126, "x" * 65535, "x" * 65536, os.urandom(1 << 20), "y" * (1 << 20)):
            await channel.say(message)
            assert await channel.hear() == message
        await channel.say("one ", final=False)
        # `wsproto`, which is the service's side too, loses its place in a compressed message at a ping.
        between = service == "http/1.1" or not compression
        if between:
            await channel.ping(b"between")
        await channel.say("two ", final=False)
        await channel.say("three")
        assert await channel.hear() == "one two three"
        await channel.ping(b"behind")
        await channel.until(lambda: channel.pongs == [b"between"] * between + [b"behind"])
        assert (await channel.close(4001, "bye"))[0] == 4001
        await channel.until(lambda: channel.ended)
        assert await seen.ended(1) == [4001]


@SERVICES
async def test_close_codes_of_the_service(gateway, service):
    async with behind(gateway, service) as (running, seen), browser(running) as client:
        for code in (1000, 1001, 1011, 3000, 4999):
            channel = await client.open()
            await channel.say(f"close {code} so")
            assert await channel.hear_close() == (code, "so")
            await channel.close(code)
            await channel.until(lambda: channel.ended or channel.reset is not None)
            assert channel.reset in (None, ErrorCodes.NO_ERROR), "a good end"
        assert (await client.get("/item")).body == b"item /item"


@SERVICES
async def test_many_websockets_beside_requests_on_one_connection(gateway, service):
    async with behind(gateway, service) as (running, seen), browser(running) as client:
        channels = await asyncio.gather(*(client.open(f"/{index}") for index in range(20)))

        async def talk(channel, index: int) -> None:
            for turn in range(10):
                message = os.urandom(20_000) if turn % 2 else f"{index} {turn}"
                await channel.say(message)
                assert await channel.hear() == message

        async def ask(index: int) -> None:
            answer = await client.get(f"/item/{index}")
            assert answer.status == 200 and answer.body == b"item /item/%d" % index
        await asyncio.gather(*(talk(channel, index) for index, channel in enumerate(channels)), *(ask(index) for index in range(50)))
        await asyncio.gather(*(channel.close() for channel in channels))
        assert await seen.ended(20) == [1000] * 20
    entries = running.entries(70)
    assert len({entry["client_port"] for entry in entries}) == 1


@SERVICES
async def test_a_tab_that_is_closed_ends_its_websocket_alone(gateway, service):
    async with behind(gateway, service) as (running, seen), browser(running) as client:
        first, second = await client.open(), await client.open()
        await first.say("a")
        assert await first.hear() == "a"
        await first.cancel()
        assert len(await seen.ended(1)) == 1 and seen.codes[0] in (1005, 1006)
        await second.say("b")
        assert await second.hear() == "b"
        client.writer.transport.abort()
        await seen.ended(2)


@SERVICES
async def test_an_upgrade_that_is_refused_is_an_answer(gateway, service):
    async with behind(gateway, service) as (running, seen), browser(running) as client:
        for _ in range(3):
            channel = await client.open("/refused")
            assert channel.status == 403
            await channel.until(lambda: channel.ended or channel.reset is not None)
            assert channel.body in (b"not you\n", b"")
            assert (await client.get("/item")).status == 200
        channel = await client.open()
        await channel.say("still")
        assert await channel.hear() == "still"


@SERVICES
async def test_a_websocket_that_is_not_read_holds_up_nobody_else(gateway, service):
    async with behind(gateway, service) as (running, seen), browser(running) as client:
        slow, other = await client.open(compression=False), await client.open()
        slow.acknowledges = False
        await slow.say("flood 100")
        await slow.until(lambda: slow.unacknowledged >= 6 << 20)
        for turn in range(20):
            await other.say(f"{turn}")
            assert await other.hear() == f"{turn}"
            assert (await client.get("/item")).status == 200
        await slow.acknowledge()
        for _ in range(100):
            assert await slow.hear() == bytes(100_000)


@SERVICES
async def test_a_reload_leaves_websockets_and_a_drain_says_goodbye(gateway, service):
    async with behind(gateway, service, top="drain_timeout: 1s") as (running, seen), browser(running) as client:
        channel = await client.open()
        assert await asyncio.to_thread(running.reload, running.config_path.read_text() + "# once more\n")
        await channel.say("still")
        assert await channel.hear() == "still"
        running.terminate()
        assert (await channel.hear_close())[0] == 1001
        await channel.close(1001)
        await seen.ended(1)
        async with client.news:
            await client.news.wait_for(lambda: client.lost)
        assert client.goaway == ErrorCodes.NO_ERROR
        assert await asyncio.to_thread(running.wait) == 0
