"""One line per exchange, in every format, also for requests that no route saw."""

import json
import os
import re
import time

import pytest

from support.gateway import eventually
from support.keys import key_hash
from support.raw import RawClient, get, unused_port


def config(url: str, access_log: str) -> str:
    return f"access_log: {access_log}\nlisten: 127.0.0.1:0\nroutes:\n  - {{ name: all, path: /*, upstream: \"{url}\" }}\n"


def lines(running, count: int = 1) -> list[str]:
    def read():
        if not running.access_log_path.exists():
            return []
        found = running.access_log_path.read_text().splitlines()
        return found if len(found) >= count else []
    return eventually(read, 5, f"{count} lines")


def into(running_folder, form: str) -> str:
    return f"{{ format: {form}, output: {running_folder}/gateway0/access.log }}"


def test_json(gateway, upstream, tmp_path):
    def script(connection):
        while connection.read_request():
            time.sleep(0.05)
            connection.answer("hello")
    peer = upstream(script)
    running = gateway(config(peer.url, into(tmp_path, "json")))
    get(running.port(), '/a/%22b%22?q=%22x', 'User-Agent: te"st\\1\xfc\r\nAuthorization: Bearer secret\r\nCookie: s=secret\r\n', host="shop.test")
    text = lines(running)[0]
    line = json.loads(text)
    assert line["method"] == "GET" and line["status"] == 200 and line["route"] == "all"
    assert line["host"] == "shop.test"
    assert line["endpoint"] == peer.url or peer.url.endswith(line["endpoint"])
    assert line["upstream"]
    assert line["client"].startswith("127.0.0.1")
    assert line["bytes_out"] >= 5
    assert len(line["request_id"]) == 32
    assert "reason" not in line
    assert "secret" not in text
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line["time"])


def test_json_lines_of_requests_that_no_route_saw(gateway, upstream, tmp_path):
    running = gateway(f"""
access_log: {into(tmp_path, "json")}
listen: 127.0.0.1:0
routes:
  - {{ path: /only, methods: [GET], upstream: "{upstream().url}" }}
""")
    assert get(running.port(), "/none").status == 404
    assert get(running.port(), "/only", method="POST").status == 405
    with RawClient(running.port()) as client:
        client.send("NOT HTTP\r\n\r\n")
        client.rest()
    with RawClient(running.port()) as client:
        client.send("GET /only HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n")
        client.rest()
    found = [json.loads(line) for line in lines(running, 4)]
    # Connections are on different workers: the order is nobody's promise.
    assert sorted((line["status"], line["reason"]) for line in found) == [
        (400, "bad_request"), (400, "bad_request"), (404, "no_route"), (405, "method_not_allowed")]


@pytest.mark.parametrize("form", ["json", "combined", '"%r"'])
def test_a_key_taken_out_of_the_query_leaves_no_trace(gateway, upstream, tmp_path, form):
    running = gateway(f"""
access_log: {into(tmp_path, form)}
listen: 127.0.0.1:0
middleware:
  key: {{ api_key: {{ query: k, keys: {{ ada: "{key_hash('opensesame')}" }} }} }}
  no: {{ ip_filter: {{ deny: [127.0.0.1] }} }}
routes:
  - {{ path: /a, middleware: [key], upstream: "{upstream().url}" }}
  - {{ path: /no, middleware: [key, no], upstream: "{upstream().url}" }}
""")
    targets = {"/a?z=1&k=opensesame": "/a?z=1", "/a?k=opensesame&z=1": "/a?z=1", "/a?k=opensesame": "/a",
               "/no?k=opensesame&z=1": "/no?z=1"}
    with RawClient(running.port()) as client:
        for target in targets:
            client.get(target)
    found = lines(running, len(targets))
    for line, target in zip(found, targets.values()):
        assert "opensesame" not in line
        if form == "json":
            path, _, query = target.partition("?")
            assert (json.loads(line)["path"], json.loads(line).get("query")) == (path, query or None)
        else:
            assert f"GET {target} HTTP/1.1" in line


def test_common_and_combined(gateway, upstream, tmp_path):
    peer = upstream()
    running = gateway(config(peer.url, into(tmp_path, "combined")))
    get(running.port(), "/x?y=1", "User-Agent: agent\r\nReferer: http://from.test/\r\n")
    pattern = (r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /x\?y=1 HTTP/1\.1" 200 1'
               r'( "http://from\.test/" "agent")?')
    assert re.fullmatch(pattern, lines(running)[0]).group(1)
    assert running.reload(config(peer.url, into(tmp_path, "common")))
    get(running.port(), "/x?y=1", "User-Agent: agent\r\n")
    assert re.fullmatch(pattern, lines(running, 2)[1]).group(1) is None


def test_the_directives_of_aiohttp(gateway, upstream, tmp_path):
    def script(connection):
        while connection.read_request():
            time.sleep(0.02)
            connection.answer("hello", fields="X-Out: out\r\n")
    pattern = "'%a|%P|%r|%s|%b|%T|%Tf|%D|%{X-In}i|%{X-Out}o|%{X-None}i|%%|%t'"
    running = gateway(config(upstream(script).url, into(tmp_path, pattern)))
    get(running.port(), "/x", "X-In: in\r\n")
    fields = lines(running)[0].split("|")
    assert fields[0] == "127.0.0.1"
    assert fields[1] == f"<{running.gateway_pid()}>"
    assert fields[2:4] == ["GET /x HTTP/1.1", "200"]
    assert int(fields[4]) >= 5
    assert fields[5] == "0" and 0.02 <= float(fields[6]) < 5 and 20_000 <= int(fields[7]) < 5_000_000
    assert fields[8:12] == ["in", "out", "-", "%"]
    assert re.search(r"\d{4}", fields[12])


def test_off_and_per_route(gateway, upstream, tmp_path):
    peer = upstream()
    own = tmp_path / "own.log"
    running = gateway(f"""
access_log: {into(tmp_path, "json")}
listen: 127.0.0.1:0
routes:
  - {{ path: /quiet, access_log: off, upstream: "{peer.url}" }}
  - {{ path: /own, access_log: {{ format: '%r', output: {own} }}, upstream: "{peer.url}" }}
  - {{ path: /*, upstream: "{peer.url}" }}
""")
    for path in ("/quiet", "/own", "/last"):
        assert get(running.port(), path).status == 200
    found = lines(running)
    assert len(found) == 1 and "/last" in found[0]
    assert eventually(lambda: own.exists() and own.read_text(), what="the route's own log") == "GET /own HTTP/1.1\n"


def test_a_line_cannot_be_forged(gateway, upstream, tmp_path):
    running = gateway(config(upstream().url, into(tmp_path, "'%{User-Agent}i %r'")))
    get(running.port(), '/x%0aFORGED', 'User-Agent: a"b\x9b\r\n')
    assert len(lines(running)) == 1


def test_a_blocked_pipe_blocks_nobody(gateway, upstream, tmp_path):
    """Nobody reads the log: lines are dropped, requests are served."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    running = gateway(config(upstream().url, f"{{ format: json, output: {fifo} }}"))
    with RawClient(running.port()) as client:
        start = time.monotonic()
        for _ in range(3000):
            assert client.get("/" + "x" * 200).status == 200
        assert time.monotonic() - start < 30
    os.close(reader)
    assert get(running.port()).status == 200, "a reader that is gone ends nothing"


def test_the_log_file_is_opened_anew_on_sigusr1(gateway, upstream, tmp_path):
    import signal
    running = gateway(config(upstream().url, into(tmp_path, "'%r'")))
    get(running.port(), "/one")
    lines(running)
    running.access_log_path.rename(tmp_path / "old.log")
    running.process.send_signal(signal.SIGUSR1)

    def moved():
        get(running.port(), "/two")
        return running.access_log_path.exists() and running.access_log_path.read_text()
    eventually(moved, what="the new file")
    assert (tmp_path / "old.log").read_text().startswith("GET /one")


@pytest.mark.parametrize("failure, code", [("refused", "connection_refused"), ("cut", "connection_terminated")])
def test_the_reason_of_a_failure_is_in_the_line(gateway, upstream, tmp_path, failure, code):
    def script(connection):
        connection.read_request()
    url = f"http://127.0.0.1:{unused_port()}" if failure == "refused" else upstream(script).url
    running = gateway(config(url, into(tmp_path, "json")))
    assert get(running.port(), method="POST").status == 502
    line = json.loads(lines(running)[0])
    assert (line["status"], line["reason"]) == (502, code)
