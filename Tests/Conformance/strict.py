"""A strict reader of HTTP/1.1 messages, written for the tests and from the RFCs alone: it shares no code with the gateway or
with the other tests, repairs nothing, and says what it found.

A problem is `unsafe` when another reader could see other messages in the same bytes: the reader stops there. It is `loose`
when the bytes are not what the grammar says, but the borders of the message are beyond doubt: the reader goes on.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VALUE = re.compile(rb"(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
# RFC 3986: path and query of origin-form, `*`, or what CONNECT has.
ORIGIN = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*(?:\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]|%[0-9A-Fa-f]{2})*)?")
VISIBLE = re.compile(rb"[\x21-\xff]+")
HOST = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})*(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
REQUEST_LINE = re.compile(rb"([^ ]+) ([^ ]+) HTTP/(1\.[01])")
STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([0-9]{3}) ([\t \x21-\x7e\x80-\xff]*)")
# Fields that must not come behind the content (RFC 9110 section 6.5.1): framing and routing.
NOT_IN_TRAILERS = {"content-length", "transfer-encoding", "host", "connection", "trailer", "te", "upgrade"}


@dataclass
class Message:
    """`fields` as received, names in lower case; `framing` is `none`, `length`, `chunked` or `close`."""
    first: str
    fields: list[tuple[str, str]]
    framing: str = "none"
    length: int = 0
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    @property
    def method(self) -> str:
        return self.first.split(" ", 1)[0]

    @property
    def target(self) -> str:
        return self.first.split(" ")[1]

    @property
    def version(self) -> str:
        return self.first.rsplit(" ", 1)[1]

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])


class Unsafe(Exception):
    pass


class StrictReader:
    """Feed it bytes; `messages` grows. `methods` are the requests that responses answer, in order (none for a reader of
    requests); interim responses do not use one up."""

    def __init__(self, methods: list[str] | None = None):
        self.methods = methods
        self.answered = 0
        self.ahead = b""
        self.messages: list[Message] = []
        self.unsafe: list[str] = []
        self.loose: list[str] = []
        self.step = self.read_head
        self.rest = 0
        self.ended = False

    @property
    def current(self) -> Message | None:
        """The message that has begun and is not complete."""
        if self.messages and not self.messages[-1].complete:
            return self.messages[-1]
        return None

    @property
    def has_partial(self) -> bool:
        return self.current is not None or bool(self.ahead)

    def feed(self, data: bytes) -> list[Message]:
        """Messages that became complete."""
        if self.unsafe:
            return []
        self.ahead += data
        before = sum(message.complete for message in self.messages)
        try:
            while self.step():
                pass
        except Unsafe as problem:
            self.unsafe.append(str(problem))
        return [message for message in self.messages if message.complete][before:]

    def end(self) -> None:
        """The peer closed."""
        self.ended = True
        if self.current is not None and self.current.framing == "close":
            self.current.complete = True

    def read_head(self) -> bool:
        if b"\r\n\r\n" not in self.ahead:
            # What has come so far of a head may have no bare line ends either.
            bare = re.search(rb"(?<!\r)\n|\r(?![\n])(?=.)|\0", self.ahead, re.DOTALL)
            if bare:
                raise Unsafe(f"bare CR, LF or NUL in a head: {self.ahead[:120]!r}")
            return False
        head, self.ahead = self.ahead.split(b"\r\n\r\n", 1)
        lines = head.split(b"\r\n")
        for line in lines:
            if re.search(rb"[\r\n\0]", line):
                raise Unsafe(f"bare CR, LF or NUL in {line[:120]!r}")
        fields = [self.parse_field(line) for line in lines[1:]]
        message = Message(lines[0].decode("latin-1"), fields)
        if self.methods is None:
            self.check_request(message, lines[0])
        else:
            self.check_response(message, lines[0])
        self.messages.append(message)
        return self.begin_body(message)

    def parse_field(self, line: bytes) -> tuple[str, str]:
        if line[:1] in (b" ", b"\t"):
            raise Unsafe(f"folded line: {line[:120]!r}")
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name):
            raise Unsafe(f"no field line: {line[:120]!r}")
        value = value.strip(b" \t")
        if not VALUE.fullmatch(value):
            self.loose.append(f"control character in {line[:120]!r}")
        return name.decode().lower(), value.decode("latin-1")

    def check_request(self, message: Message, line: bytes) -> None:
        parts = REQUEST_LINE.fullmatch(line)
        if not parts or not TOKEN.fullmatch(parts[1]) or not VISIBLE.fullmatch(parts[2]):
            raise Unsafe(f"request line: {line[:120]!r}")
        target = parts[2]
        if not ORIGIN.fullmatch(target) and not (target == b"*" and parts[1] == b"OPTIONS"):
            self.loose.append(f"target: {target[:120]!r}")
        hosts = message.all("host")
        if len(hosts) > 1 or not hosts and parts[3] == b"1.1":
            raise Unsafe(f"{len(hosts)} Host fields")
        if hosts and not HOST.fullmatch(hosts[0].encode("latin-1")):
            self.loose.append(f"Host: {hosts[0]!r}")
        self.frame(message, default="none")

    def check_response(self, message: Message, line: bytes) -> None:
        parts = STATUS_LINE.fullmatch(line)
        if not parts:
            raise Unsafe(f"status line: {line[:120]!r}")
        status = message.status
        if status < 100:
            self.loose.append(f"status {status}")
        method = self.methods[self.answered] if self.answered < len(self.methods) else "GET"
        if status >= 200 or status == 101:
            if self.answered >= len(self.methods):
                raise Unsafe("an answer that nobody asked for")
            self.answered += 1
        self.frame(message, default="close")
        is_bodyless = method == "HEAD" or status < 200 or status in (204, 304)
        if 100 <= status < 200 or status == 204:
            if message.all("content-length") or message.all("transfer-encoding"):
                self.loose.append(f"framing field in a {status}")
        if is_bodyless:
            message.framing, message.length = "none", 0
        if status == 101:
            message.framing = "close"

    def frame(self, message: Message, default: str) -> None:
        lengths, codings = message.all("content-length"), message.all("transfer-encoding")
        if len(lengths) + len(codings) > 1:
            raise Unsafe(f"framing: {lengths} {codings}")
        message.framing = default
        if codings:
            if codings[0].lower() != "chunked":
                raise Unsafe(f"Transfer-Encoding: {codings[0]}")
            if message.first.startswith("HTTP/1.0") or message.first.endswith("HTTP/1.0"):
                raise Unsafe("Transfer-Encoding in HTTP/1.0")
            message.framing = "chunked"
        elif lengths:
            if not re.fullmatch(r"[0-9]+", lengths[0]) or int(lengths[0]) >= 1 << 63:
                raise Unsafe(f"Content-Length: {lengths[0]!r}")
            message.framing, message.length = "length", int(lengths[0])
            if lengths[0] != str(message.length):
                self.loose.append(f"Content-Length: {lengths[0]}")

    def begin_body(self, message: Message) -> bool:
        match message.framing:
            case "length":
                self.rest = message.length
                self.step = self.read_length
            case "chunked":
                self.step = self.read_chunk_size
            case "close":
                self.step = self.read_all
            case _:
                return self.finish(message)
        return True

    def finish(self, message: Message) -> bool:
        message.complete = True
        self.step = self.read_head
        return bool(self.ahead)

    def read_all(self) -> bool:
        self.messages[-1].body += self.ahead
        self.ahead = b""
        return False

    def read_length(self) -> bool:
        message = self.messages[-1]
        message.body += self.ahead[: self.rest]
        taken = min(self.rest, len(self.ahead))
        self.ahead = self.ahead[taken:]
        self.rest -= taken
        return self.finish(message) if self.rest == 0 else False

    def line(self) -> bytes | None:
        """The next line of chunked framing, without its CRLF."""
        end = self.ahead.find(b"\n")
        if end < 0:
            if re.search(rb"\r.|\0", self.ahead, re.DOTALL):
                raise Unsafe(f"bare CR or NUL in chunk framing: {self.ahead[:60]!r}")
            return None
        line, self.ahead = self.ahead[: end + 1], self.ahead[end + 1 :]
        if not line.endswith(b"\r\n") or re.search(rb"[\r\0]", line[:-2]):
            raise Unsafe(f"line of chunk framing: {line[:60]!r}")
        return line[:-2]

    def read_chunk_size(self) -> bool:
        line = self.line()
        if line is None:
            return False
        size, semicolon, _ = line.partition(b";")
        if semicolon:
            self.loose.append(f"chunk extension: {line[:60]!r}")
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", size):
            raise Unsafe(f"chunk size: {line[:60]!r}")
        self.rest = int(size, 16)
        self.step = self.read_chunk if self.rest else self.read_trailer
        return True

    def read_chunk(self) -> bool:
        message = self.messages[-1]
        message.body += self.ahead[: self.rest]
        taken = min(self.rest, len(self.ahead))
        self.ahead = self.ahead[taken:]
        self.rest -= taken
        if self.rest or len(self.ahead) < 2:
            if not self.rest and self.ahead not in (b"", b"\r"):
                raise Unsafe(f"no CRLF behind a chunk: {self.ahead!r}")
            return False
        if self.ahead[:2] != b"\r\n":
            raise Unsafe(f"no CRLF behind a chunk: {self.ahead[:20]!r}")
        self.ahead = self.ahead[2:]
        self.step = self.read_chunk_size
        return True

    def read_trailer(self) -> bool:
        line = self.line()
        if line is None:
            return False
        message = self.messages[-1]
        if not line:
            return self.finish(message)
        name, value = self.parse_field(line)
        if name in NOT_IN_TRAILERS:
            raise Unsafe(f"{name} in the trailer section")
        message.trailers.append((name, value))
        return True
