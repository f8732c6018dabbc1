"""A client as a browser is one: TLS, HTTP/2 by ALPN, and WebSockets beside requests on one connection (RFC 8441). And a service that
takes such WebSockets.

Frames of HTTP/2 are those of `h2`, frames of WebSockets those of `wsproto`.
"""

import asyncio
import contextlib
import ssl

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (DataReceived, RequestReceived, ResponseReceived, SettingsAcknowledged, StreamEnded, StreamReset, WindowUpdated)
from h2.exceptions import StreamClosedError
from h2.settings import SettingCodes, Settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

from support.http2 import GOAWAY


class Lost(Exception):
    """The connection ended."""


class H2Stream:
    """What came on a stream."""

    def __init__(self, link: "Link", number: int):
        self.link = link
        self.number = number
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.ended = False
        self.said_end = False
        self.reset: int | None = None
        self.acknowledges = True
        self.unacknowledged = 0

    @property
    def status(self) -> int:
        return int(self.headers[":status"])

    async def until(self, condition):
        """Waits for events of this connection until the condition is true; its value."""
        async with self.link.news:
            while not (value := condition()):
                if self.link.lost:
                    raise Lost(self.link.goaway)
                await self.link.news.wait()
            return value

    async def send(self, data: bytes, end: bool = False) -> None:
        """As the windows allow."""
        h2 = self.link.h2
        at = 0
        while at < len(data):
            room = min(h2.local_flow_control_window(self.number), h2.max_outbound_frame_size, len(data) - at)
            if room > 0:
                h2.send_data(self.number, data[at:at + room])
                at += room
                await self.link.flush()
            else:
                await self.until(lambda: self.reset is not None or h2.local_flow_control_window(self.number) > 0)
                if self.reset is not None:
                    return
        if end and self.reset is None and not self.said_end:
            self.said_end = True
            h2.end_stream(self.number)
            await self.link.flush()

    async def cancel(self) -> None:
        """What a browser does when a tab is closed."""
        self.link.h2.reset_stream(self.number, ErrorCodes.CANCEL)
        await self.link.flush()

    async def acknowledge(self) -> None:
        """Content is taken from now on, also what came so far."""
        self.acknowledges = True
        if self.unacknowledged:
            self.link.h2.acknowledge_received_data(self.unacknowledged, self.number)
        self.unacknowledged = 0
        await self.link.flush()


class Channel(H2Stream):
    """A WebSocket on a stream."""

    def __init__(self, link: "Link", number: int):
        super().__init__(link, number)
        self.deflate = PerMessageDeflate()
        self.frames: Connection | None = None
        self.messages: list[str | bytes] = []
        self.parts: list[str | bytes] = []
        self.pongs: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def begin(self) -> None:
        """The server took it, with or without compression."""
        agreed = self.headers.get("sec-websocket-extensions", "")
        if agreed:
            assert agreed.startswith("permessage-deflate")
            self.deflate.finalize(agreed)
        self.frames = Connection(ConnectionType.CLIENT, [self.deflate] if agreed else [])
        self.take()

    async def accept(self) -> None:
        """The service's side: the last of what is offered, with compression if that is."""
        fields = [(":status", "200")]
        if wanted := self.headers.get("sec-websocket-protocol"):
            fields.append(("sec-websocket-protocol", wanted.split(", ")[-1]))
        if offered := self.headers.get("sec-websocket-extensions"):
            fields.append(("sec-websocket-extensions", f"permessage-deflate; {self.deflate.accept(offered)}".rstrip("; ")))
        self.frames = Connection(ConnectionType.SERVER, [self.deflate] if offered else [])
        self.link.h2.send_headers(self.number, fields)
        await self.link.flush()
        self.take()

    def take(self) -> None:
        """What has come of frames."""
        if self.frames is None or not self.body:
            return
        data = bytes(self.body)
        self.body.clear()
        self.frames.receive_data(data)
        for event in self.frames.events():
            match event:
                case TextMessage() | BytesMessage():
                    self.parts.append(event.data)
                    if event.message_finished:
                        self.messages.append(("" if isinstance(event.data, str) else b"").join(self.parts))
                        self.parts.clear()
                case Ping():
                    self.link.h2.send_data(self.number, self.frames.send(event.response()))
                case Pong():
                    self.pongs.append(bytes(event.payload))
                case CloseConnection():
                    self.closed = (event.code, event.reason or "")

    async def say(self, message: str | bytes, final: bool = True) -> None:
        kind = TextMessage if isinstance(message, str) else BytesMessage
        await self.send(self.frames.send(kind(data=message, message_finished=final)))

    async def ping(self, payload: bytes) -> None:
        await self.send(self.frames.send(Ping(payload=payload)))

    async def hear(self) -> str | bytes:
        await self.until(lambda: self.messages or self.reset is not None or self.ended)
        assert self.messages, (self.reset, self.closed)
        return self.messages.pop(0)

    async def listen(self) -> str | bytes | None:
        """The next message; None when there are no more."""
        await self.until(lambda: self.messages or self.closed or self.reset is not None or self.ended)
        return self.messages.pop(0) if self.messages else None

    async def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        """Says goodbye, or answers one, and waits for the other side's; its code and reason."""
        await self.send(self.frames.send(CloseConnection(code=code, reason=reason)))
        said = await self.hear_close()
        await self.send(b"", end=True)
        return said

    async def hear_close(self) -> tuple[int, str]:
        await self.until(lambda: self.closed is not None or self.reset is not None or self.ended)
        return self.closed


class Link:
    """One end of a connection."""

    def __init__(self, is_client: bool):
        self.h2 = H2Connection(H2Configuration(client_side=is_client, header_encoding="utf-8"))
        self.news = asyncio.Condition()
        self.streams: dict[int, H2Stream] = {}
        self.lost = False
        self.goaway: int | None = None
        self.has_settings = False

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def read(self) -> None:
        try:
            if not self.h2.config.client_side:
                self.h2.receive_data(await self.reader.readexactly(24))
            while head := await self.reader.readexactly(9):
                frame = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                # `h2` takes nothing more behind a GOAWAY, though its streams go on.
                if head[3] == GOAWAY:
                    self.goaway = int.from_bytes(frame[4:8], "big")
                for event in self.h2.receive_data(head + frame if head[3] != GOAWAY else b""):
                    self.take(event)
                await self.flush()
                async with self.news:
                    self.news.notify_all()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self.lost = True
            async with self.news:
                self.news.notify_all()

    def take(self, event) -> None:
        stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
        match event:
            case SettingsAcknowledged():
                self.has_settings = True
            case RequestReceived():
                self.on_request(event.stream_id, event.headers)
            case ResponseReceived():
                stream.headers = dict(event.headers)
                if isinstance(stream, Channel) and stream.status == 200:
                    stream.begin()
            case DataReceived():
                stream.body += event.data
                if stream.acknowledges:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream.number)
                else:
                    stream.unacknowledged += event.flow_controlled_length
                if isinstance(stream, Channel):
                    stream.take()
            case StreamEnded():
                stream.ended = True
            case StreamReset():
                stream.reset = event.error_code
            case WindowUpdated():
                pass

    def on_request(self, number: int, fields) -> None:
        raise AssertionError("requests come to services")

    async def end(self) -> None:
        self.writer.transport.abort()
        await asyncio.gather(self.task, return_exceptions=True)


class ServiceLink(Link):
    """The service's end: `serve` gets each stream in a task of its own, a `Channel` for a WebSocket."""

    def __init__(self, reader, writer, serve):
        super().__init__(is_client=False)
        self.reader, self.writer, self.serve = reader, writer, serve
        self.tasks: set[asyncio.Task] = set()
        self.h2.local_settings = Settings(client=False, initial_values={
            SettingCodes.ENABLE_CONNECT_PROTOCOL: 1, SettingCodes.MAX_CONCURRENT_STREAMS: 100, SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(4 << 20)
        self.task = asyncio.current_task()

    def on_request(self, number: int, fields) -> None:
        headers: dict[str, str] = {}
        for name, value in fields:
            headers[name] = f"{headers[name]}; {value}" if name == "cookie" and name in headers else value
        stream = (Channel if headers.get(":protocol") == "websocket" else H2Stream)(self, number)
        stream.headers = headers
        self.streams[number] = stream
        task = asyncio.create_task(self.run(stream))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self, stream: H2Stream) -> None:
        # Whoever is gone needs no answer.
        with contextlib.suppress(Lost, ConnectionError, StreamClosedError):
            await self.serve(stream)


@contextlib.asynccontextmanager
async def h2_service(serve, context: ssl.SSLContext | None = None):
    """Its port."""
    links = []

    async def accept(reader, writer) -> None:
        link = ServiceLink(reader, writer, serve)
        links.append(link)
        await link.flush()
        await link.read()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for link in links:
            await link.end()
        failed = [task.exception() for link in links for task in link.tasks if task.done() and task.exception()]
        assert not failed, failed


class Browser(Link):
    """One connection. Used as `async with`."""

    def __init__(self, port: int, context: ssl.SSLContext, name: str = "api.example.com", host: str | None = None):
        super().__init__(is_client=True)
        self.port, self.context, self.name = port, context, name
        self.host = host or name
        self.context.set_alpn_protocols(["h2", "http/1.1"])

    async def __aenter__(self) -> "Browser":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context, server_hostname=self.name)
        assert self.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        self.h2.local_settings = Settings(client=True, initial_values={
            SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: 6 << 20, SettingCodes.MAX_HEADER_LIST_SIZE: 262_144})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(15 << 20)
        await self.flush()
        self.task = asyncio.create_task(self.read())
        # Browsers look at the server's settings before they send an extended CONNECT.
        async with self.news:
            await self.news.wait_for(lambda: self.has_settings or self.lost)
        assert self.h2.remote_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1
        return self

    async def __aexit__(self, *_) -> None:
        self.task.cancel()
        await self.end()

    def head(self, method: str, path: str, fields=()) -> list[tuple[str, str]]:
        return [(":method", method), (":authority", self.host), (":scheme", "https"), (":path", path), ("user-agent", "Browser/1.0"), *fields]

    async def start(self, kind: type, fields, end: bool) -> H2Stream:
        stream = kind(self, self.h2.get_next_available_stream_id())
        self.streams[stream.number] = stream
        self.h2.send_headers(stream.number, fields, end_stream=end)
        await self.flush()
        return stream

    async def get(self, path: str = "/", fields=(), method: str = "GET", body: bytes | None = None) -> H2Stream:
        stream = await self.start(H2Stream, self.head(method, path, fields), end=body is None)
        if body is not None:
            await stream.send(body, end=True)
        await stream.until(lambda: stream.ended or stream.reset is not None)
        return stream

    async def open(self, path: str = "/ws", protocols: str | None = None, fields=(), compression: bool = True, host: str | None = None) -> Channel:
        """The head of Chromium. The answer may be no."""
        head = [(":method", "CONNECT"), (":authority", host or self.host), (":scheme", "https"), (":path", path), (":protocol", "websocket"),
                ("pragma", "no-cache"), ("cache-control", "no-cache"), ("user-agent", "Browser/1.0"), ("origin", f"https://{self.host}"),
                ("sec-websocket-version", "13"), ("accept-encoding", "gzip, deflate, br"), ("accept-language", "en"), *fields]
        if protocols:
            head.append(("sec-websocket-protocol", protocols))
        if compression:
            head.append(("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"))
        channel = await self.start(Channel, head, end=False)
        await channel.until(lambda: channel.headers or channel.reset is not None)
        return channel
