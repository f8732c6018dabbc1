"""The upstream of the table: records what came, reads it strictly, answers as a row says."""

import asyncio
import socket

from cuts import steps
from strict import Message, StrictReader
from table import Script

VICTIM = "/victim-"


class UpstreamConnection(asyncio.Protocol):
    def __init__(self, upstream: "Upstream"):
        self.upstream = upstream
        self.reader = StrictReader()
        self.heads = 0
        self.is_ended = False
        self.raw = b""
        # Bytes behind a 101.
        self.is_tunnel = False
        self.tunnelled = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.upstream.connections.append(self)

    def data_received(self, data: bytes) -> None:
        if self.is_tunnel:
            self.tunnelled += data
            return
        self.raw += data
        completed = self.reader.feed(data)
        for message in self.reader.messages[self.heads :]:
            self.heads += 1
            self.upstream.note_head(self, message)
        for message in completed:
            self.upstream.note_request(self, message)
        if self.reader.unsafe:
            self.send(b"HTTP/1.1 400 Not Strict\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.transport.close()

    def eof_received(self) -> bool:
        self.is_ended = True
        self.reader.end()
        return False

    def connection_lost(self, _) -> None:
        self.is_ended = True
        self.reader.end()

    def send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


class Upstream:
    """One per slot. Between `begin` and the next `begin` all that comes belongs to one case and its victims."""

    def __init__(self):
        self.connections: list[UpstreamConnection] = []
        self.served = 0
        self.total = 0
        self.ids: list[str] = []
        self.tasks: set[asyncio.Task] = set()
        self.begin(None, "whole", False)

    async def listen(self) -> "Upstream":
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: UpstreamConnection(self), "127.0.0.1", 0, backlog=256)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        self.server.close()
        for connection in self.connections:
            connection.transport.abort()

    def begin(self, script: Script | None, mode: str, everything: bool) -> None:
        self.script, self.mode, self.everything = script, mode, everything
        self.heads: list[tuple[UpstreamConnection, Message]] = []
        self.played: UpstreamConnection | None = None
        self.answered: Message | None = None
        self.connections = [one for one in self.connections if not one.is_ended]
        # Requests that already stand in a connection's reader belong to earlier cases.
        for connection in self.connections:
            connection.reader.messages = [one for one in connection.reader.messages if not one.complete]
            connection.heads = len(connection.reader.messages)
            connection.raw = b""

    def note_head(self, connection: UpstreamConnection, message: Message) -> None:
        self.heads.append((connection, message))
        self.ids += message.all("x-request-id")
        self.total += 1
        is_victim = message.target.startswith(VICTIM)
        if self.script is not None and self.script.has("early") and not is_victim:
            self.play(connection, message)
        elif message.all("expect") and self.script is None:
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def note_request(self, connection: UpstreamConnection, message: Message) -> None:
        if message is self.answered:
            return
        if self.script is not None and not message.target.startswith(VICTIM):
            self.play(connection, message)
            return
        self.served += 1
        body = f"{self.served} {message.method} {message.target}".encode("latin-1")
        head = f"HTTP/1.1 200 OK\r\nX-Seq: {self.served}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.send(head + (b"" if message.method == "HEAD" else body))

    def play(self, connection: UpstreamConnection, message: Message) -> None:
        script, self.script, self.played, self.answered = self.script, None, connection, message
        task = asyncio.get_running_loop().create_task(self.write(connection, script))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def write(self, connection: UpstreamConnection, script: Script) -> None:
        sent = 0
        for step in steps(script, self.mode, self.everything):
            if isinstance(step, bytes):
                connection.send(step)
                sent += len(step)
                connection.is_tunnel = sent == len(script.data) and b"HTTP/1.1 101 " in script.data
                await asyncio.sleep(0.001 if self.mode.startswith("at ") else 0)
            elif step == "finish":
                connection.transport.close()
            elif step == "reset":
                connection.transport.abort()
            elif step == "pause":
                await asyncio.sleep(0.05)
            elif step == "await":
                while not connection.is_ended and self.answered is not None and not self.answered.complete:
                    await asyncio.sleep(0.002)

    async def finish_playing(self) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=10)

    async def settle(self, seconds: float) -> None:
        """Until no request is half here: what was cut has been seen to end."""
        end = asyncio.get_running_loop().time() + seconds
        while self.tasks or any(one.reader.has_partial and not one.is_ended and not one.reader.unsafe for one in self.connections):
            if asyncio.get_running_loop().time() > end:
                return
            await asyncio.sleep(0.002)
