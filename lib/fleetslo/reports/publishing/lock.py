"""One publisher at a time on this machine."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def publishing(site: Path) -> Iterator[None]:
    """Let one process at a time change a site; the lock goes with the process, however it ends."""
    with (site / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
