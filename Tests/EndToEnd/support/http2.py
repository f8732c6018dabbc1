"""Either end of HTTP/2, frame by frame: nothing is sent that a test did not ask for, but SETTINGS, their acknowledgement and windows.

Frames are written here, and only field blocks are left to `hpack`, so that a test can break any rule.
"""

import json
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

import hpack

from support.raw import Ended, NotStrict, RawUpstream, TOKEN, VALUE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR = range(7)
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(7, 12)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
FORBIDDEN = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
Fields = list[tuple[str, str]]


@dataclass
class Stream:
    """What one peer has got on a stream."""
    number: int
    fields: Fields = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: Fields = field(default_factory=list)
    interim: list[Fields] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None
    send_window: int = 65535
    acknowledges: bool = True
    """Whether content is acknowledged with WINDOW_UPDATE at once."""

    def get(self, name: str) -> str | None:
        found = self.all(name)
        return ", ".join(found) if found else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    @property
    def status(self) -> int:
        return int(self.get(":status"))

    @property
    def is_over(self) -> bool:
        return self.ended or self.reset is not None


class Peer:
    """One end of a connection."""

    def __init__(self, connection: socket.socket, seconds: float = 10):
        self.socket = connection
        self.socket.settimeout(seconds)
        self.ahead = bytearray()
        self.streams: dict[int, Stream] = {}
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        self.settings: dict[int, int] = {}
        """The other side's."""
        self.has_settings = False
        self.acknowledged = 0
        self.send_window = 65535
        self.goaways: list[tuple[int, int]] = []
        """Last stream and code of each."""
        self.pongs: list[bytes] = []
        self.block: tuple[int, int, bytes] | None = None
        self.acknowledges = True
        self.is_closed = False

    # Sending

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def frame(self, kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> None:
        self.send(frame(kind, flags, stream, payload))

    def send_settings(self, settings: dict[int, int] | None = None) -> None:
        self.frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *one) for one in (settings or {}).items()))

    def headers(self, stream: int, fields: Fields, end: bool = False) -> None:
        self.frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, self.encoder.encode(fields))

    def data(self, stream: int, content: bytes = b"", end: bool = False) -> None:
        """As many frames as it takes, whatever the windows say."""
        parts = [content[at:at + 16384] for at in range(0, len(content), 16384)] or [b""]
        for index, part in enumerate(parts):
            self.streams[stream].send_window -= len(part)
            self.send_window -= len(part)
            self.frame(DATA, END_STREAM if end and index == len(parts) - 1 else 0, stream, part)

    def push(self, stream: int, content: bytes, end: bool = True) -> None:
        """As the windows allow. Stops when the stream is reset."""
        at, one = 0, self.streams[stream]
        while at < len(content):
            room = min(one.send_window, self.send_window, 16384, len(content) - at)
            if room <= 0:
                self.step()
                if one.reset is not None:
                    return
                continue
            last = end and at + room == len(content)
            self.data(stream, content[at:at + room], last)
            at += room
        if end and not content:
            self.data(stream, b"", True)

    def reset(self, stream: int, code: int = CANCEL) -> None:
        self.frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    def open_window(self, stream: int, count: int) -> None:
        self.frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", count))

    def ping(self, payload: bytes = b"12345678") -> None:
        self.frame(PING, 0, 0, payload)

    def goaway(self, last: int, code: int = NO_ERROR) -> None:
        self.frame(GOAWAY, 0, 0, struct.pack(">II", last, code))

    # Receiving

    def fill(self) -> None:
        try:
            more = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            more = b""
        if not more:
            self.is_closed = True
            raise Ended(bytes(self.ahead))
        self.ahead += more

    def read_frame(self) -> tuple[int, int, int, bytes]:
        while len(self.ahead) < 9:
            self.fill()
        length = int.from_bytes(self.ahead[:3], "big")
        while len(self.ahead) < 9 + length:
            self.fill()
        kind, flags, stream = struct.unpack(">BBI", self.ahead[3:9])
        payload = bytes(self.ahead[9:9 + length])
        del self.ahead[:9 + length]
        if length > 16384:
            raise NotStrict(f"a frame of {length}")
        return kind, flags, stream & 0x7FFF_FFFF, payload

    def step(self) -> tuple[int, int, int, bytes]:
        """One frame, taken into account."""
        kind, flags, number, payload = got = self.read_frame()
        if self.block and kind != CONTINUATION:
            raise NotStrict("a field block was interrupted")
        if kind == SETTINGS:
            self.take_settings(flags, payload)
        elif kind in (HEADERS, CONTINUATION):
            self.take_block(kind, flags, number, payload)
        elif kind == DATA:
            self.take_data(flags, number, payload)
        elif kind == RST_STREAM:
            if number not in self.streams:
                raise NotStrict(f"RST_STREAM of {number}")
            self.streams[number].reset = int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE:
            count = int.from_bytes(payload, "big")
            if number == 0:
                self.send_window += count
            elif number in self.streams:
                self.streams[number].send_window += count
        elif kind == PING:
            if flags & ACK:
                self.pongs.append(payload)
            else:
                self.frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.goaways.append(struct.unpack(">II", payload[:8]))
        return got

    def take_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            self.acknowledged += 1
            return
        old = self.settings.get(INITIAL_WINDOW_SIZE, 65535)
        self.settings.update(struct.iter_unpack(">HI", payload))
        self.has_settings = True
        for one in self.streams.values():
            one.send_window += self.settings.get(INITIAL_WINDOW_SIZE, 65535) - old
        self.frame(SETTINGS, ACK)

    def take_block(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == HEADERS:
            self.block = (number, flags, payload)
        else:
            first, old, so_far = self.block
            assert number == first
            self.block = (first, old | flags & END_HEADERS, so_far + payload)
        number, flags, payload = self.block
        if not flags & END_HEADERS:
            return
        self.block = None
        fields = [(text(name), text(value)) for name, value in self.decoder.decode(payload, raw=True)]
        check(fields)
        self.take_fields(number, fields, bool(flags & END_STREAM))

    def take_fields(self, number: int, fields: Fields, end: bool) -> None:
        one = self.streams.get(number)
        if one is None:
            one = self.made(number)
        if one.ended:
            raise NotStrict(f"HEADERS behind the end of {number}")
        one.ended = end
        if one.fields:
            if not end:
                raise NotStrict("trailers that are not the end")
            one.trailers = fields
        elif fields[0][0] == ":status" and fields[0][1].startswith("1"):
            one.interim.append(fields)
        else:
            one.fields = fields

    def made(self, number: int) -> Stream:
        self.streams[number] = Stream(number, send_window=self.settings.get(INITIAL_WINDOW_SIZE, 65535))
        return self.streams[number]

    def take_data(self, flags: int, number: int, payload: bytes) -> None:
        one = self.streams.get(number)
        if one is None or one.ended or not one.fields:
            raise NotStrict(f"DATA of {number}")
        if flags & PADDED:
            payload_only = payload[1:len(payload) - payload[0]]
        else:
            payload_only = payload
        one.body += payload_only
        one.ended = bool(flags & END_STREAM)
        if not payload or not self.acknowledges:
            return
        try:
            self.open_window(0, len(payload))
            if one.acknowledges and not one.is_over:
                self.open_window(number, len(payload))
        except OSError:
            pass  # The other side may have said all and be gone.

    def until(self, condition, seconds: float = 10):
        """Reads frames until the condition is true; its value."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, "the condition did not come true"
            self.step()

    def settle(self) -> "Peer":
        """Everything that was sent so far has been worked on: a PING came back."""
        mark = struct.pack(">Q", time.monotonic_ns())
        self.ping(mark)
        self.until(lambda: mark in self.pongs)
        return self

    def until_closed(self, seconds: float = 10) -> None:
        """Reads to the end of the connection."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.step()
        except (Ended, OSError) as problem:
            assert not isinstance(problem, TimeoutError), "the connection did not end"
            return
        raise AssertionError("the connection did not end")

    def goaway_code(self, seconds: float = 10) -> int:
        """The code with which the other side ends the connection; it closes then."""
        self.until_closed(seconds)
        assert self.goaways, "no GOAWAY"
        return self.goaways[-1][1]

    def close(self) -> None:
        self.socket.close()

    def abort(self) -> None:
        """Ends the connection as a crash would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def text(value) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def check(fields: Fields) -> None:
    """What a gateway must not send."""
    regular = False
    for name, value in fields:
        if name.startswith(":"):
            if regular:
                raise NotStrict(f"{name} behind fields")
            if not value or any(ord(one) <= 32 for one in value):
                raise NotStrict(f"{name}: {value!r}")
            continue
        regular = True
        if name != name.lower() or not TOKEN.match(name.encode("latin-1")) or name in FORBIDDEN:
            raise NotStrict(name)
        if not VALUE.match(value.encode("latin-1")) or name == "te" and value != "trailers":
            raise NotStrict(f"{name}: {value!r}")
    pseudo = [name for name, _ in fields if name.startswith(":")]
    if len(set(pseudo)) != len(pseudo):
        raise NotStrict(f"{pseudo}")


class H2Client(Peer):
    """A client that knows beforehand, or with TLS by ALPN."""

    def __init__(self, port: int, settings: dict[int, int] | None = None, context: ssl.SSLContext | None = None, name: str = "api.example.com",
                 seconds: float = 10, receive_buffer: int | None = None, before: bytes = b"", host: str = "a.test", opening: bytes | None = None):
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(seconds)
        connection.connect(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            context.set_alpn_protocols(["h2"])
            connection = context.wrap_socket(connection, server_hostname=name)
            assert connection.selected_alpn_protocol() == "h2"
        super().__init__(connection, seconds)
        self.scheme = "https" if context else "http"
        self.host = host
        self.next = 1
        self.window = (settings or {}).get(INITIAL_WINDOW_SIZE, 65535)
        if opening is not None:
            self.send(opening)
            return
        self.send(before + PREFACE)
        self.send_settings({ENABLE_PUSH: 0, **(settings or {})})

    def __enter__(self) -> "H2Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def head(self, method: str = "GET", path: str = "/", fields: Fields = (), **pseudo) -> Fields:
        return [(":method", method), (":scheme", self.scheme), (":authority", self.host), (":path", path), *fields]

    def open(self, method: str = "GET", path: str = "/", fields: Fields = (), end: bool = True) -> Stream:
        return self.open_raw(self.head(method, path, fields), end)

    def open_raw(self, fields: Fields, end: bool = True) -> Stream:
        number = self.next
        self.next += 2
        self.headers(number, fields, end)
        return self.made(number)

    def wait(self, stream: Stream, seconds: float = 10) -> Stream:
        self.until(lambda: stream.is_over, seconds)
        return stream

    def get(self, path: str = "/", fields: Fields = (), method: str = "GET", body: bytes | None = None, trailers: Fields = ()) -> Stream:
        """A whole exchange."""
        stream = self.open(method, path, fields, end=body is None)
        if body is not None:
            self.push(stream.number, body, end=not trailers)
            if trailers:
                self.headers(stream.number, list(trailers), end=True)
        return self.wait(stream)


class H2Connection(Peer):
    """The upstream's end. `requests` are streams whose head has come, in their order."""

    def __init__(self, connection: socket.socket, upstream: "H2Upstream", number: int, seconds: float = 10):
        super().__init__(connection, seconds)
        self.upstream = upstream
        self.number = number
        self.requests: list[Stream] = []

    def begin(self, settings: dict[int, int] | None = None) -> None:
        self.begin_silently()
        self.send_settings(settings)

    def begin_silently(self) -> None:
        """Without SETTINGS yet."""
        while len(self.ahead) < len(PREFACE):
            self.fill()
        if self.ahead[:len(PREFACE)] != PREFACE:
            raise NotStrict(bytes(self.ahead))
        del self.ahead[:len(PREFACE)]

    def made(self, number: int) -> Stream:
        if number % 2 == 0 or self.streams and number <= max(self.streams):
            raise NotStrict(f"stream {number}")
        stream = super().made(number)
        self.requests.append(stream)
        self.upstream.requests.append(stream)
        return stream

    def request(self, index: int = 0, whole: bool = True) -> Stream:
        """The n-th request of this connection, with its content or as soon as its head is here."""
        self.until(lambda: len(self.requests) > index and self.requests[index].fields and (not whole or self.requests[index].is_over))
        return self.requests[index]

    def respond(self, stream: Stream, body: bytes | str = b"ok", fields: Fields = (), status: int = 200, trailers: Fields = ()) -> None:
        body = body.encode() if isinstance(body, str) else body
        self.headers(stream.number, [(":status", str(status)), *fields], end=not body and not trailers)
        if body:
            self.push(stream.number, body, end=not trailers)
        if trailers:
            self.headers(stream.number, list(trailers), end=True)


def mirror(connection: H2Connection) -> None:
    """Answers each request with its fields and content, as soon as it is whole."""
    connection.begin()
    at = 0
    while True:
        stream = connection.request(at)
        at += 1
        if stream.reset is None:
            connection.respond(stream, json.dumps({"fields": stream.fields, "body": len(stream.body), "trailers": stream.trailers,
                                                   "connection": connection.number}))


def serving(script, settings=None):
    """A service of one connection after the other: `script(connection, stream)` for each whole request."""
    def serve(connection: H2Connection) -> None:
        connection.begin(settings)
        at = 0
        while True:
            stream = connection.request(at)
            at += 1
            script(connection, stream)
    return serve


class H2Upstream(RawUpstream):
    """As `RawUpstream`, in HTTP/2; with TLS when there is a context."""

    def __init__(self, script=mirror, context: ssl.SSLContext | None = None):
        self.context = context
        super().__init__(script)
        if context:
            self.url = self.url.replace("http:", "https:")

    def serve(self, connection) -> None:
        if self.context:
            try:
                connection.socket = self.context.wrap_socket(connection.socket, server_side=True)
            except (ssl.SSLError, OSError):
                connection.socket.close()
                return
        peer = H2Connection(connection.socket, self, connection.number)
        self.connections[connection.number - 1] = peer
        super().serve(peer)
