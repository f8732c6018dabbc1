"""The client of the table: writes a row's bytes as they are cut, and reads the answers strictly."""

import asyncio
import socket

from strict import Message, StrictReader
from table import Verdict


class Client(asyncio.Protocol):
    def __init__(self, methods: list[str]):
        # Answers beyond those that were asked for are counted, not refused: the verdict says how many there may be.
        self.reader = StrictReader([*methods, *["GET"] * 100])
        self.received = 0
        self.is_ended = False
        self.changed = asyncio.Event()

    @classmethod
    async def connect(cls, port: int, methods: list[str], source: str | None = None) -> "Client":
        loop = asyncio.get_running_loop()
        local = (source, 0) if source else None
        _, client = await loop.create_connection(lambda: cls(methods), "127.0.0.1", port, local_addr=local)
        return client

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.reader.feed(data)
        self.changed.set()

    def eof_received(self) -> bool:
        self.note_end()
        return False

    def connection_lost(self, _) -> None:
        self.note_end()

    def note_end(self) -> None:
        self.is_ended = True
        self.reader.end()
        self.changed.set()

    async def write(self, pieces: list[bytes | str], pause: float) -> None:
        awaited = 0
        for piece in pieces:
            if self.transport.is_closing():
                return
            if isinstance(piece, bytes):
                self.transport.write(piece)
                await asyncio.sleep(pause)
            elif piece == "finish":
                self.transport.write_eof()
            elif piece == "reset":
                self.transport.abort()
            elif piece == "pause":
                await asyncio.sleep(0.05)
            elif piece == "await":
                awaited += 1
                await self.until(lambda: len(self.reader.messages) >= awaited, 2)

    async def until(self, condition, seconds: float) -> bool:
        """Whether it came true before the connection ended or the time was over."""
        end = asyncio.get_running_loop().time() + seconds
        while not condition():
            left = end - asyncio.get_running_loop().time()
            if self.is_ended or left <= 0:
                return False
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), left)
            except TimeoutError:
                return condition()
        return True

    @property
    def finals(self) -> list[Message]:
        """Final answers whose content is complete, and switched protocols."""
        return [one for one in self.reader.messages if one.status == 101 or one.status >= 200 and one.complete]

    def verdict(self) -> Verdict:
        statuses = tuple(one.status for one in self.reader.messages)
        current = self.reader.current
        is_whole = (current is None or current.status == 101) and not self.reader.ahead
        if not self.is_ended:
            return Verdict(statuses, "" if is_whole else "w")
        return Verdict(statuses, "c" if is_whole else "t")

    def close(self) -> None:
        self.transport.abort()
