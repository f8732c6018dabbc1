"""What an observation is worth: exactly the row's verdict for Martlet; safe and legal for others."""

import re

from runner import Observation
from strict import Message, StrictReader
from table import Row, Verdict

SMUGGLED = "/smuggled"
# Fields that gateways add to every message. They are compared only in rows whose last column names them.
ADDED_TO_REQUESTS = {
    "via", "x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-request-id"}
ADDED_TO_ANSWERS = {"via", "date", "server", "connection", "keep-alive"}
# Of others' messages these are compared too where the row has them, but framing only as its own column.
FRAMING = {"content-length", "transfer-encoding"}


def parse_expected(row: Row) -> list[Message]:
    reader = StrictReader(["HEAD" if row.request.data.startswith(b"HEAD") else "GET"] * 100 if row.is_response else None)
    reader.feed(row.seen)
    reader.end()
    if reader.unsafe or reader.current is not None or reader.ahead:
        raise ValueError(f"{row}: the last column is not whole: {reader.unsafe} {reader.ahead}")
    return reader.messages


def own_fields(message: Message, added: set[str], expected: Message) -> list[tuple[str, str]]:
    named = {name for name, _ in expected.fields}
    return [(name, value) for name, value in message.fields if name not in added or name in named]


def differences(seen: list[Message], expected: list[Message], added: set[str]) -> list[str]:
    if len(seen) != len(expected):
        return [f"{len(seen)} messages instead of {len(expected)}: {[one.first for one in seen]}"]
    found = []
    for one, wanted in zip(seen, expected):
        for name in ("first", "framing", "body", "trailers"):
            if getattr(one, name) != getattr(wanted, name):
                found.append(f"{name} {getattr(one, name)!r:.200} instead of {getattr(wanted, name)!r:.200}")
        fields, wanted_fields = own_fields(one, added, wanted), own_fields(wanted, added, wanted)
        if fields != wanted_fields:
            found.append(f"fields {fields} instead of {wanted_fields}")
    return found


class Judge:
    """For Martlet: the verdict, the bytes on both sides and the connections are exactly those of the row."""

    def problems(self, made: Observation) -> list[str]:
        row = made.row
        found = [f"a victim: {one}" for one in made.victim_problems]
        if not row.verdict.covers(made.verdict):
            found.append(f"verdict {made.verdict} instead of {row.verdict}")
        found += [f"not strict upstream: {one}" for one in made.unsafe + made.loose]
        found += [f"not strict to the client: {one}" for one in made.answer_unsafe + made.answer_loose]
        found += [f"{one.first} was let through" for one in made.requests if one.target.startswith(SMUGGLED)]
        found += unpaired(made)
        found += self.answer_problems(made)
        if made.is_hanging:
            found.append("a request that is cut short is still open upstream")
        if row.is_response:
            return found + self.response_problems(made)
        if row.seen is None:
            if made.requests:
                found.append(f"the upstream saw {[one.first for one in made.requests]}")
            if made.is_partial and not row.is_cut:
                found.append("the upstream saw a part of a request")
            return found
        return found + differences(made.requests, parse_expected(row), ADDED_TO_REQUESTS)

    def answer_problems(self, made: Observation) -> list[str]:
        """The last answer before an end says that it is the last; every final answer has one date."""
        found = []
        finals = [one for one in made.answers if one.status >= 200]
        # Who ends the sending may do it before or behind the answer.
        said = made.row.verdict.ending == "c" and not made.row.request.has("finish")
        if said and finals and finals[-1].all("connection") != ["close"]:
            found.append("the connection was closed without Connection: close")
        for one in finals:
            if len(one.all("date")) != 1 or not re.fullmatch(
                    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", one.all("date")[0]):
                found.append(f"Date: {one.all('date')}")
        return found

    def response_problems(self, made: Observation) -> list[str]:
        row = made.row
        found = []
        if row.seen is not None:
            found += differences(made.answers, parse_expected(row), ADDED_TO_ANSWERS)
        if 101 in row.verdict.statuses:
            sent = row.request.data.split(b"\r\n\r\n", 1)[1]
            if made.tunnelled != sent:
                found.append(f"the upstream's end of the tunnel got {made.tunnelled!r:.100} instead of {sent!r:.100}")
        if row.connection == "reused" and not made.is_upstream_reused:
            found.append("the upstream connection was not used again")
        if row.connection in ("closed", "private") and (made.is_upstream_open or made.is_upstream_reused):
            found.append("the upstream connection was not closed" if not made.is_upstream_reused else "the upstream connection was used again")
        return found


def unpaired(made: Observation) -> list[str]:
    """Answers that the upstream made for another request than the one in their place: it numbers them and names the request."""
    if made.row.is_response:
        return []
    found = []
    answers = [one for one in made.answers if one.all("x-seq")]
    for answer, request in zip(answers, made.requests):
        wanted = "" if request.method == "HEAD" else f"{answer.all('x-seq')[0]} {request.method} {request.target}"
        if answer.complete and answer.body.decode("latin-1") != wanted:
            found.append(f"the answer {answer.body[:60]!r} to {request.first[:60]!r}")
    if len(answers) > len(made.requests):
        found.append(f"{len(answers)} answers of the upstream to {len(made.requests)} requests")
    return found


PASS, LAX, FAIL = "pass", "lax", "fail"


class PeerJudge:
    """For others: what is not safe fails, and so does what an RFC forbids; what only differs from us is lax."""

    def verdict(self, made: Observation) -> tuple[str, str]:
        row = made.row
        for reason in self.dangers(made):
            return FAIL, reason
        if row.is_response:
            return self.response(made)
        if row.verdict.ending == "c" and row.verdict.statuses[-1:] == (200,) and made.verdict == Verdict((), "c"):
            # Bytes that come behind the end of a connection reset it (RFC 9112 section 9.6 recommends to wait for them).
            return LAX, "the answer was lost to a reset"
        refused = self.is_refused(made)
        if (not row.verdict.statuses or row.verdict.statuses[-1] >= 400) and not row.seen:
            if refused:
                return PASS, ""
            return self.legal(made, f"accepted: {made.verdict}")
        if refused:
            return self.legal(made, f"refused: {made.verdict}")
        if not self.matches(made.verdict, row.verdict):
            return self.legal(made, f"verdict {made.verdict} instead of {row.verdict}")
        if row.seen is not None:
            wrong = self.normal_form(made.requests, parse_expected(row), row, ADDED_TO_REQUESTS)
            if wrong:
                return (LAX if row.others is None else FAIL), wrong[0]
        return PASS, ""

    def dangers(self, made: Observation) -> list[str]:
        found = [f"{one.first[:60]} passed the access rule" for one in made.requests if one.target.startswith(SMUGGLED)]
        found += [f"sent upstream: {one}" for one in made.unsafe]
        found += [f"sent to the client: {one}" for one in made.answer_unsafe]
        found += [f"sent to the client: {one}" for one in made.answer_loose if one.startswith("framing")]
        if b" HTTP/1.0\r" in made.row.request.data and any(one < 200 for one in made.verdict.statuses):
            found.append("an interim response to HTTP/1.0")
        found += unpaired(made)
        found += made.victim_problems
        if made.is_hanging:
            found.append("a cut request stays open upstream")
        if not made.verdict.statuses and not made.verdict.ending and made.row.others is not None:
            found.append("no answer at all")
        accepted = sum(1 for status in made.verdict.statuses if status == 200)
        if not made.row.is_response and len(made.requests) > accepted and made.verdict.ending != "t":
            if len(made.requests) > max(accepted, 1):
                found.append(f"{len(made.requests)} requests upstream for {accepted} answers")
        return found

    def kind(self, made: Observation) -> str:
        """What a row's bytes were taken for, which must not depend on how they were cut; empty when it cannot be seen: a
        connection that is closed while bytes still come loses its answer to the reset."""
        finals = [one for one in made.verdict.statuses if one >= 200 or one == 101]
        if not finals and made.verdict.ending:
            return ""
        if made.row.is_response:
            return "failed" if made.verdict.ending == "t" or finals[-1:] == [502] else str(finals)
        if self.is_refused(made):
            return "refused"
        return f"{len(made.requests)} requests"

    def is_refused(self, made: Observation) -> bool:
        statuses = [one for one in made.verdict.statuses if one >= 200]
        if not statuses:
            return bool(made.verdict.ending)
        return statuses[0] >= 400 and not (made.row.verdict.ending == "c" and len(statuses) > 1)

    def legal(self, made: Observation, what: str) -> tuple[str, str]:
        others = made.row.others
        seen = made.verdict
        if len(seen.statuses) > 1 and seen.statuses[-1] == 403 and made.row.verdict.ending == "c":
            # Of the request behind the row, which is one where the connection may stay open.
            seen = Verdict(seen.statuses[:-1], seen.ending)
        if others is None or any(self.matches(seen, one) for one in others):
            return LAX, what
        return FAIL, what

    def matches(self, seen: Verdict, wanted: Verdict) -> bool:
        """Interim responses and the exact refusal do not matter; closing where the row keeps does not either."""
        finals = [one // 100 if one >= 400 else one for one in seen.statuses if one >= 200 or one == 101]
        wanted_finals = [one // 100 if one >= 400 else one for one in wanted.statuses if one >= 200 or one == 101]
        if wanted.ending == "t":
            # Cut, or nothing or an error in its place.
            return seen.ending == "t" or not finals and seen.ending == "c" or finals[:1] == [5]
        if seen.ending in ("t", "w"):
            return False
        return finals == wanted_finals and (wanted.ending in ("", "?") or bool(seen.ending))

    def normal_form(self, seen: list[Message], expected: list[Message], row: Row, added: set[str]) -> list[str]:
        """What the row's message has must be there, what it dropped must not; what a gateway adds of its own may."""
        if len(seen) != len(expected):
            return [f"{len(seen)} messages instead of {len(expected)}"]
        sent = row.response.data if row.is_response else row.request.data
        received = {line.split(b":")[0].strip().lower().decode("latin-1") for line in sent.split(b"\r\n") if b":" in line}
        found = []
        for one, wanted in zip(seen, expected):
            if row.is_response:
                is_same = one.status == wanted.status
            else:
                # The version is for the rows about it.
                is_same = one.first == wanted.first or (
                    row.requirement != "A07" and (one.method, one.target) == (wanted.method, wanted.target))
            if not is_same:
                found.append(f"{one.first!r:.80} instead of {wanted.first!r:.80}")
            if one.body != wanted.body:
                found.append(f"content {one.body!r:.60} instead of {wanted.body!r:.60}")
            if (one.framing == "none") != (wanted.framing == "none") and one.body:
                found.append(f"framing {one.framing} instead of {wanted.framing}")
            if one.trailers != wanted.trailers:
                found.append(f"trailers {one.trailers} instead of {wanted.trailers}")
            names = {name for name, _ in wanted.fields}
            # A gateway may say what it likes in fields that it adds; Connection and framing are its own as well.
            for name in sorted((names | received) - FRAMING - {"connection"} - (added - names)):
                if self.comparable(name, one, wanted) != self.comparable(name, wanted, wanted):
                    found.append(f"{name}: {one.all(name)} instead of {wanted.all(name)}")
        return found

    def finals(self, answers: list[Message]) -> list[Message]:
        return [one for one in answers if one.status == 101 or one.status >= 200]

    def comparable(self, name: str, message: Message, wanted: Message) -> list[str]:
        values = message.all(name)
        if name == "via":
            # Names of gateways differ.
            return [element.split(" ")[0] for element in ", ".join(values).split(", ") if element]
        if name == "expect" and wanted.all("expect"):
            # May be met by the gateway itself.
            return []
        return [value.lower() for value in values] if name == "upgrade" else values

    def response(self, made: Observation) -> tuple[str, str]:
        row = made.row
        if not self.matches(made.verdict, row.verdict):
            return self.legal(made, f"{made.verdict} instead of {row.verdict}")
        if row.seen is not None:
            wrong = self.normal_form(
                self.finals(made.answers), self.finals(parse_expected(row)), row, ADDED_TO_ANSWERS)
            if wrong:
                return (LAX if row.others is None else FAIL), wrong[0]
        if 101 in row.verdict.statuses and made.tunnelled != row.request.data.split(b"\r\n\r\n", 1)[1]:
            return FAIL, f"the tunnel changed what it carries: {made.tunnelled!r:.60}"
        if row.connection == "private" and made.is_upstream_shared:
            return FAIL, "the upstream connection was used for somebody else"
        if row.connection == "closed" and made.is_upstream_reused:
            return LAX, "the upstream connection was used again"
        return PASS, ""
