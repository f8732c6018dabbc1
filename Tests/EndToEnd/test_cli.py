"""The command line."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from support.raw import RawClient, get
from support.gateway import eventually
from support.websocket import TEXT, frame, read_frame, upgrade

REPOSITORY = Path(__file__).parents[2]

GOOD = """
listen: 127.0.0.1:8080
upstreams:
  users: { endpoints: ["http://127.0.0.1:9000"] }
middleware:
  limit: { rate_limit: { rate: 10/s, burst: 20, key: client_ip } }
routes:
  - name: user
    path: /users/{id}
    methods: [GET]
    middleware: [limit]
    upstream: users
  - path: /*
    upstream: http://127.0.0.1:9001
"""

BAD = """
listen: 127.0.0.1:8080
drain_timeout: 30
routes:
  - path: /users/{id
    upstream: users
  - path: /*
    upstrem: http://127.0.0.1:9001
"""


@pytest.fixture
def run(martlet, tmp_path):
    def call(*arguments: str, config: str | None = None) -> subprocess.CompletedProcess:
        if config is not None:
            (tmp_path / "martlet.yaml").write_text(config)
        return subprocess.run([martlet, *arguments], capture_output=True, text=True, cwd=tmp_path, timeout=30, stdin=subprocess.DEVNULL)
    return call


def test_version(run):
    done = run("--version")
    assert done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout)


def test_help(run):
    done = run("--help")
    assert done.returncode == 0
    for command in ("run", "proxy", "check", "routes", "explain", "schema", "reference", "demo"):
        assert command in done.stdout


def test_an_unknown_command(run):
    assert run("dance").returncode == 64


def test_check_of_a_good_file(run):
    done = run("check", "--config", "martlet.yaml", config=GOOD)
    assert done.returncode == 0, done.stderr


def test_check_of_a_bad_file_says_everything(run):
    done = run("check", "--config", "martlet.yaml", config=BAD)
    assert done.returncode == 1
    text = done.stdout + done.stderr
    for place in ("martlet.yaml:3:", "martlet.yaml:5:", "martlet.yaml:8:"):
        assert place in text, text
    assert "^" in text and "30s" in text and "upstream" in text


def test_check_of_a_missing_file(run):
    done = run("check", "--config", "none.yaml")
    assert done.returncode == 1 and "none.yaml" in done.stdout + done.stderr


def test_routes(run):
    done = run("routes", "--config", "martlet.yaml", config=GOOD)
    assert done.returncode == 0, done.stderr
    assert "/users/{id}" in done.stdout and "user" in done.stdout and "/*" in done.stdout


def test_explain(run):
    done = run("explain", "GET", "http://any.test/users/7?x=1", "--config", "martlet.yaml", config=GOOD)
    assert done.returncode == 0, done.stderr
    for expected in ("user", "limit", "users", "martlet.yaml:8", "martlet.yaml:6", "martlet.yaml:4"):
        assert expected in done.stdout, done.stdout
    other = run("explain", "POST", "/users/7", "--config", "martlet.yaml")
    assert "127.0.0.1:9001" in other.stdout, other.stdout


def test_schema_is_json_schema(run):
    done = run("schema")
    schema = json.loads(done.stdout)
    assert done.returncode == 0 and "json-schema.org" in schema["$schema"]
    for part in schema["$ref"].removeprefix("#/").split("/"):
        schema = schema[part]
    assert {"listen", "routes", "upstreams", "middleware", "defaults", "include"} <= set(schema["properties"])


def test_the_generated_pages_are_fresh(run):
    page = (REPOSITORY / "docs/configuration.md").read_text()
    assert page.endswith(run("reference").stdout), "run `make docs`"
    assert json.loads(run("schema").stdout) == json.loads((REPOSITORY / "config/martlet.schema.json").read_text()), "run `make docs`"


SHIPPED = [REPOSITORY / "config/martlet.yaml", *sorted((REPOSITORY / "config/examples").glob("*.yaml"))]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configurations_are_valid(martlet, path, tmp_path):
    """With the environment and the credentials that they name."""
    for name in re.findall(r"\$\{credential:([^}]+)\}", path.read_text()):
        (tmp_path / name).write_text("s3cret\n")
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path), "USERS_URL": "http://10.0.0.1:9000", "API_TOKEN": "t0ken",
                   "CERTIFICATES": str(REPOSITORY / "Tests/TLSTests/Fixtures")}
    done = subprocess.run([martlet, "check", "--config", str(path)], capture_output=True, text=True, cwd=path.parent,
                          env=environment, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_examples():
    assert len(list((REPOSITORY / "config/examples").glob("*.yaml"))) >= 8


def started(command: list[str], folder: Path, name: str):
    log = folder / f"{name}.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder)

    def port():
        assert process.poll() is None, log.read_text()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text())
        return found and int(found[1])
    return process, eventually(port, 15, f"the port of {name}")


def ended(process) -> int:
    process.terminate()
    try:
        return process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def test_proxy_without_a_file(martlet, upstream, tmp_path):
    peer = upstream()
    process, port = started([martlet, "proxy", "--from", "127.0.0.1:0", "--to", peer.url], tmp_path, "proxy")
    try:
        assert get(port, "/x").status == 200
        assert peer.requests[0].target == "/x"
    finally:
        assert ended(process) == 0


def test_the_demo_service(martlet, tmp_path):
    """Echo, stream and WebSocket of the embedded upstream, through `martlet proxy`."""
    demo, demo_port = started([martlet, "demo", "--bind", "127.0.0.1:0"], tmp_path, "demo")
    try:
        process, port = started([martlet, "proxy", "--from", "127.0.0.1:0", "--to", f"http://127.0.0.1:{demo_port}"], tmp_path, "proxy")
        try:
            with RawClient(port) as client:
                client.send("POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello")
                response = client.read_response()
                assert response.status == 200 and b"hello" in response.body
            with RawClient(port) as client:
                assert upgrade(client, "/ws").status == 101
                client.send(frame(TEXT, b"hello"))
                assert read_frame(client) == (TEXT, b"hello")
            with RawClient(port) as client:
                client.send("GET /sse HTTP/1.1\r\nHost: a.test\r\n\r\n")
                assert client.read_head().get("content-type").startswith("text/event-stream")
                client.until(b"data:")
        finally:
            assert ended(process) == 0
    finally:
        assert ended(demo) in (0, -signal.SIGTERM)
