"""A papermill engine that runs each notebook in a process forked from this one.

This process has imported the libraries and has never used them: Polars that was at work before a
fork hangs after it. It has one thread of Python's, which takes what the notebook's process says,
keeps its limits, and ends it with all that it started.
"""

import os
import secrets
import select
import signal
import threading
import time
from contextlib import suppress
from typing import Any

from papermill.engines import Engine

from fleetslo.reports.engine.child import adopt_orphans, be_notebook
from fleetslo.reports.engine.execution import Ending, Execution, kill_group
from fleetslo.reports.engine.limits import children, memory_held
from fleetslo.reports.engine.outcomes import ended, should_run
from fleetslo.reports.engine.parameters import stored
from fleetslo.reports.engine.preloading import preload, read_questions
from fleetslo.reports.engine.receiving import Receiver
from fleetslo.reports.engine.wire import TOKEN_BYTES

# How often limits are looked at; a cell can fill about 100 MB of memory in that time.
_LOOK_S = 0.05
# What a notebook that has reached its end is given to put its things away.
_LEAVE_S = 5.0


class ForkEngine(Engine):  # type: ignore[misc]
    """papermill's engine for a forked process."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, execution: Execution, **kwargs: Any
    ) -> Any:
        """Run the cells; the document lies in ``execution`` even when this raises."""
        execution.notebook = nb_man.nb
        told = nb_man.nb.metadata.papermill
        told.parameters = stored(told.get("parameters", {}))
        preload()
        declared = nb_man.nb.metadata.get("fleetslo", {}).get("queries", ())
        read_questions(question["name"] for question in declared)
        if threading.active_count() > 1:
            raise RuntimeError(
                "this process has several threads and cannot be forked; set engine to 'kernel'"
            )
        process = Process(nb_man, execution)
        try:
            process.follow()
        finally:
            status = process.end()
        if not process.receiver.over and execution.ending is None:
            execution.ending = ended(os.waitstatus_to_exitcode(status))
        return nb_man.nb


class Process:
    """The forked process of one notebook, from its beginning to its end."""

    def __init__(self, nb_man: Any, execution: Execution) -> None:
        self._execution = execution
        self._look = 0.0
        self._leave = float("inf")
        cells = [
            (index, cell.source, "raises-exception" in cell.metadata.get("tags", []))
            for index, cell in enumerate(nb_man.nb.cells)
            if should_run(cell)
        ]
        token = secrets.token_bytes(TOKEN_BYTES)
        pipes = [os.pipe() for _ in range(3)]
        adopt_orphans()
        self._not_its_own = set(children(os.getpid()))
        ours = [reading for reading, _ in pipes]
        theirs = [writing for _, writing in pipes]
        with execution.running.lock:
            self.pid = os.fork()
            if self.pid == 0:
                connection = execution.connection
                be_notebook(
                    cells,
                    token,
                    theirs,
                    close=[*ours, *([] if connection is None else [connection])],
                    environ=execution.secrets.environ,
                    folder=execution.folder,
                    limits=execution.limits,
                )
            with suppress(OSError):  # both sides make the group: it must be there to be killed
                os.setpgid(self.pid, self.pid)
            execution.running.started(self.pid)
        for descriptor in theirs:
            os.close(descriptor)
        for descriptor in ours:
            os.set_blocking(descriptor, False)
        self._ours = ours
        self.receiver = Receiver(nb_man, execution, token, *ours)

    def follow(self) -> None:
        """Take what the process says until it is gone, or has passed a limit.

        Once the notebook is over its limits are, too; then it has some time to put things away.
        """
        poller = select.poll()
        process = os.pidfd_open(self.pid)
        for descriptor in (*self._ours, process):
            poller.register(descriptor, select.POLLIN)
        connection = self._execution.connection
        if connection is not None:
            poller.register(connection, 0)  # heard of only when it is closed
        gone = False
        try:
            while not gone and self._within_limits():
                for descriptor, event in poller.poll(_LOOK_S * 1000):
                    if descriptor == connection:
                        self._execution.lost()
                    elif descriptor == process:
                        gone = True
                    elif not event & select.POLLIN:  # nobody is left who could write
                        poller.unregister(descriptor)
                self.receiver.take()
        finally:
            os.close(process)

    def _within_limits(self) -> bool:
        execution = self._execution
        now = time.monotonic()
        if self.receiver.over:
            self._leave = min(self._leave, now + _LEAVE_S)
            return now < self._leave
        if now < self._look:
            return True
        self._look = now + _LOOK_S
        held = sum(map(memory_held, {self.pid, *self._started()}))
        execution.peak_memory_bytes = max(execution.peak_memory_bytes or 0, held)
        if execution.limits.memory_bytes is not None and held > execution.limits.memory_bytes:
            said = execution.limits.memory_said(held)
            execution.ending = Ending("out_of_memory", "MemoryError", said)
        elif execution.time_is_up:
            execution.ending = execution.timed_out()
        return execution.ending is None

    def end(self) -> int:
        """Kill the process with all that it started, take its last words, return its status."""
        kill_group(self.pid)
        _, status, used = os.wait4(self.pid, 0)
        kill_group(self.pid)  # what it may have started between the two
        self._end_orphans()
        self._execution.running.pid = None
        peak = self._execution.peak_memory_bytes or 0
        self._execution.peak_memory_bytes = max(peak, used.ru_maxrss * 1024)
        self.receiver.take_rest()
        for descriptor in self._ours:
            os.close(descriptor)
        return status

    def _started(self) -> set[int]:
        """Return the process itself, and what it started that has outlived its parents."""
        return set(children(os.getpid())) - self._not_its_own

    def _end_orphans(self) -> None:
        """Kill what it started in groups of their own; whatever those started comes next."""
        until = time.monotonic() + _LEAVE_S
        while orphans := self._started():
            for orphan in orphans:
                with suppress(PermissionError, ProcessLookupError, ChildProcessError):
                    os.kill(orphan, signal.SIGKILL)
                    os.waitpid(orphan, 0)
            if time.monotonic() > until:
                return
