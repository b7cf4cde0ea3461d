"""How much time and memory a notebook may take, and what it takes."""

import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PAGE = resource.getpagesize()
# The watch acts at the limit. Should it be late, on a machine that is busy, memory is refused at
# this many times it: then the cell has a MemoryError, or the library that asked gives up.
_HARD = 2


@dataclass(frozen=True)
class Limits:
    """What one notebook may take. ``cell_timeout_s`` None: no limit besides the notebook's."""

    timeout_s: float
    cell_timeout_s: float | None = None
    memory_bytes: int | None = None

    def time_left_s(self, began: float, cell_began: float) -> float:
        """Return how long a cell may go on, at most 0 if it is over."""
        now = time.monotonic()
        left = began + self.timeout_s - now
        if self.cell_timeout_s is not None:
            left = min(left, cell_began + self.cell_timeout_s - now)
        return left

    def time_said(self, began: float, cell_began: float) -> str:
        """Return which of the two time limits passes first, as one that has."""
        cell = self.cell_timeout_s
        if cell is None or began + self.timeout_s <= cell_began + cell:
            return f"the notebook took longer than {self.timeout_s:g} s"
        return f"the cell took longer than {cell:g} s"

    def memory_said(self, held: int) -> str:
        """Return that memory has run out."""
        limit = (self.memory_bytes or 0) / 2**20
        return f"the notebook held {held / 2**20:.0f} MiB of memory; it may hold {limit:.0f} MiB"


def bound_memory(limits: Limits) -> None:
    """Make this process be refused memory far beyond its limit, and be the first to be ended.

    The limit is on data, not on addresses: Polars and Arrow reserve many that they never use.
    """
    if limits.memory_bytes is not None:
        most = _data() + limits.memory_bytes * _HARD
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _data() -> int:
    """Return the bytes of data of this process, which a fork has from the one it came from."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def memory_held(pid: int) -> int:
    """Return the bytes of memory that a process and all it started hold; 0 where nobody tells."""
    held = 0
    for one in _family(pid):
        with suppress(OSError, IndexError, ValueError):
            resident, shared = Path(f"/proc/{one}/statm").read_text().split()[1:3]
            held += (int(resident) - int(shared)) * _PAGE
    return held


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        found += children(one)
    return found


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, or adopted; none where nobody tells."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found
