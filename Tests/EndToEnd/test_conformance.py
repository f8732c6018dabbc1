"""The table of raw cases (Tests/Conformance) against the binary: every row in every way."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

CONFORMANCE = Path(__file__).parents[1] / "Conformance"
sys.path.insert(0, str(CONFORMANCE))

from judge import Judge, PeerJudge, parse_expected
from runner import Settings, observe
from strict import StrictReader
from table import read_all
from targets import Martlet, Relay

ROWS = read_all()


@pytest.fixture(scope="module")
def run(martlet, tmp_path_factory):
    """All rows: whole, byte by byte, cut at every border at once, followed by a request in the same bytes, and with one
    cut at some of the borders (at each of them in `make conformance`)."""
    folder = tmp_path_factory.mktemp("conformance")
    return asyncio.run(observe(lambda path, ports: Martlet(martlet, path, ports), ROWS, Settings(cuts=8), folder))


def test_every_row_has_its_verdict_however_it_is_cut(run):
    judge = Judge()
    problems = [f"{one.row} [{one.mode}]: {problem}" for one in run.made for problem in judge.problems(one)]
    assert not problems, f"{len(problems)} of {len(run.made)} runs:\n" + "\n".join(problems[:100])


def test_the_gateway_lived_through_the_table(run):
    assert run.survived, "a row ended the gateway process"
    assert run.problems == []


def test_every_request_upstream_stands_in_the_access_log_once(run):
    """Conservation: what a strict reader finds upstream is what the gateway says it sent."""
    log = [json.loads(line) for line in Path(run.target.gateway.access_log_path).read_text().splitlines()]
    given = {line["request_id"]: line for line in log if line.get("endpoint")}
    seen = [identifier for upstream in run.upstreams for identifier in upstream.ids]
    assert len(seen) == sum(upstream.total for upstream in run.upstreams), "a request upstream has not exactly one id"
    known = set(seen)
    assert len(seen) == len(known), "a request was seen twice upstream"
    assert known <= given.keys(), "a request upstream that the gateway does not know of"
    # What is not valid can show before the first byte was sent.
    missing = [line for identifier, line in given.items() if identifier not in known]
    assert all(line.get("reason") and "upstream_status" not in line for line in missing), missing[:3]


def test_every_way_of_sending_was_used(run):
    modes = {one.mode for one in run.made}
    assert {"whole", "bytes", "borders", "followed"} < modes
    assert {one.row.id for one in run.made if one.mode == "whole"} == {row.id for row in ROWS}


def test_the_table_has_at_least_400_rows_and_each_names_its_section():
    assert len(ROWS) >= 400
    assert all(row.section for row in ROWS)


NUMBERS = {"A": 54, "B": 54, "E": 13, "G": 6, "I": 6, "S": 42}


def test_every_requirement_has_a_row_or_a_test_elsewhere():
    rows = {row.requirement for row in ROWS}
    lines = [line.split(" | ") for line in (CONFORMANCE / "elsewhere.txt").read_text().splitlines() if line and line[0] != "#"]
    for requirement, file, words in lines:
        assert requirement not in rows, f"{requirement} has rows: it is not elsewhere"
        assert file == "-" or words in (CONFORMANCE.parents[1] / file).read_text(), f"{words} is not in {file}"
    named = rows | {line[0] for line in lines}
    assert [f"{letter}{number:02}" for letter, last in NUMBERS.items() for number in range(1, last + 1)
            if f"{letter}{number:02}" not in named] == []


def test_what_rows_expect_is_strict_itself():
    for row in ROWS:
        assert row.seen is None or parse_expected(row), row


def test_a_gateway_that_looks_at_nothing_fails(tmp_path):
    """The test of the test: through a relay of bytes the judges must see smuggling, truncation and mixed answers."""
    run = asyncio.run(observe(lambda path, ports: Relay(ports), ROWS, Settings(modes=("whole",), answer_seconds=0.3, close_seconds=0.1), tmp_path))
    strict, fair = Judge(), PeerJudge()
    refused = [one for one in run.made if one.row.verdict.statuses[-1:] == (400,)]
    assert all(strict.problems(one) for one in refused)
    verdicts = {one.row.id: fair.verdict(one) for one in run.made if one.mode == "whole"}
    failed = {name for name, (verdict, _) in verdicts.items() if verdict == "fail"}
    assert {"A28-cl-te", "S03-two", "S07-different", "S10-lf", "S19", "A37-response", "E04-response", "B18"} <= failed
    assert len(failed) > len(ROWS) // 4


STRICT = [
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare CR", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    ("NUL", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    ("space before a colon", b"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n"),
    ("no name", b"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n"),
    ("no colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("no host", b"GET / HTTP/1.1\r\n\r\n"),
    ("two lengths", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    ("length and coding", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("other coding", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ("signed length", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n"),
    ("three spaces", b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("version", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("empty line", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("chunk size", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n"),
    ("chunk line", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"),
    ("chunk end", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"),
    ("framing in trailers", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n"),
]


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "bytes"])
@pytest.mark.parametrize("name, data", STRICT, ids=[name for name, _ in STRICT])
def test_the_strict_reader_refuses(name, data, cut):
    reader = StrictReader()
    for piece in [data[index : index + 1] for index in range(len(data))] if cut else [data]:
        reader.feed(piece)
    assert reader.unsafe


LOOSE = [
    ("control character", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n"),
    ("fragment", b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("bad escape", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("leading zero", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 00\r\n\r\n"),
    ("chunk extension", b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;a\r\n\r\n"),
    ("host", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
]


@pytest.mark.parametrize("name, data", LOOSE, ids=[name for name, _ in LOOSE])
def test_the_strict_reader_notes_what_is_no_normal_form(name, data):
    reader = StrictReader()
    assert len(reader.feed(data)) == 1
    assert reader.loose and not reader.unsafe


def test_the_strict_reader_takes_the_normal_form():
    reader = StrictReader()
    first = b"POST /a%20b?c=[d] HTTP/1.1\r\nHost: a.test:80\r\nX: a\r\nContent-Length: 2\r\n\r\nok"
    second = b"PUT /b HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\na\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
    messages = []
    for index in range(len(first + second)):
        messages += reader.feed((first + second)[index : index + 1])
    assert [one.body for one in messages] == [b"ok", b"ok0123456789"]
    assert messages[1].trailers == [("x-sum", "1")]
    assert not reader.unsafe and not reader.loose and not reader.has_partial
