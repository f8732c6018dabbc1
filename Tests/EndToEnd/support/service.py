"""A service of the `services` folder as a process of its own."""

import subprocess
import sys
from pathlib import Path

from support.gateway import eventually


class Service:
    """Started with a file to write its port to."""

    def __init__(self, script: str, folder: Path):
        self.port_file = folder / "port"
        self.log_path = folder / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).parents[1] / "services" / script), str(self.port_file)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self) -> "Service":
        def port():
            assert self.process.poll() is None, self.log_path.read_text()
            return self.port_file.exists() and self.port_file.read_text()
        self.port = int(eventually(port, 30, "the service's port"))
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
