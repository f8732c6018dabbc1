"""The side-by-side table of docs/security.md."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from judge import FAIL, LAX, PASS, Judge, PeerJudge
from runner import Run
from table import Row

START = "<!-- make conformance writes from here -->"
END = "<!-- to here -->"

CLASSES = [
    ("A", "message syntax, framing, connections (RFC 9112)"),
    ("B", "semantics for intermediaries (RFC 9110)"),
    ("E", "WebSocket (RFC 6455)"),
    ("G", "forwarding fields (RFC 7239)"),
    ("I", "Proxy-Status (RFC 9209)"),
    ("S", "request smuggling and desynchronisation"),
    ("T", "other strictness and normal form"),
]


@dataclass
class Column:
    """One gateway's worst verdict for each row over all ways of sending."""
    name: str
    version: str
    runs: int
    verdicts: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def count(self, rows: list[Row], verdict: str) -> int:
        return sum(self.verdicts[row.id] == verdict for row in rows)

    def failures(self, rows: list[Row]) -> list[str]:
        return [row.id for row in rows if self.verdicts[row.id] == FAIL]


def note(column: Column, identifier: str, verdict: str, reason: str) -> None:
    order = [PASS, LAX, FAIL]
    if order.index(verdict) > order.index(column.verdicts.get(identifier, PASS)) or identifier not in column.verdicts:
        column.verdicts[identifier] = verdict
        column.reasons[identifier] = reason


def own_column(run: Run) -> Column:
    """Ours: anything but the row's first verdict is a failure."""
    column, judge = Column("Martlet", run.target.version, len(run.made)), Judge()
    for made in run.made:
        problems = judge.problems(made)
        note(column, made.row.id, FAIL if problems else PASS, f"[{made.mode}] {problems[0]}" if problems else "")
    return column


def peer_column(run: Run) -> Column:
    column, judge = Column(run.target.name, run.target.version, len(run.made)), PeerJudge()
    first: dict[str, str] = {}
    for made in run.made:
        verdict, reason = judge.verdict(made)
        kind = judge.kind(made)
        if kind and made.mode != "followed" and kind != first.setdefault(made.row.id, kind):
            verdict, reason = FAIL, f"depends on the cut: {made.verdict} [{made.mode}]"
        note(column, made.row.id, verdict, f"[{made.mode}] {reason}" if reason else "")
    return column


def write_table(columns: list[Column], rows: list[Row]) -> list[str]:
    lines = ["| class | rows | " + " | ".join(f"{one.name} fails | {one.name} lax" for one in columns[1:]) + " | Martlet fails |",
             "|---|---|" + "---|" * (2 * len(columns) - 1)]
    for letter, title in [*CLASSES, ("", "all")]:
        some = [row for row in rows if row.id.startswith(letter)]
        cells = [f"{one.count(some, FAIL)} | {one.count(some, LAX)}" for one in columns[1:]]
        name = f"{letter}: {title}" if letter else f"**{title}**"
        lines.append(f"| {name} | {len(some)} | " + " | ".join(cells) + f" | {columns[0].count(some, FAIL)} |")
    return lines


def group(identifier: str) -> str:
    """Rows of one requirement, or of one part of the table 0.3, stand in one line."""
    parts = identifier.split("-")
    return "-".join(parts[:2]) if parts[0] == "T" else parts[0]


def write_failures(columns: list[Column], rows: list[Row]) -> list[str]:
    sections = {row.id: row.section for row in rows}
    lines = []
    for column in columns[1:]:
        failed = column.failures(rows)
        lines += ["", f"Rows that {column.name} fails ({len(failed)}):", "", "| | section | rows | what was seen (the first of them) |", "|---|---|---|---|"]
        for name in sorted({group(one) for one in failed}):
            some = [one for one in failed if group(one) == name]
            short = ", ".join(one.removeprefix(name).removeprefix("-") or "itself" for one in some)
            reason = re.sub(r"[|`]", " ", column.reasons[some[0]].split("] ", 1)[1])
            lines.append(f"| {name} | {sections[some[0]]} | {short} | {reason:.90} |")
    return lines


def write(columns: list[Column], rows: list[Row], conditions: str) -> str:
    versions = "; ".join(one.version for one in columns)
    runs = ", ".join(f"{one.name} {one.runs:,}" for one in columns)
    return "\n".join([
        conditions, f"{versions}. Runs: {runs}.", "", *write_table(columns, rows), *write_failures(columns, rows), ""])


def insert(path: Path, text: str) -> None:
    before, rest = path.read_text().split(START)
    _, after = rest.split(END)
    path.write_text(f"{before}{START}\n\n{text}\n{END}{after}")
