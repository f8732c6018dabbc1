"""What a service manager is told (sd_notify(3)), and what it keeps over a restart of the service."""

import array
import os
import re
import signal
import socket
import ssl
import time

import pytest

from support.gateway import eventually
from support.tls import ask, client_context, connect, key, pem

KEYS = "martlet-session-keys"
CONFIG = """
listen: 127.0.0.1:0
drain_timeout: 7s
routes: [ {{ path: /*, respond: 200 }} ]
{more}
"""


class Manager:
    """The socket of a service manager: messages in their order, with the descriptors that came with them."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path if not str(path).startswith("@") else "\0" + path[1:])
        self.socket.settimeout(0.05)
        self.messages: list[dict[str, str]] = []
        self.kept: dict[str, int] = {}

    def read(self) -> list[dict[str, str]]:
        while True:
            try:
                text, control, _, _ = self.socket.recvmsg(65_536, socket.CMSG_SPACE(64))
            except TimeoutError:
                return self.messages
            message = dict(line.split("=", 1) for line in text.decode().split("\n"))
            for level, kind, data in control:
                assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                (number,) = array.array("i", data)
                assert message["FDSTORE"] == "1" and message["FDNAME"] not in self.kept, "what is kept was not removed before"
                self.kept[message["FDNAME"]] = number
            if message.get("FDSTOREREMOVE") == "1" and message["FDNAME"] in self.kept:
                os.close(self.kept.pop(message["FDNAME"]))
            self.messages.append(message)

    def wait(self, key: str, after: int = 0, seconds: float = 10) -> tuple[int, dict[str, str]]:
        """The first message with this key, and the place behind it."""
        def look():
            return next(((index + 1, message) for index, message in enumerate(self.read()) if index >= after and key in message), None)
        return eventually(look, seconds, f"{key} in {self.messages}")

    def close(self):
        self.socket.close()
        for number in self.kept.values():
            os.close(number)


@pytest.fixture
def manager(tmp_path, request):
    made = Manager(str(tmp_path / "notify") if getattr(request, "param", "path") == "path" else f"@martlet-test-{os.getpid()}")
    yield made
    made.close()


@pytest.mark.parametrize("manager", ["path", "abstract"], indirect=True)
def test_a_life_is_told_step_by_step(gateway, manager):
    running = gateway(CONFIG.format(more=""), environment={"NOTIFY_SOCKET": manager.path})
    at, message = manager.wait("READY")
    assert message == {"READY": "1", "STATUS": "Serving, generation 1"}
    before = time.monotonic_ns() // 1000
    assert running.reload()
    at, message = manager.wait("RELOADING", at)
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    at, message = manager.wait("READY", at)
    assert message["STATUS"] == "Serving, generation 2"

    running.write("listen: nonsense\n")
    assert not running.reload()
    at, _ = manager.wait("RELOADING", at)
    at, message = manager.wait("READY", at)
    assert re.match(r"Serving, generation 2; the last reload failed: \S+martlet\.yaml:1:9: error: `nonsense` lacks the port$", message["STATUS"]), message

    running.process.send_signal(signal.SIGTERM)
    at, message = manager.wait("STOPPING", at)
    assert int(message["EXTEND_TIMEOUT_USEC"]) == 17_000_000
    assert running.process.wait(10) == 0
    assert all("WATCHDOG" not in message and "FDSTORE" not in message for message in manager.read())


def test_the_gateway_process_knows_nothing_of_the_manager(gateway, manager):
    running = gateway(CONFIG.format(more=""), environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "60000000"})
    manager.wait("READY")
    with open(f"/proc/{running.gateway_pid()}/environ") as environment:
        assert "NOTIFY_SOCKET" not in environment.read()


def test_the_watchdog_is_fed_while_every_worker_turns(gateway, manager):
    # Without `hang_timeout` the supervisor itself does nothing about a gateway that hangs.
    running = gateway(CONFIG.format(more="hang_timeout: off"), environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"})
    at, _ = manager.wait("READY")
    began = time.monotonic()
    at, _ = manager.wait("WATCHDOG", at)
    at, _ = manager.wait("WATCHDOG", at)
    assert time.monotonic() - began > 3.5
    os.kill(running.gateway_pid(), signal.SIGSTOP)
    try:
        # One may be on its way; the next two would come within 4 s.
        time.sleep(2.5)
        at = len(manager.read())
        time.sleep(4.5)
        assert len(manager.read()) == at
    finally:
        os.kill(running.gateway_pid(), signal.SIGCONT)
    manager.wait("WATCHDOG", at)


def test_a_watchdog_for_another_process_is_not_fed(gateway, manager):
    gateway(CONFIG.format(more=""), environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"})
    at, _ = manager.wait("READY")
    time.sleep(1)
    assert len(manager.read()) == at


def test_a_crash_of_the_gateway_process_ends_a_reload(gateway, manager):
    running = gateway(CONFIG.format(more=""), environment={"NOTIFY_SOCKET": manager.path})
    running.crash_expected = True
    at, _ = manager.wait("READY")
    old = running.gateway_pid()
    os.kill(old, signal.SIGSTOP)
    running.process.send_signal(signal.SIGHUP)
    at, _ = manager.wait("RELOADING", at)
    os.kill(old, signal.SIGKILL)
    manager.wait("READY", at)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_sessions_are_resumed_after_a_restart_of_the_service(gateway, manager, version):
    config = f"""
listeners: {{ default: {{ bind: "127.0.0.1:0", tls: {{ certificates: {{ cert: "{pem('ecdsa')}", key: "{key('ecdsa')}" }} }} }} }}
routes: [ {{ path: /*, respond: 200 }} ]
"""
    context = client_context(minimum_version=version, maximum_version=version)
    first = gateway(config, environment={"NOTIFY_SOCKET": manager.path})
    with connect(first.port(), context=context) as client:
        assert ask(client)[0] == 200
        session = client.session
    manager.wait("FDSTORE")
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(10) == 0

    # As the manager starts it: what it kept is descriptor 3, and LISTEN_PID is the process itself.
    shell = f'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={KEYS}; exec "$@" 3<&{manager.kept[KEYS]}'
    second = gateway(config, environment={"NOTIFY_SOCKET": manager.path}, wrapper=["/bin/bash", "-c", shell, "bash"], inherited=[manager.kept[KEYS]])
    with connect(second.port(), context=context, session=session) as client:
        assert ask(client)[0] == 200 and client.session_reused
    # Without them it is not.
    third = gateway(config)
    with connect(third.port(), context=context, session=session) as client:
        assert ask(client)[0] == 200 and not client.session_reused
