"""The admin socket, and the commands that use it."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from support.gateway import eventually
from support.raw import get

OPENAPI = Path(__file__).resolve().parents[2] / "docs/openapi.json"


def config(folder: Path, stamp: int = 1, bind: str | None = None, more: str = "") -> str:
    return f"""
workers: 2
admin: {{ bind: {bind or f'"unix:{folder}/admin.sock"'} }}
listen: 127.0.0.1:0
{more}
upstreams:
  users: {{ endpoints: ["http://127.0.0.1:1", {{ url: "http://127.0.0.1:2", weight: 3, backup: true }}] }}
routes:
  - {{ name: stamp, path: /stamp, respond: {{ text: "{stamp}" }} }}
  - {{ name: user, path: "/users/{{id}}", host: "*.example.com", methods: [GET], upstream: users }}
  - {{ name: own, path: /v1/status, respond: {{ text: "a route's own" }} }}
"""


def ask(path: Path, target: str, method: str = "GET", headers: str = "", accept: str = "application/json"):
    """Status, fields and content."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n{headers}{length}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body


def told(path: Path, target: str) -> dict:
    status, fields, body = ask(path, target)
    assert status == 200 and fields["content-type"] == "application/json", (status, fields)
    return json.loads(body)


@pytest.fixture
def administered(gateway, tmp_path):
    running = gateway(config(tmp_path))
    running.admin = tmp_path / "admin.sock"
    return running


def command(martlet, *arguments, user: int | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([martlet, *map(str, arguments)], capture_output=True, text=True, timeout=60, user=user, cwd="/")


# What is said


def schema_errors(value, schema: dict, components: dict, place: str = "") -> list[str]:
    """What of `value` the schema does not allow: the part of JSON Schema that the document uses, with no unknown members."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    if not any(type(value) is types[kind] for kind in kinds):
        return [f"{place}: {value!r} is no {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{place}: {value!r} is none of {schema['enum']}"]
    if isinstance(value, list):
        return [error for number, item in enumerate(value) for error in schema_errors(item, schema["items"], components, f"{place}/{number}")]
    if isinstance(value, dict):
        errors = [f"{place}: no {name}" for name in schema["required"] if name not in value]
        errors += [f"{place}: unknown {name}" for name in value if name not in schema["properties"]]
        for name in value.keys() & schema["properties"].keys():
            errors += schema_errors(value[name], schema["properties"][name], components, f"{place}/{name}")
        return errors
    return []


def test_answers_are_as_the_openapi_document_says(martlet, administered):
    document = json.loads(OPENAPI.read_text())
    components = document["components"]["schemas"]
    assert command(martlet, "reload", "--socket", administered.admin).returncode == 0
    checked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            status, fields, body = ask(administered.admin, path, method.upper())
            content = operation["responses"][str(status)]["content"]
            kind = fields["content-type"].split(";")[0]
            assert kind in content, (path, fields)
            if kind == "application/json":
                assert schema_errors(json.loads(body), content[kind]["schema"], components, path) == []
                checked += 1
            status, fields, _ = ask(administered.admin, path, "PUT")
            assert status == 405, path
    assert checked == 5


def test_a_schema_of_the_check_refuses_what_it_should():
    components = json.loads(OPENAPI.read_text())["components"]["schemas"]
    good = {"outcome": "refused", "generation": 1, "time": 1, "milliseconds": 1, "report": "", "restart": []}
    reload = {"$ref": "#/components/schemas/Reload"}
    assert schema_errors(good, reload, components) == []
    for name in good:
        assert schema_errors({key: value for key, value in good.items() if key != name}, reload, components)
    for change in [{"outcome": "maybe"}, {"generation": "1"}, {"restart": [1]}, {"more": 1}, {"time": True}]:
        assert schema_errors({**good, **change}, reload, components), change


def test_status_names_the_process_and_its_listeners(administered):
    status = told(administered.admin, "/v1/status")
    assert status["pid"] == administered.gateway_pid()
    assert status["state"] == "serving" and status["workers"] == 2 and status["generation"] == 1
    assert {listener["name"]: listener["address"] for listener in status["listeners"]} == {
        "default": f"127.0.0.1:{administered.port()}", "admin": f"unix:{administered.admin}"}
    assert status["last_reload"] is None


def test_routes_and_upstreams(administered):
    routes = {route["name"]: route for route in told(administered.admin, "/v1/routes")["routes"]}
    assert routes.keys() == {"stamp", "user", "own"}
    user = routes["user"]
    assert user["hosts"] == ["*.example.com"] and user["path"] == "/users/{id}" and user["methods"] == ["GET"]
    assert user["action"] == "upstream" and user["upstream"] == "users"
    assert user["file"].endswith("martlet.yaml") and user["line"] > 1
    for _ in range(3):
        assert get(administered.port(), "/users/1", host="a.example.com").status == 502
    (upstream,) = told(administered.admin, "/v1/upstreams")["upstreams"]
    first, second = upstream["endpoints"]
    assert first["url"] == "http://127.0.0.1:1" and first["state"] == "set_aside" and first["addresses"] == ["127.0.0.1:1"]
    assert second["weight"] == 3 and second["backup"] is True
    assert upstream["requests"] == 0 and upstream["max_connections"] == 1024


def test_metrics_are_there_too(administered):
    status, fields, body = ask(administered.admin, "/metrics", accept="*/*")
    assert status == 200 and fields["content-type"].startswith("text/plain; version=0.0.4")
    assert b"\nmartlet_workers 2\n" in body


def test_the_routers_do_not_mix(administered):
    assert get(administered.port(), "/v1/status").body == b"a route's own"
    assert get(administered.port(), "/v1/reload").status == 404
    assert ask(administered.admin, "/stamp")[0] == 404


def test_only_the_owner_may_use_a_socket_without_a_mode(administered):
    assert stat.S_IMODE(os.stat(administered.admin).st_mode) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run a command as somebody else")
def test_a_command_without_permission_says_so(martlet, gateway):
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    folder.chmod(0o755)
    try:
        gateway(config(folder))
        ended = command(martlet, "status", "--socket", folder / "admin.sock", user=65534)
        assert ended.returncode == 1 and ended.stdout == ""
        assert f"no permission for {folder}/admin.sock" in ended.stderr
    finally:
        (folder / "admin.sock").unlink(missing_ok=True)
        folder.rmdir()


def test_mode_of_the_socket(gateway, tmp_path):
    gateway(config(tmp_path, bind=f'{{ unix: "{tmp_path}/admin.sock", mode: "0660" }}'))
    assert stat.S_IMODE(os.stat(tmp_path / "admin.sock").st_mode) == 0o660


# Commands


def test_status_command(martlet, administered):
    ended = command(martlet, "status", "--config", administered.config_path)
    assert ended.returncode == 0 and ended.stderr == ""
    assert f"pid {administered.gateway_pid()}, serving for" in ended.stdout
    assert f"listener default: 127.0.0.1:{administered.port()}" in ended.stdout
    as_json = command(martlet, "status", "--json", "--socket", administered.admin)
    assert json.loads(as_json.stdout)["pid"] == administered.gateway_pid()


def test_commands_without_a_gateway_say_so(martlet, tmp_path):
    for name in ["status", "reload"]:
        ended = command(martlet, name, "--socket", tmp_path / "none.sock")
        assert ended.returncode == 1 and ended.stdout == ""
        assert ended.stderr.startswith(f"no gateway answers at {tmp_path}/none.sock: is one running")
    (tmp_path / "plain.yaml").write_text("listen: 127.0.0.1:0\nroutes: [{ path: /*, respond: { text: hi } }]\n")
    ended = command(martlet, "status", "--config", tmp_path / "plain.yaml")
    assert ended.returncode == 1 and "names no admin socket" in ended.stderr


def test_reload_waits_until_every_worker_serves_with_it(martlet, administered, tmp_path):
    for stamp in range(2, 8):
        administered.write(config(tmp_path, stamp))
        ended = command(martlet, "reload", "--config", administered.config_path)
        assert ended.returncode == 0 and ended.stderr == "", ended
        assert re.fullmatch(rf"generation {stamp} is in force after \d+ ms\n", ended.stdout), ended
        assert {get(administered.port(), "/stamp").body for _ in range(8)} == {str(stamp).encode()}
    reloads = told(administered.admin, "/v1/reloads")["reloads"]
    assert [reload["generation"] for reload in reloads] == list(range(2, 8))


def test_a_bad_file_is_told_as_check_tells_it_and_changes_nothing(martlet, administered, tmp_path):
    administered.write(config(tmp_path, 2) + "  - { path: /x, upstream: nowhere }\n  - { path: /y, upstrem: users }\n")
    checked = command(martlet, "check", "--config", administered.config_path)
    ended = command(martlet, "reload", "--config", administered.config_path)
    assert checked.returncode == 1 and ended.returncode == 1
    assert ended.stdout == "" and ended.stderr == checked.stderr and "nowhere" in ended.stderr
    assert get(administered.port(), "/stamp").body == b"1"
    last = told(administered.admin, "/v1/status")["last_reload"]
    assert last["outcome"] == "refused" and last["generation"] == 1 and last["report"] == checked.stderr
    administered.write(config(tmp_path, 3))
    assert command(martlet, "reload", "--config", administered.config_path).returncode == 0
    assert get(administered.port(), "/stamp").body == b"3"


def test_what_needs_a_restart_is_named(martlet, administered, tmp_path):
    administered.write(config(tmp_path, 2).replace("workers: 2", "workers: 3"))
    ended = command(martlet, "reload", "--socket", administered.admin)
    assert ended.returncode == 0
    assert "! workers: changes only with a restart\n" in ended.stdout


def test_reloads_at_once_all_get_an_answer(martlet, administered, tmp_path):
    administered.write(config(tmp_path, 2))
    running = [subprocess.Popen([martlet, "reload", "--socket", administered.admin], stdout=subprocess.PIPE) for _ in range(8)]
    ended = [process.communicate(timeout=60)[0] for process in running]
    assert all(process.returncode == 0 for process in running), ended
    assert get(administered.port(), "/stamp").body == b"2"


def test_a_signal_is_a_reload_like_any_other(administered, tmp_path):
    assert administered.reload(config(tmp_path, 2))
    assert not administered.reload("listen: [")
    reloads = told(administered.admin, "/v1/reloads")["reloads"]
    assert [reload["outcome"] for reload in reloads] == ["in_force", "refused"]


def test_the_socket_outlives_a_crash_and_goes_with_the_gateway(administered):
    pid = administered.gateway_pid()
    administered.crash_expected = True
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: told(administered.admin, "/v1/status")["pid"] != pid)
    administered.terminate()
    administered.wait()
    assert not administered.admin.exists()
