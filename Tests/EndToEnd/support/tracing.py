"""ptrace(2), as far as tests need it: a thread that does not run."""

import ctypes
import os

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
ALL_THREADS = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request: int, thread: int) -> None:
    if libc.ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {thread})")


def threads(process: int) -> dict[int, str]:
    """Ids and names."""
    found = {}
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/comm") as name:
            found[int(thread)] = name.read().strip()
    return found


class Frozen:
    """Threads that stand still, as under a debugger. To be made and closed by one and the same thread."""

    def __init__(self, *threads: int):
        self.threads = threads
        for thread in threads:
            ptrace(SEIZE, thread)
            ptrace(INTERRUPT, thread)
            os.waitpid(thread, ALL_THREADS)

    def thaw(self) -> None:
        for thread in self.threads:
            ptrace(DETACH, thread)
        self.threads = ()

    def wait_for_the_end(self) -> None:
        """A process is not gone before who traces its threads has taken notice."""
        for thread in self.threads:
            while True:
                _, status = os.waitpid(thread, ALL_THREADS)
                if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                    break
                ptrace(DETACH, thread)
                break
        self.threads = ()
