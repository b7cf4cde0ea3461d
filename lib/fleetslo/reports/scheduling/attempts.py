"""One group at one of its times: a batch in a process of its own, tried again when it fails."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fleetslo import errors
from fleetslo.reports.manifest import new_run_id
from fleetslo.reports.records.model import RunRecord
from fleetslo.reports.records.reading import read_record
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.groups import Due

# A batch that ends with one of these would end the same way again.
_FINAL = (
    errors.UsageError.exit_code,
    errors.SettingsError.exit_code,
    *(kind.exit_code for kind in errors.UnknownName.__subclasses__()),
    errors.ParameterError.exit_code,
    errors.ObjectiveError.exit_code,
)
_LONGEST_WAIT_S = 3600.0
# A batch that is asked to stop ends its notebooks within seconds, unless it hangs.
_GRACE_S = 60.0

COMMAND = (sys.executable, "-P", "-c", "from fleetslo.cli import main; main()")
"""The tool in a process of its own; -P: a module in the current folder is none of ours."""


@dataclass
class Ended:
    """What became of a group at one of its times.

    ``outcome`` is ok, failed or cancelled; ``records`` are the manifests of its attempts, in
    their order; ``failed`` the entries with a page that never came to be.
    """

    due: Due
    outcome: str
    records: list[RunRecord] = field(default_factory=list)
    failed: Sequence[str] = ()


class Attempts:
    """Runs groups, each attempt a child process; ``cancel`` ends what runs.

    An attempt that takes longer than ``limit_s``, waiting for its turn included, is ended and
    counts as failed: one that hangs must not keep every later one waiting.
    """

    def __init__(
        self,
        home: Path,
        *,
        trigger: Literal["schedule", "backfill"],
        flags: Sequence[str] = (),
        first_wait_s: float = 60.0,
        limit_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._limit_s = limit_s
        self._home = home
        self._trigger = trigger
        self._flags = flags
        self._first_wait_s = first_wait_s
        self._say = say
        self._cancelled = threading.Event()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Ask every running batch to stop; nothing starts from now on."""
        self._cancelled.set()
        with self._lock:
            for child in self._children:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)

    def run(self, due: Due, begins: Callable[[str], None] = lambda _: None) -> Ended:
        """Run a group until all its pages are made, or its entries have no retry left.

        Only what failed is made again, with a wait that doubles each time. ``begins`` is told the
        name of each run before it begins.
        """
        ended = Ended(due, "failed")
        entries: Sequence[Entry] = due.group.entries
        retry = ""
        for attempt in range(due.group.retries + 1):
            if attempt and self._cancelled.wait(self._wait_s(attempt)):
                break
            run_id = new_run_id()
            begins(run_id)
            code = self._batch(due, run_id, attempt + 1, [entry.name for entry in entries], retry)
            record = read_record(self._home, run_id)
            if record is not None:
                ended.records.append(record)
            if code == 0:
                ended.failed = [name for name in ended.failed if name not in _names(entries)]
                ended.outcome = "failed" if ended.failed else "ok"
                return ended
            if self._cancelled.is_set():
                break
            bad = _failed(record) if code == errors.NotebookFailed.exit_code else set()
            retry = run_id if bad else ""
            bad = bad or set(_names(entries))
            good = set(_names(entries)) - bad
            ended.failed = sorted((set(ended.failed) - good) | bad)
            entries = [one for one in entries if one.name in bad and one.retries > attempt]
            is_over = not entries or code in _FINAL
            again = "" if is_over else f", the next in {self._wait_s(attempt + 1):.0f} s"
            self._say(f"{due}: attempt {attempt + 1} ended with exit code {code}{again}")
            if is_over:
                return ended
        if self._cancelled.is_set():
            ended.outcome = "cancelled"
        return ended

    def _wait_s(self, attempt: int) -> float:
        return float(min(self._first_wait_s * 2 ** (attempt - 1), _LONGEST_WAIT_S))

    def _batch(self, due: Due, run_id: str, attempt: int, names: Sequence[str], retry: str) -> int:
        """Run one batch and return its exit code; the batch stops when this process is gone.

        One that is ended at the limit has the exit code of one that was cancelled.
        """
        theirs, ours = os.pipe()
        command = [*COMMAND, "run", "--wait", "--as-of", due.as_of, "--run-id", run_id]
        command += ["--trigger", self._trigger, "--attempt", f"{attempt}"]
        command += [word for name in names for word in ("--only", name)]
        command += ["--retry", retry] if retry else []
        command += ["--leash", str(theirs), *self._flags]
        try:
            with self._lock:
                if self._cancelled.is_set():
                    return errors.Cancelled.exit_code
                child = subprocess.Popen(  # noqa: S603 - our own command
                    command, stdin=subprocess.DEVNULL, pass_fds=[theirs], start_new_session=True
                )
                self._children.add(child)
            try:
                return child.wait(self._limit_s)
            except subprocess.TimeoutExpired:
                self._say(f"{due}: run {run_id} is ended, it takes over {self._limit_s:g} s")
                _end(child)
                return errors.Cancelled.exit_code
            finally:
                with self._lock:
                    self._children.discard(child)
        finally:
            os.close(theirs)
            os.close(ours)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Let a batch end by itself, or kill it; its notebooks end with it either way."""
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _names(entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def _failed(record: RunRecord | None) -> set[str]:
    return {job.entry for job in record.missed} if record else set()
