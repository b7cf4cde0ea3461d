"""Worker processes, kept for many tasks, and killed with all that they started."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Generic, Self, TypeVar

from fleetslo.errors import Cancelled
from fleetslo.reports.worker import Task

# How often a stop and the time limits are looked at.
_LOOK_S = 0.2
# What a worker is given to kill its kernel before it is killed itself.
_GRACE_S = 3.0

T = TypeVar("T", bound=Task)


@dataclass(frozen=True)
class Broken:
    """A task that gave no result: its worker raised, died, or hung."""

    says: str
    detail: str = ""


class Stop:
    """Whether somebody has asked for an end; ``stops()`` sets one on SIGINT and SIGTERM."""

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Raise Cancelled once an end has been asked for."""
        if self.asked:
            raise Cancelled("stopped; nothing was published")


@contextmanager
def stops() -> Iterator[Stop]:
    """Let SIGINT and SIGTERM ask for an end at the next safe point, instead of anywhere at all.

    In a thread other than the main one signals cannot be caught, and nothing is.
    """
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Worker:
    """One process, its connection, and the group of the kernel that it runs, if it does."""

    def __init__(self, log: Path, scratch: str) -> None:
        self.connection, theirs = Pipe()
        # -P: a module that lies in the current folder must not stand in for one of ours.
        command = [sys.executable, "-P", "-m", "fleetslo.reports.worker", str(theirs.fileno())]
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**os.environ, "TMPDIR": scratch},
            )
        theirs.close()
        self.kernel: int | None = None
        self.deadline = float("inf")

    def leave(self) -> None:
        """Ask the worker to end: it kills its kernel when the connection closes."""
        self.connection.close()

    def kill(self, grace_s: float) -> int:
        """Make sure that the worker and its kernel are gone; return the worker's exit code."""
        self.leave()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        for group in (self.process.pid, self.kernel):
            if group is not None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
        return self.process.wait()


class Pool(Generic[T]):
    """At most ``size`` workers, started when they are needed; leaving it kills them all.

    What they put into their temporary folder goes with them.
    """

    def __init__(self, size: int, log: Path) -> None:
        self._size = size
        self._log = log
        self._scratch = ""
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, T] = {}

    def __enter__(self) -> Self:
        """Return the pool itself."""
        self._scratch = tempfile.mkdtemp(prefix="fleetslo-")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill all workers and their kernels, whole process groups."""
        workers = [*self._idle, *self._busy]
        for worker in workers:
            worker.leave()
        until = time.monotonic() + _GRACE_S
        for worker in workers:
            worker.kill(max(until - time.monotonic(), 0.0))
        self._idle.clear()
        self._busy.clear()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def run(
        self,
        tasks: Iterable[T],
        *,
        limit_s: float,
        stop: Stop,
        started: Callable[[T], None] = lambda task: None,
        told: Callable[[T, str, Any], None] = lambda task, what, value: None,
        looked: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[T, Any]]:
        """Yield each task with its result, or with a Broken, in the order they end.

        ``looked`` is called several times a second, whatever happens or does not.
        A task that takes longer than ``limit_s`` loses its worker, and so does one whose worker
        dies; the others go on.

        Raises:
            Cancelled: ``stop`` was asked for.
        """
        waiting = deque(tasks)
        while waiting or self._busy:
            stop.check()
            looked()
            while waiting and len(self._busy) < self._size:
                self._give(waiting.popleft(), limit_s, started)
            for worker in self._ready():
                task = self._busy[worker]
                try:
                    what, value = worker.connection.recv()
                except (EOFError, OSError):
                    yield task, self._lost(worker, "")
                    continue
                if what == "kernel":
                    worker.kernel = value
                elif what in {"done", "broken"}:
                    self._idle.append(worker)
                    del self._busy[worker]
                    worker.kernel = None
                    yield task, value if what == "done" else Broken(_last_line(value), value)
                else:
                    told(task, what, value)
            for worker in [w for w in self._busy if w.deadline < time.monotonic()]:
                task = self._busy[worker]
                yield task, self._lost(worker, f"it did not end within {limit_s:g} s")

    def _give(self, task: T, limit_s: float, started: Callable[[T], None]) -> None:
        while True:
            worker = self._idle.pop() if self._idle else _Worker(self._log, self._scratch)
            try:
                worker.connection.send(task)
                break
            except OSError:  # it died while it had nothing to do
                worker.kill(0.0)
        worker.deadline = time.monotonic() + limit_s
        self._busy[worker] = task
        started(task)

    def _ready(self) -> list[_Worker]:
        by_connection: dict[Any, _Worker] = {w.connection: w for w in self._busy}
        ready: list[Connection] = wait(list(by_connection), timeout=_LOOK_S)  # type: ignore[assignment]
        return [by_connection[connection] for connection in ready]

    def _lost(self, worker: _Worker, why: str) -> Broken:
        del self._busy[worker]
        code = worker.kill(_GRACE_S if not why else 0.0)
        return Broken(why or f"its worker process ended with code {code}")


def _last_line(trace: str) -> str:
    return trace.strip().rpartition("\n")[2]
