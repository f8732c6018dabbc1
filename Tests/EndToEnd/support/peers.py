"""nginx and HAProxy as processes of their own."""

import os
import signal
import socket
import subprocess
import time

from support.gateway import eventually
from support.tls import key, pem


def unused_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def pair(folder) -> str:
    """Certificate and key in one file, as both like it."""
    path = folder / "pair.pem"
    path.write_text(open(pem("ecdsa")).read() + open(key("ecdsa")).read())
    return str(path)


def nginx_config(folder, inside: str) -> str:
    """A whole configuration with `inside` in its `http` block."""
    return f"""
daemon off;
user root root;
pid {folder}/nginx.pid;
worker_processes 1;
events {{}}
error_log {folder}/error.log info;
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{inside}
}}
"""


class PeerProcess:
    """One of them in the foreground, until `ports` take connections."""

    def __init__(self, kind: str, folder, text: str, ports: list[int]):
        self.kind = kind
        path = folder / f"{kind}.conf"
        path.write_text(text)
        self.pid_path = folder / "nginx.pid"
        if kind == "nginx":
            command = ["nginx", "-p", folder, "-e", folder / "error.log", "-c", path]
        else:
            command = ["haproxy", "-W", "-db", "-f", path]
        self.log = open(folder / "peer.log", "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for port in ports:
            eventually(lambda: self.process.poll() is not None or not socket.socket().connect_ex(("127.0.0.1", port)), 10, f"{kind} on {port}")
        assert self.process.poll() is None, (folder / "peer.log").read_text()

    def reload(self) -> None:
        """New workers take over; old ones end with what they have, and are waited for."""
        before = self.workers()
        # HAProxy hears nothing while it is still about the last one.
        asked = 0.0

        def is_done() -> bool:
            nonlocal asked
            if not self.workers() - before and time.monotonic() > asked + 1:
                os.kill(self.process.pid, signal.SIGHUP if self.kind == "nginx" else signal.SIGUSR2)
                asked = time.monotonic()
            return bool(self.workers() - before) and not self.workers() & before
        eventually(is_done, 20, "a new worker in place of the old one")

    def workers(self) -> set[int]:
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as listing:
            return {int(word) for word in listing.read().split()}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
