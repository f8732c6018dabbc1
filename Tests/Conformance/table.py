"""Reads the tables of raw cases; README.md beside says what the columns mean."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "cases"

MACROS = {
    "$G": b"GET /v HTTP/1.1\r\nHost: a.test\r\n",
    "$P": b"POST /v HTTP/1.1\r\nHost: a.test\r\n",
    "$S": b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "$T": b"POST /v HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n",
    "$R": b"HTTP/1.1 200 OK\r\n",
    "$U": b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "$W": b"GET /ws HTTP/1.1\r\nHost: a.test\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
          b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "$A": b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
          b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "$C": b"5\r\nhello\r\n0\r\n\r\n",
}
SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", "|": b"|", "s": b" "}
# What the sender does between bytes.
ACTIONS = {"F": "finish", "R": "reset", "P": "pause", "W": "await", "H": "early", "T": "trusted"}
FINAL = re.compile(r"([1-9][0-9]{2})([ct?]?)")


class BadTable(Exception):
    pass


@dataclass(frozen=True)
class Script:
    """Bytes to send, and what to do at places between them: (offset, action)."""
    data: bytes
    actions: tuple[tuple[int, str], ...] = ()

    def has(self, action: str) -> bool:
        return any(name == action for _, name in self.actions)


@dataclass(frozen=True)
class Verdict:
    """Statuses of the answers in their order, and how the connection is afterwards."""
    statuses: tuple[int, ...]
    # "" kept, "c" closed, "t" closed before the message's end, "?" kept or closed; "w": seen alone, still waiting for more
    ending: str

    def covers(self, seen: "Verdict") -> bool:
        return self.statuses == seen.statuses and (self.ending == seen.ending or self.ending == "?" and seen.ending in ("", "c"))

    def __str__(self) -> str:
        return " ".join(map(str, self.statuses)) + self.ending if self.statuses else "none" + self.ending


@dataclass(frozen=True)
class Row:
    file: str
    line: int
    id: str
    section: str
    request: Script
    response: Script | None
    verdict: Verdict
    # Other verdicts that the RFCs allow; None: any that is safe (`any` in the list).
    others: tuple[Verdict, ...] | None
    # What the upstream may see (requests) or the client (responses): None where the column says `-` or `cut`.
    seen: bytes | None
    is_cut: bool
    connection: str

    @property
    def requirement(self) -> str:
        return self.id.split("-")[0]

    @property
    def is_response(self) -> bool:
        return self.response is not None

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.id}"


def parse_script(text: str) -> Script:
    data, actions, _ = expand(text, 0, until="")
    return Script(bytes(data), tuple(actions))


def expand(text: str, index: int, until: str) -> tuple[bytearray, list[tuple[int, str]], int]:
    """Text with escapes from `index` on, up to what ends a repetition or a chunk."""
    out = bytearray()
    actions = []
    while index < len(text):
        character = text[index]
        if until and text.startswith(until, index):
            return out, actions, index + len(until)
        if character == "\\":
            following = text[index + 1]
            if following in SIMPLE:
                out += SIMPLE[following]
                index += 2
            elif following == "x":
                out.append(int(text[index + 2 : index + 4], 16))
                index += 4
            elif following == "[":
                inner, _, index = expand(text, index + 2, until="\\]")
                out += b"%x\r\n%s\r\n" % (len(inner), inner)
            elif following in ACTIONS and not until:
                actions.append((len(out), ACTIONS[following]))
                index += 2
            else:
                raise BadTable(f"escape \\{following} in {text!r}")
        elif character == "$" and text[index + 1 : index + 2].isupper():
            if text[index : index + 2] not in MACROS:
                raise BadTable(f"{text[index:index + 2]!r} in {text!r}")
            out += MACROS[text[index : index + 2]]
            index += 2
        elif character == "{":
            count = re.compile(r"\{([0-9]+)\*").match(text, index)
            if not count:
                raise BadTable(f"repetition in {text!r}")
            inner, _, index = expand(text, count.end(), until="}")
            out += inner * int(count[1])
        else:
            if not 0x20 <= ord(character) < 0x7F:
                raise BadTable(f"{character!r} in {text!r}: write an escape")
            out.append(ord(character))
            index += 1
    if until:
        raise BadTable(f"{until} is missing in {text!r}")
    return out, actions, index


def parse_verdict(text: str) -> Verdict:
    words = text.split(" ")
    if words in (["nonec"], ["none"]):
        return Verdict((), words[0][4:])
    parts = [FINAL.fullmatch(word) for word in words]
    if not all(parts) or any(part[2] for part in parts[:-1]):
        raise BadTable(f"verdict {text!r}")
    return Verdict(tuple(int(part[1]) for part in parts), parts[-1][2])


def parse_row(file: str, number: int, line: str) -> Row:
    columns = [column.strip(" ") for column in re.split(r" \|(?: |$)", line)]
    is_response = file.startswith("responses")
    if len(columns) != (7 if is_response else 5):
        raise BadTable(f"{file}:{number} has {len(columns)} columns: {line}")
    identifier, section, request = columns[:3]
    response = parse_script(columns[3]) if is_response else None
    verdict_text, _, other_text = columns[4 if is_response else 3].partition(" or ")
    alternatives = [one for one in other_text.split(", ") if one]
    others = None if "any" in alternatives else tuple(map(parse_verdict, alternatives))
    seen = columns[5 if is_response else 4]
    connection = columns[6] if is_response else "any"
    if connection not in ("reused", "closed", "private", "any"):
        raise BadTable(f"{file}:{number}: connection {connection!r}")
    if not re.fullmatch(r"RFC [0-9]{4} [0-9.]+|[A-Z].*", section):
        raise BadTable(f"{file}:{number}: section {section!r}")
    return Row(file, number, identifier, section, parse_script(request), response, parse_verdict(verdict_text), others,
               None if seen in ("-", "cut") else parse_script(seen).data, seen == "cut", connection)


def read_file(path: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                rows.append(parse_row(path.name, number, line))
            except (BadTable, ValueError, IndexError) as problem:
                raise BadTable(f"{path.name}:{number}: {problem}") from problem
    return rows


def read_all(folder: Path = FOLDER) -> list[Row]:
    rows = [row for path in sorted(folder.glob("*.txt")) for row in read_file(path)]
    names = [row.id for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadTable(f"ids that stand twice: {twice}")
    return rows
