"""Requests in the background, while something happens to the gateway."""

import threading

from support.gateway import eventually
from support.raw import Ended, RawClient


class Traffic:
    """Clients on kept and on new connections by turns, for as long as the block runs.

    `refused` are connections that were not made and answers other than 200, `cut` what ended with a connection that stood.
    """

    def __init__(self, port: int, clients: int = 4):
        self.port = port
        self.served = 0
        self.refused: list[str] = []
        self.cut: list[str] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(index % 2 == 0,)) for index in range(clients)]

    @property
    def failures(self) -> list[str]:
        return self.refused + self.cut

    def __enter__(self) -> "Traffic":
        for thread in self.threads:
            thread.start()
        eventually(lambda: self.served > 50 or self.failures, 20, "traffic")
        return self

    def __exit__(self, *_) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def run(self, is_kept: bool) -> None:
        while not self.stopping.is_set():
            try:
                client = RawClient(self.port, seconds=20)
            except OSError as problem:
                self.refused.append(repr(problem))
                return
            with client:
                try:
                    for _ in range(200 if is_kept else 1):
                        status = client.get("/").status
                        if status != 200:
                            self.refused.append(f"status {status}")
                        self.served += 1
                        if self.stopping.is_set():
                            return
                except (OSError, Ended) as problem:
                    self.cut.append(repr(problem))
