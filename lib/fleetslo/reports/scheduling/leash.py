"""A leash: a process that ends when the one that started it is gone, however that ended."""

import os
import signal
import threading


def stop_when_closed(fd: int) -> None:
    """Ask this process to stop (SIGTERM) once the other end of a pipe is closed.

    The other end is held by the process that started this one, and by no other.
    """

    def wait() -> None:
        os.read(fd, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="leash", daemon=True).start()
