"""A gateway process with its configuration file, log and access log in a folder of its own."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

LISTENING = re.compile(r"listening on https?://(\S+?):(\d+) .*?listener=(\S+)")
RELOAD_ENDED = re.compile(r"(?:config published|reloaded).*generation=\d+|reload failed")


def eventually(condition, seconds: float = 10, what: str = "the condition"):
    """The first true value of `condition()`; fails when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true in {seconds} s"
        time.sleep(0.005)


class Gateway:
    def __init__(self, binary: str, folder: Path, config: str, arguments=(), environment=None, access_log: bool = True,
                 wrapper=(), own_log: Path | None = None, inherited=()):
        self.binary = binary
        self.folder = folder
        self.arguments = list(arguments)
        self.wrapper = list(wrapper)
        # Descriptors that its wrapper gets.
        self.inherited = list(inherited)
        self.environment = {**os.environ, **(environment or {})}
        self.config_path = folder / "martlet.yaml"
        self.log_path = folder / "martlet.log"
        self.access_log_path = folder / "access.log"
        self.access_log = access_log
        # Where the configuration sends the gateway's messages, when not to standard error.
        self.own_log = own_log
        self.process: subprocess.Popen | None = None
        self.ports: dict[str, int] = {}
        self.addresses: dict[str, tuple[str, int]] = {}
        self.write(config)

    def write(self, config: str) -> None:
        """Replaces the file in one step; adds the access log when the text says nothing about it."""
        if self.access_log and not re.search(r"^access_log:", config, re.MULTILINE):
            config += f"access_log: {{ format: json, output: {self.access_log_path} }}\n"
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(config)
        fresh.rename(self.config_path)

    def start(self) -> "Gateway":
        self.spawn()
        expected = self.expected_listeners()
        eventually(lambda: self.has_ended() or len(self.read_ports()) >= expected, 20, f"listening ({self.log_path})")
        assert not self.has_ended(), f"the gateway ended with {self.process.returncode}:\n{self.log()}"
        return self

    def spawn(self, output: int | None = None) -> subprocess.Popen:
        """Starts it; `output` takes what it would write to the log file of the test."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, self.binary, "run", "--config", str(self.config_path), *self.arguments], stdin=subprocess.DEVNULL,
                stdout=log if output is None else output, stderr=log if output is None else output, env=self.environment, cwd=self.folder, start_new_session=True,
                pass_fds=self.inherited)
        return self.process

    def expected_listeners(self) -> int:
        """TCP listeners, each of which the tests bind to one address."""
        text = self.config_path.read_text()
        return max(1, len(re.findall(r"(?:127\.0\.0\.\d|\[::1\]):0", text)))

    def read_ports(self) -> list[tuple[str, int, str]]:
        """Host, port and listener of every address."""
        found = [(host, int(port), name) for host, port, name in LISTENING.findall(self.log() + self.messages())]
        for host, port, name in found:
            self.ports.setdefault(name, port)
            self.addresses.setdefault(name, (host, port))
        return found

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def port(self, listener: str = "default") -> int:
        return self.ports[listener]

    def address(self, listener: str) -> tuple[str, int]:
        return self.addresses[listener]

    def url(self, path: str = "/", listener: str = "default") -> str:
        return f"http://127.0.0.1:{self.port(listener)}{path}"

    def log(self, offset: int = 0) -> str:
        with open(self.log_path, errors="replace") as file:
            file.seek(offset)
            return file.read()

    def messages(self) -> str:
        """What the gateway wrote to a log of its own."""
        return self.own_log.read_text(errors="replace") if self.own_log and self.own_log.exists() else ""

    def wait_log(self, pattern: str, offset: int = 0, seconds: float = 10) -> re.Match:
        return eventually(lambda: re.search(pattern, self.log(offset)), seconds, f"{pattern!r} in the log of {self.folder}")

    def entries(self, count: int = 1, seconds: float = 5) -> list[dict]:
        """The access log, once it has at least so many lines."""
        def read():
            if not self.access_log_path.exists():
                return []
            lines = self.access_log_path.read_text().splitlines()
            return lines if len(lines) >= count else []
        return [json.loads(line) for line in eventually(read, seconds, f"{count} access log lines")]

    def entry(self) -> dict:
        """The one line that the access log has."""
        lines = self.entries(1)
        assert len(lines) == 1, lines
        return lines[0]

    def supervisor(self) -> int:
        return self.process.pid

    def gateway_pid(self) -> int:
        """The process that serves: the supervisor's child."""
        def child():
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as listing:
                return listing.read().split()
        children = eventually(child, 5, "a gateway process")
        assert len(children) == 1, children
        return int(children[0])

    def resident(self) -> int:
        """Bytes of the serving process that are in memory."""
        return self.rollup("Rss")

    def held(self) -> int:
        """The same without the pages of files: those of its code come and go."""
        return self.rollup("Anonymous")

    def rollup(self, what: str) -> int:
        with open(f"/proc/{self.gateway_pid()}/smaps_rollup") as rollup:
            return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith(what + ":"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.gateway_pid()}/fd"))

    def reload(self, config: str | None = None, seconds: float = 10) -> bool:
        """SIGHUP, until the log says how it ended; true when the configuration was published."""
        if config is not None:
            self.write(config)
        offset = self.log_path.stat().st_size
        self.process.send_signal(signal.SIGHUP)
        return self.wait_log(RELOAD_ENDED.pattern, offset, seconds)[0] != "reload failed"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 10) -> int:
        return self.process.wait(seconds)

    def close(self) -> list[str]:
        """Ends what is left; says what was wrong with it."""
        problems = []
        if self.process is None:
            return problems
        if self.process.poll() is None:
            # At once, without a drain: what drains is tested where it matters.
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                problems.append(f"{self.folder}: SIGQUIT did not end the gateway")
        if re.search(r"Fatal error|Program crashed|the gateway process (?:was ended by signal|ended with exit code)", self.log()) and not self.crash_expected:
            problems.append(f"{self.folder}: the gateway crashed:\n{self.log()[-4000:]}")
        return problems

    crash_expected = False
