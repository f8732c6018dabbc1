"""Both ends of a connection, byte by byte: a client, and an upstream whose parser takes only strict HTTP/1.1."""

import re
import socket
import struct
import threading
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
VALUE = re.compile(rb"[\x21-\x7e\x80-\xff]([\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?\Z|\Z")
TARGET = re.compile(rb"[\x21-\x7e]+\Z")


class NotStrict(Exception):
    """Bytes that a gateway must not write."""


class Ended(Exception):
    """The peer closed in the middle of a message."""


class Bytes:
    """A socket with what was read ahead."""

    def __init__(self, connection: socket.socket, seconds: float = 10):
        self.socket = connection
        self.socket.settimeout(seconds)
        self.ahead = b""

    def fill(self) -> bool:
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        self.ahead += more
        return bool(more)

    def until(self, mark: bytes) -> bytes:
        while mark not in self.ahead:
            if not self.fill():
                raise Ended(self.ahead)
        found, self.ahead = self.ahead.split(mark, 1)
        return found

    def exactly(self, count: int) -> bytes:
        while len(self.ahead) < count:
            if not self.fill():
                raise Ended(self.ahead)
        taken, self.ahead = self.ahead[:count], self.ahead[count:]
        return taken

    def rest(self) -> bytes:
        while self.fill():
            pass
        taken, self.ahead = self.ahead, b""
        return taken

    def reset(self) -> None:
        """Ends the connection as a crash would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_ended(self) -> bool:
        """Whether the peer has closed, without waiting or reading."""
        try:
            # Python waits as long as the socket's timeout says, whatever the flags; another thread may be reading here.
            with self.socket.dup() as other:
                other.settimeout(0)
                return other.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def at_end(self) -> bool:
        """True when the peer closes without another byte."""
        return not self.ahead and not self.fill()


@dataclass
class Message:
    """A head and its body; `fields` as received, names in lower case."""
    first: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    chunked: bool = False

    def get(self, name: str) -> str | None:
        found = self.all(name)
        return ", ".join(found) if found else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name.lower()]

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    @property
    def target(self) -> str:
        return self.first.split(" ")[1]


def parse_head(block: bytes) -> Message:
    lines = block.split(b"\r\n")
    fields = []
    for line in lines:
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise NotStrict(block)
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise NotStrict(line)
        value = value.strip(b" \t")
        if not VALUE.match(value):
            raise NotStrict(line)
        fields.append((name.decode().lower(), value.decode("latin-1")))
    return Message(lines[0].decode("latin-1"), fields)


def read_chunks(source: Bytes, message: Message, strict: bool) -> None:
    """The body so far is in `message` even when the peer ends too early."""
    message.chunked = True
    while True:
        size = source.until(b"\r\n")
        if strict and not re.fullmatch(rb"[0-9a-f]+", size):
            raise NotStrict(size)
        count = int(size.split(b";")[0], 16)
        if count == 0:
            while line := source.until(b"\r\n"):
                name, _, value = line.partition(b":")
                message.trailers.append((name.decode().lower(), value.strip().decode("latin-1")))
            return
        message.body += source.exactly(count)
        if source.exactly(2) != b"\r\n":
            raise NotStrict("no CRLF after a chunk")


class UpstreamConnection(Bytes):
    """The upstream's end; `requests` are what came, read by a parser that refuses all but the normal form."""

    def __init__(self, connection: socket.socket, upstream: "RawUpstream", number: int):
        super().__init__(connection)
        self.upstream = upstream
        self.number = number

    def read_head(self) -> Message | None:
        """None when the gateway closed the idle connection."""
        while b"\r\n\r\n" not in self.ahead:
            if not self.fill():
                if self.ahead:
                    raise Ended(self.ahead)
                return None
        request = parse_head(self.until(b"\r\n\r\n"))
        match = re.fullmatch(r"(\S+) (\S+) HTTP/1\.1", request.first)
        if not match or not TOKEN.match(match[1].encode()) or not TARGET.match(match[2].encode("latin-1")):
            raise NotStrict(request.first)
        if len(request.all("host")) != 1:
            raise NotStrict(f"Host: {request.all('host')}")
        framing = request.all("content-length") + request.all("transfer-encoding")
        if len(framing) > 1 or request.get("transfer-encoding") not in (None, "chunked"):
            raise NotStrict(f"framing: {framing}")
        self.upstream.requests.append(request)
        return request

    def read_body(self, request: Message) -> bytes:
        if request.get("transfer-encoding"):
            read_chunks(self, request, strict=True)
        elif length := request.get("content-length"):
            if not length.isdigit() or length != str(int(length)):
                raise NotStrict(length)
            request.body = self.exactly(int(length))
        return request.body

    def read_request(self) -> Message | None:
        request = self.read_head()
        if request is not None:
            self.read_body(request)
        return request

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def answer(self, body: bytes | str = b"ok", status: str = "200 OK", fields: str = "") -> None:
        body = body.encode() if isinstance(body, str) else body
        self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode("latin-1") + body)


def serve_ok(connection: UpstreamConnection) -> None:
    """Answers every request with 200 and the number of the connection."""
    while connection.read_request():
        connection.answer(str(connection.number))


class RawUpstream:
    """Listens, and runs the script in a thread for each connection. Closed connections end their scripts quietly."""

    def __init__(self, script=None, path: str | None = None, may_break: bool = False):
        self.script = script or serve_ok
        self.may_break = may_break
        self.requests: list[Message] = []
        self.connections: list[UpstreamConnection] = []
        self.problems: list[str] = []
        self.closing = False
        if path is None:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            self.port = self.listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(64)
            self.url = f"unix:{path}"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            if self.closing:
                connection.close()
                return
            if connection.family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made = UpstreamConnection(connection, self, len(self.connections) + 1)
            self.connections.append(made)
            threading.Thread(target=self.serve, args=(made,), daemon=True).start()

    def serve(self, connection: UpstreamConnection) -> None:
        try:
            self.script(connection)
        except NotStrict as problem:
            self.problems.append(f"{problem!r}")
        except (Ended, OSError, TimeoutError):
            pass
        except Exception as problem:
            if not self.closing:
                self.problems.append(f"{problem!r}")
        finally:
            try:
                connection.socket.close()
            except OSError:
                pass

    def stop_listening(self) -> None:
        """Further connections are refused; those that are open live on."""
        self.closing = True
        try:
            with socket.socket(self.listener.family) as wake:
                wake.connect(self.listener.getsockname())
        except OSError:
            pass
        self.listener.close()
        self.thread.join(5)
        self.closing = False

    def listen_again(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def close(self) -> list[str]:
        if self.listener.fileno() >= 0:
            self.stop_listening()
        self.closing = True
        for connection in self.connections:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return self.problems


class RawClient(Bytes):
    """A client that sends any bytes and reads answers strictly."""

    def __init__(self, port: int | str | tuple[str, int], seconds: float = 10, receive_buffer: int | None = None):
        if isinstance(port, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(port)
        else:
            connection = socket.socket()
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(seconds)
            connection.connect(port if isinstance(port, tuple) else ("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(connection, seconds)

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> "RawClient":
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def get(self, path: str = "/", fields: str = "", method: str = "GET", host: str = "a.test") -> Message:
        self.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
        return self.read_response(method)

    def read_head(self) -> Message:
        return parse_head(self.until(b"\r\n\r\n"))

    def read_response(self, method: str = "GET") -> Message:
        """One final answer; raises Ended when it does not look complete. 1xx answers stand in `interim`."""
        self.interim: list[Message] = []
        while True:
            response = self.read_head()
            if response.status >= 200 or response.status == 101:
                break
            self.interim.append(response)
        self.read_response_body(response, method)
        return response

    def read_response_body(self, response: Message, method: str) -> None:
        assert not (response.all("content-length") and response.all("transfer-encoding")), response.fields
        if method == "HEAD" or response.status in (101, 204, 304):
            return
        if response.get("transfer-encoding") == "chunked":
            read_chunks(self, response, strict=True)
        elif (length := response.get("content-length")) is not None:
            response.body = self.exactly(int(length))
        else:
            response.body = self.rest()

    def finish_sending(self) -> "RawClient":
        self.socket.shutdown(socket.SHUT_WR)
        return self


def get(port: int | str | tuple[str, int], path: str = "/", fields: str = "", method: str = "GET", host: str = "a.test") -> Message:
    """One request on a connection of its own."""
    with RawClient(port) as client:
        return client.get(path, fields + "Connection: close\r\n", method, host)


def unused_port() -> int:
    """A port that refuses: bound for a moment, so that nobody else was given it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DeafListener:
    """An address that neither accepts nor refuses: its backlog is full, so further connection attempts hang."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def __enter__(self) -> "DeafListener":
        return self

    def __exit__(self, *_) -> None:
        for one in [*self.fillers, self.listener]:
            one.close()


