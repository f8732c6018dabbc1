"""Runs rows against a gateway: many slots at once, each with a listener and an upstream of its own."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

from client import Client
from cuts import single_cuts, steps
from strict import Message, StrictReader
from table import Row, Script, Verdict
from upstream import VICTIM, Upstream

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
TRUSTED = "127.0.0.2"


@dataclass
class Observation:
    """What one row did when it was sent in one way."""
    row: Row
    mode: str
    verdict: Verdict
    answers: list[Message]
    answer_unsafe: list[str]
    answer_loose: list[str]
    # Requests that the upstream saw, without victims.
    requests: list[Message]
    unsafe: list[str]
    loose: list[str]
    # A request that the upstream saw in part, and whether its connection is still open.
    is_partial: bool = False
    is_hanging: bool = False
    victim_problems: list[str] = field(default_factory=list)
    # Whether the connection that played the row's answer was open at the end, and served a later request.
    is_upstream_open: bool = False
    is_upstream_reused: bool = False
    # … for the client of a fresh connection.
    is_upstream_shared: bool = False
    # What the upstream got behind its 101.
    tunnelled: bytes = b""


@dataclass
class Settings:
    slots: int = 24
    # How long an answer may take, and how long a connection may stay open after what should close it.
    answer_seconds: float = 20
    close_seconds: float = 10
    everything: bool = False
    # Places for one cut in each row; none when 0.
    cuts: int = 0
    modes: tuple[str, ...] = ("whole", "bytes", "borders")


def modes_of(row: Row, settings: Settings) -> list[str]:
    script = row.response if row.is_response else row.request
    found = list(settings.modes)
    if not row.is_response and row.verdict.ending == "" and row.verdict.statuses[-1:] == (200,) and not row.request.actions:
        found.append("followed")
    return found + [f"at {offset}" for offset in single_cuts(script.data, settings.cuts)] if settings.cuts else found


class Slot:
    def __init__(self, number: int, upstream: Upstream, settings: Settings, port: int):
        self.number = number
        self.upstream = upstream
        self.settings = settings
        self.port = port
        self.victims = 0
        # Targets of the last victim, and of the one in the same bytes as a row.
        self.path = ""
        self.followed = ""

    async def run(self, row: Row, mode: str) -> Observation:
        self.upstream.begin(row.response, mode, self.settings.everything)
        client = await self.send(row, mode)
        await self.wait(client, row, mode)
        await self.upstream.finish_playing()
        if client.finals and "close" in client.finals[-1].all("connection"):
            await client.until(lambda: False, self.settings.close_seconds)
        verdict = client.verdict()
        problems = []
        if verdict.ending == "" and verdict.statuses and verdict.statuses[-1] >= 200 and not client.reader.unsafe and self.is_whole(row):
            problems += await self.ask(client, "the same connection")
        answers = list(client.reader.messages)[: len(verdict.statuses)]
        client.close()
        fresh = await Client.connect(self.port, ["GET"])
        problems += await self.ask(fresh, "a fresh connection")
        fresh.close()
        await self.upstream.settle(self.settings.close_seconds)
        made = self.collect(row, mode, verdict, answers, client.reader)
        made.victim_problems = problems
        return made

    def is_whole(self, row: Row) -> bool:
        """Whether more bytes would be more than the row's requests."""
        reader = StrictReader()
        reader.feed(row.request.data)
        return reader.current is None

    async def send(self, row: Row, mode: str) -> Client:
        method = re.match(rb"[A-Z]*", row.request.data)[0].decode()
        client = await Client.connect(self.port, [method], TRUSTED if row.request.has("trusted") else None)
        script = row.request
        if not row.is_response and row.verdict.ending == "c" and not script.actions:
            # Whatever follows in the same bytes must not be taken for a request.
            script = Script(script.data + SMUGGLED)
        if mode == "followed":
            script = Script(script.data + self.victim())
            self.followed = self.path
        cut = "whole" if row.is_response else mode
        pause = 0.001 if mode.startswith("at ") else 0
        await client.write(steps(script, cut, self.settings.everything), pause)
        return client

    async def wait(self, client: Client, row: Row, mode: str) -> None:
        """Until the answers are here, and the end of the connection where one is due."""
        expected = sum(status == 101 or status >= 200 for status in row.verdict.statuses) + (mode == "followed")
        # Many small writes of the upstream take their time.
        sent = len(row.response.data) / 2_000 if row.response else 0
        has_all = await client.until(
            lambda: len(client.finals) >= max(expected, 1) or client.reader.unsafe, self.settings.answer_seconds + sent)
        if row.verdict.statuses[-1:] == (101,) and row.seen:
            content = len(row.seen.split(b"\r\n\r\n", 1)[1])
            await client.until(lambda: len(client.reader.messages[-1].body) >= content, self.settings.answer_seconds)
        if row.verdict.ending in ("c", "t") and (has_all or row.verdict.ending == "t"):
            await client.until(lambda: False, self.settings.close_seconds)

    def victim(self) -> bytes:
        self.victims += 1
        self.path = f"{VICTIM}{self.number}-{self.victims}"
        return f"GET {self.path} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode()

    async def ask(self, client: Client, where: str) -> list[str]:
        """A request of somebody else: it must get the answer that was made for it, and nothing but that."""
        before = len(client.finals)
        client.transport.write(self.victim())
        if not await client.until(lambda: len(client.finals) > before or client.reader.unsafe, self.settings.answer_seconds):
            return [f"a victim on {where} got no answer"]
        if client.reader.unsafe:
            return [f"a victim on {where} got {client.reader.unsafe}"]
        return self.check_victim(client.finals[before], where)

    def check_victim(self, answer: Message, where: str) -> list[str]:
        number = "".join(answer.all("x-seq"))
        if answer.status != 200 or answer.body.decode("latin-1") != f"{number} GET {self.path}":
            return [f"a victim on {where} got {answer.first!r} {answer.body[:80]!r}"]
        return []

    def collect(self, row: Row, mode: str, verdict: Verdict, answers: list[Message], reader: StrictReader) -> Observation:
        upstream = self.upstream
        made = Observation(row, mode, verdict, answers, list(reader.unsafe), list(reader.loose), [], [], [])
        made.requests = [message for _, message in upstream.heads if not message.target.startswith(VICTIM) and message.complete]
        for connection in upstream.connections:
            made.unsafe += connection.reader.unsafe
            made.loose += connection.reader.loose
            connection.reader.loose = []
            if connection.reader.has_partial:
                made.is_partial = True
                made.is_hanging = made.is_hanging or not connection.is_ended
        if mode == "followed":
            self.take_followed(made)
        if upstream.played is not None:
            connection = upstream.played
            made.tunnelled = connection.tunnelled
            made.is_upstream_open = not connection.is_ended
            heads = [one for one, _ in upstream.heads]
            made.is_upstream_reused = heads.count(connection) > 1
            made.is_upstream_shared = any(one is connection and message.target == self.path for one, message in upstream.heads)
        return made

    def take_followed(self, made: Observation) -> None:
        """The victim in the same bytes is the last answer: it goes to the victims."""
        if len(made.answers) > len(made.row.verdict.statuses):
            last = made.answers.pop()
            made.verdict = Verdict(made.verdict.statuses[:-1], made.verdict.ending)
            self.path = self.followed
            made.victim_problems += self.check_victim(last, "the same bytes")
        else:
            made.victim_problems.append("a victim in the same bytes got no answer")


async def run_rows(rows: list[Row], slots: list[Slot], settings: Settings) -> list[Observation]:
    """Every row in every way, in the order of the rows."""
    work = [(row, mode) for row in rows for mode in modes_of(row, settings)]
    queue = iter(enumerate(work))
    done: list[Observation | None] = [None] * len(work)

    async def serve(slot: Slot) -> None:
        for index, (row, mode) in queue:
            done[index] = await slot.run(row, mode)

    await asyncio.gather(*(serve(slot) for slot in slots))
    return [one for one in done if one is not None]


@dataclass
class Run:
    made: list[Observation]
    upstreams: list[Upstream]
    target: object
    # Whether the gateway's processes are those of the start.
    survived: bool
    # What was wrong with its end.
    problems: list[str]


async def observe(make, rows: list[Row], settings: Settings, folder: Path) -> Run:
    """Starts a gateway by `make(folder, ports of the upstreams)`, runs the rows, ends it."""
    upstreams = [await Upstream().listen() for _ in range(settings.slots)]
    target = await asyncio.to_thread(make, folder, [one.port for one in upstreams])
    try:
        before = target.processes()
        slots = [Slot(index, one, settings, target.ports[index]) for index, one in enumerate(upstreams)]
        made = await run_rows(rows, slots, settings)
        survived = target.processes() == before
    finally:
        problems = await asyncio.to_thread(target.close)
        for one in upstreams:
            one.close()
    return Run(made, upstreams, target, survived, problems)
