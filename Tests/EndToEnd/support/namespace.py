"""Tests that change what belongs to the whole machine (mounts, ports, the resolver's file) in namespaces of their own."""

import fcntl
import functools
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

INSIDE = "MARTLET_TEST_NAMESPACE"


def namespaced(test):
    """Runs a test once more, by a Python of its own in new network and mount namespaces; there it is itself."""
    @functools.wraps(test)
    def enter(*arguments, **named):
        if os.environ.get(INSIDE):
            raise_loopback()
            return test(*arguments, **named)
        unshare = shutil.which("unshare")
        assert unshare, "unshare (package util-linux) is not there"
        name = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0].split("::", 1)[1]
        file = Path(test.__code__.co_filename)
        done = subprocess.run(
            [unshare, *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net", "--mount", sys.executable, "-m", "pytest",
             "-q", "-s", "-p", "no:cacheprovider", "-m", "", f"{file}::{name}"],
            env={**os.environ, INSIDE: "1"}, capture_output=True, text=True, timeout=300)
        print(done.stdout)
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout[-8000:] + done.stderr[-2000:]
    return enter


def raise_loopback() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, 0x8913, request))[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
