"""Starts and ends the programs of a benchmark run, each pinned to its core."""

import functools
import hashlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import time

import measure

PROXY_CORE = 0
LOAD_CORE = 1
API_KEY = "benchmark-key"
# One suite for everybody, and one ticket for a handshake; HAProxy has no option for the latter and gives two.
SUITE = "TLS_AES_128_GCM_SHA256"
# What Martlet's listener with TLS speaks.
MARTLET_PROTOCOLS = "[h2, http/1.1]"


def raise_file_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fill(template: str, target: str, values: dict[str, object]) -> str:
    """Writes a configuration of this folder with its @NAME@s filled in."""
    with open(os.path.join(measure.FOLDER, template)) as file:
        text = file.read()
    text = re.sub(r"@([A-Z_]+)@", lambda match: str(values.get(match[1], match[0])), text)
    with open(target, "w") as file:
        file.write(text)
    return target


class Program:
    """A process of ours: ended when the `with` block ends, with everything it started."""

    def __init__(self, name: str, command: list[str], core: int, port: int | None, environment: dict[str, str] | None = None,
                 errors: str | None = None):
        self.name = name
        self.errors = errors
        self.port = port or 0
        stderr = open(errors, "wb") if errors else subprocess.DEVNULL
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
            env={**os.environ, **(environment or {})}, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.stdout:
            self.process.stdout.close()
        return self.process.wait()

    def pids(self) -> list[int]:
        return measure.children(self.process.pid)

    def cpu_seconds(self) -> float:
        return measure.cpu_seconds(self.pids())

    def worker(self) -> int:
        """The process that serves: the youngest descendant."""
        return self.pids()[-1]

    def read_port(self) -> "Program":
        """For our own programs, which print the port they got."""
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        if not ready:
            raise RuntimeError(f"{self.name} printed no port")
        self.port = int(self.process.stdout.readline())
        return self

    def wait_port(self, seconds: float = 20) -> "Program":
        """Until the port that was given accepts."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.error_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen: {self.error_text()}")

    def wait_listening(self, seconds: float = 60) -> "Program":
        """Until Martlet has said on stderr where it listens."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(r"listening on https?://127\.0\.0\.1:(\d+)", self.error_text())
            if found:
                self.port = int(found[1])
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not listen: {self.error_text()}")

    def error_text(self) -> str:
        if not self.errors:
            return ""
        with open(self.errors, errors="replace") as file:
            return file.read()


class Bench:
    """The folder of one run, its upstream and its proxies."""

    def __init__(self, martlet: str, folder: str, programs: str):
        self.martlet = os.path.abspath(martlet)
        self.folder = folder
        self.programs = programs
        self.files = raise_file_limit()
        self.counters = measure.Counters(os.path.join(folder, "upstream.counters"), ("connections", "requests", "messages"))
        self.upstream = self.start_upstream("upstream", self.counters)
        self.calls = measure.Counters(os.path.join(folder, "grpc.counters"), ("connections", "requests"))
        self.grpc = self.start_upstream("upstream-grpc", self.calls)

    def start_upstream(self, name: str, counters: measure.Counters) -> Program:
        return Program(name, [os.path.join(self.programs, name), counters.path], LOAD_CORE, None).read_port()

    def close(self) -> None:
        self.upstream.stop()
        self.grpc.stop()

    @functools.cached_property
    def certificate(self) -> tuple[str, str]:
        """Files of an ECDSA P-256 certificate that signs itself, and of its key; the first has both, as HAProxy wants it."""
        both, key = os.path.join(self.folder, "certificate.pem"), os.path.join(self.folder, "certificate.key")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256", "-days", "30",
                   "-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test", "-keyout", key, "-out", both]
        subprocess.run(command, check=True, capture_output=True)
        with open(key) as file, open(both, "a") as target:
            target.write(file.read())
        return both, key

    def sub(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def martlet_config(self, name: str, template: str = "martlet.yaml", **values: object) -> str:
        key_hash = hashlib.sha256(API_KEY.encode()).hexdigest()
        given = {"UPSTREAM": self.upstream.port, "ACCESS_LOG": "off", "SECURITY": "", "KEY_HASH": key_hash, **values}
        return fill(template, os.path.join(self.sub(name), "martlet.yaml"), given)

    def martlet_tls_config(self, name: str, template: str = "martlet.yaml", **values: object) -> str:
        certificate, key = self.certificate
        security = f"tls: {{ certificates: {{ cert: {certificate}, key: {key} }} }}\n    protocols: {MARTLET_PROTOCOLS}"
        return self.martlet_config(name, template, SECURITY=security, **values)

    def start_martlet(self, name: str, config: str, wrapper: list[str] | None = None, single: bool = False, binary: str | None = None,
                      environment: dict[str, str] | None = None) -> Program:
        command = [*(wrapper or []), binary or self.martlet, "run", "--config", config, *(["--single-process"] if single else [])]
        errors = os.path.join(self.sub(name), "martlet.stderr")
        return Program(name, command, PROXY_CORE, None, environment, errors).wait_listening()

    def start_nginx(self, name: str, log: bool = False, wrapper: list[str] | None = None, tls: bool = False) -> Program:
        folder = self.sub(name)
        port = free_port()
        access_log = f"access_log {folder}/access.log json buffer=64k flush=1s;" if log else ""
        config = fill("nginx.conf", os.path.join(folder, "nginx.conf"), {
            "FILES": self.files, "FOLDER": folder, "UPSTREAM": self.upstream.port, "GRPC": self.grpc.port, "PORT": port,
            "ACCESS_LOG": access_log, "SECURITY": "ssl http2" if tls else "", "CERTIFICATE": self.nginx_tls() if tls else ""})
        # nginx as root changes its user, who could not write here.
        directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "") + (" master_process off;" if wrapper else "")
        command = [*(wrapper or []), "nginx", "-p", folder, "-c", config, "-g", directives]
        return Program(name, command, PROXY_CORE, port, errors=os.path.join(folder, "stderr")).wait_port()

    def nginx_tls(self) -> str:
        certificate, key = self.certificate
        return (f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_prefer_server_ciphers on; "
                f"ssl_conf_command Ciphersuites {SUITE}; ssl_conf_command NumTickets 1;")

    def start_haproxy(self, name: str, buffer: int = 16384, tls: bool = False, upstream: int = 0, protocol: str = "") -> Program:
        folder = self.sub(name)
        port = free_port()
        config = fill("haproxy.cfg", os.path.join(folder, "haproxy.cfg"), {
            "UPSTREAM": upstream or self.upstream.port, "PORT": port, "BUFFER": buffer, "PROTOCOL": protocol,
            "SECURITY": f"ssl crt {self.certificate[0]} alpn h2,http/1.1 ssl-min-ver TLSv1.3 ciphersuites {SUITE}" if tls else ""})
        return Program(name, ["haproxy", "-db", "-f", config], PROXY_CORE, port, errors=os.path.join(folder, "stderr")).wait_port()

    def start_relay(self, name: str) -> Program:
        return Program(name, [os.path.join(self.programs, "relay"), str(self.upstream.port)], PROXY_CORE, None).read_port()
