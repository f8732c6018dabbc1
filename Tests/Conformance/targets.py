"""The gateways that the table is run against, each with one listener and one upstream for every slot."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "EndToEnd"))

from support.gateway import Gateway  # noqa: E402


def unused_ports(count: int) -> list[int]:
    """Ports for programs that cannot say which they got: bound together for a moment, so that all differ."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Martlet:
    name = "Martlet"

    def __init__(self, binary: str, folder: Path, upstreams: list[int]):
        text = (FOLDER / "martlet.yaml").read_text()
        listeners = "".join(f"  s{index}: {{ bind: 127.0.0.1:0, timeouts: {{ head: 5m, body_idle: 5m }} }}\n" for index in range(len(upstreams)))
        routes = "".join(
            f"  - {{ listeners: s{index}, path: /*, trailers: [X-Sum], upstream: \"http://127.0.0.1:{port}\" }}\n"
            f"  - {{ listeners: s{index}, path: /limited, middleware: [{{ body_limit: 10B }}], upstream: \"http://127.0.0.1:{port}\" }}\n"
            for index, port in enumerate(upstreams))
        self.gateway = Gateway(binary, folder, text.replace("@LISTENERS@", listeners).replace("@ROUTES@", routes)).start()
        self.ports = [self.gateway.port(f"s{index}") for index in range(len(upstreams))]
        self.pid = self.gateway.gateway_pid()
        self.version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def processes(self) -> list[int]:
        return [self.gateway.gateway_pid()]

    def close(self) -> list[str]:
        return self.gateway.close()


class Peer:
    """nginx or HAProxy: a program in the foreground with a configuration of this folder."""

    def __init__(self, folder: Path, upstreams: list[int]):
        self.ports = unused_ports(len(upstreams))
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        config = self.configure(folder, upstreams)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command(folder, config), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.wait()

    def configure(self, folder: Path, upstreams: list[int]) -> Path:
        text = (FOLDER / self.template).read_text()
        head, each = text.split("# for each slot\n")
        each, tail = each.split("# end\n")
        slots = "".join(each.replace("@SLOT@", str(index)).replace("@PORT@", str(self.ports[index])).replace("@UPSTREAM@", str(port))
                        for index, port in enumerate(upstreams))
        target = folder / self.template
        target.write_text((head + slots + tail).replace("@FOLDER@", str(folder)))
        return target

    def wait(self) -> None:
        end = time.monotonic() + 20
        for port in self.ports:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
                    time.sleep(0.02)

    def processes(self) -> list[int]:
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return [self.process.pid, *map(int, children.read().split())]

    def close(self) -> list[str]:
        self.process.terminate()
        self.process.wait(20)
        return []


class Nginx(Peer):
    name = "nginx"
    template = "nginx.conf"

    def __init__(self, folder: Path, upstreams: list[int]):
        super().__init__(folder, upstreams)
        said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
        self.version = re.search(r"nginx/(\S+)", said)[0]

    def command(self, folder: Path, config: Path) -> list[str]:
        # As root it would change its user, who could not write here.
        user = " user root;" if os.geteuid() == 0 else ""
        return [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", str(folder), "-c", str(config), "-g", "daemon off;" + user]


class HAProxy(Peer):
    name = "HAProxy"
    template = "haproxy.cfg"

    def __init__(self, folder: Path, upstreams: list[int]):
        super().__init__(folder, upstreams)
        said = subprocess.run([self.program(), "-v"], capture_output=True, text=True, check=True).stdout
        self.version = "HAProxy " + re.search(r"version (\S+)", said)[1]

    def program(self) -> str:
        return shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")

    def command(self, folder: Path, config: Path) -> list[str]:
        return [self.program(), "-db", "-f", str(config)]


class Relay:
    """No gateway at all: bytes go through as they are. What the judges must be able to fail."""
    name = "relay"
    version = "none"

    def __init__(self, upstreams: list[int]):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.servers = [asyncio.run_coroutine_threadsafe(self.listen(port), self.loop).result(5) for port in upstreams]
        self.ports = [server.sockets[0].getsockname()[1] for server in self.servers]

    async def listen(self, port: int) -> asyncio.Server:
        async def serve(reader, writer):
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(self.copy(reader, other_writer), self.copy(other_reader, writer))
        return await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    def processes(self) -> list[int]:
        return [os.getpid()]

    def close(self) -> list[str]:
        for server in self.servers:
            self.loop.call_soon_threadsafe(server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        return []
