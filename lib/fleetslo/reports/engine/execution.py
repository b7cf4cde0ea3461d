"""One run of a notebook while it goes on, whichever engine runs it."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.engine.saving import Saving
from fleetslo.reports.engine.secrets import Secrets
from fleetslo.reports.jobs import Outcome


class Running:
    """The process of the notebook that runs, for whoever must kill it from another thread."""

    def __init__(self, announce: Callable[[int], None] = lambda pid: None) -> None:
        self.lock = threading.Lock()
        self.pid: int | None = None
        self._announce = announce

    def started(self, pid: int) -> None:
        """Remember and announce the process id, which is its group's, too."""
        self.pid = pid
        self._announce(pid)

    def kill(self) -> None:
        """Kill the process and all that it started; without one, nothing."""
        with self.lock:
            self._kill()

    def end(self) -> None:
        """Kill the process and let no other one start: ours is about to end."""
        self.lock.acquire()
        self._kill()

    def _kill(self) -> None:
        pid, self.pid = self.pid, None
        if pid:
            kill_group(pid)


def kill_group(pid: int) -> None:
    """Kill a process group; one that is gone is left alone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Ending:
    """How a notebook ended that did not reach its end, where no cell says so."""

    outcome: Outcome
    name: str
    says: str


@dataclass
class Execution:
    """One run of a notebook while it goes on; ``notebook`` is the document with its outputs.

    The clock starts with the first cell: starting a kernel has a limit of its own. ``began`` is
    the index of the cell that began last. ``lost`` is called when ``connection``, that of the
    one who wants the result, is closed.
    """

    secrets: Secrets
    folder: Path
    limits: Limits
    running: Running
    on_cell: Callable[[int, int], None]
    saving: Saving = field(default_factory=lambda: Saving(None))
    connection: int | None = None
    lost: Callable[[], None] = lambda: None
    notebook: Any = None
    began: int | None = None
    ending: Ending | None = None
    peak_memory_bytes: int | None = None
    _clock: tuple[float, float] | None = None

    def cell_began(self, cell: Any, cell_index: int) -> None:
        """Remember and announce which cell runs."""
        now = time.monotonic()
        self._clock = (self._clock[0] if self._clock else now, now)
        self.began = cell_index
        self.on_cell(cell_index + 1, len(self.notebook.cells))

    def left_s(self, cell: Any = None) -> float:
        """Return how much time is left; never zero, which nbclient takes for no limit."""
        began = self._clock or (time.monotonic(),) * 2
        return max(self.limits.time_left_s(*began), 0.01)

    @property
    def time_is_up(self) -> bool:
        """Whether a time limit has passed."""
        return self._clock is not None and self.limits.time_left_s(*self._clock) <= 0

    def timed_out(self) -> Ending:
        """Return the ending by the time limit that passes first."""
        began = self._clock or (0.0, 0.0)
        return Ending("timed_out", "TimeoutError", self.limits.time_said(*began))
