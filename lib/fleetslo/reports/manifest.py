"""Writing the record of a run: what was asked for, and what became of each report."""

import fcntl
import hashlib
import os
import platform
import secrets
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import cache, cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import SecretStr

from fleetslo import __version__
from fleetslo.errors import Cancelled, NotebookFailed, OutputError, PeriodError
from fleetslo.files import folder, write_file, writing
from fleetslo.periods import Period
from fleetslo.reports.artefacts import Made
from fleetslo.reports.jobs import Failure, Job, Result
from fleetslo.reports.keys import code_mark, installed, lock_mark
from fleetslo.reports.notebooks import Value
from fleetslo.reports.records.model import (
    Artefact,
    DataRecord,
    FailureRecord,
    Host,
    Interval,
    JobRecord,
    Publication,
    QuestionRecord,
    RunFailure,
    RunOutcome,
    RunRecord,
    Trigger,
)
from fleetslo.reports.records.reading import read_record, record_path, runs_folder
from fleetslo.warehouse.kept import questions

# While a run goes on its record is written after a job ended, but no more often than this, and so
# that writing takes no more than one part in so many of the time.
_EVERY_S = 2.0
_SHARE = 20
# What an error says at most: a notebook may raise one with all of its data in it.
_MESSAGE_MOST = 20_000
_LOCK = ".lock"


@dataclass(frozen=True)
class Occasion:
    """What began a run: a person, a daemon, a backfill or another engine; and which try it is."""

    trigger: Trigger = "manual"
    attempt: int = 1


def new_run_id() -> str:
    """Return a name for a run: its start in UTC and four digits, so that runs sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


@dataclass
class Manifest:
    """The record of one run, kept up to date on disk as ``manifest.json`` while it goes on.

    While it is open, others can tell that the run is alive (``is_live``).

    Attributes:
        home: the home folder of the settings.
        run_id: name of the run.
        project: the folder whose modules and notebooks are run.
        occasion: what began it.
        reports: the reports of the schedule that it is to make.
        as_of, jobs, planned: what is made; known once it is planned. ``planned`` is how many pages
            each report of the schedule has in all.
        batch: the folder of what the run asked its warehouse, where it asked anything itself.
        data: what the warehouse held.
        results: what became of the jobs, by path.
        pages: the pages that readers may see of it, by the path of their job.
        publication: where they see them.
    """

    home: Path
    run_id: str
    project: Path
    occasion: Occasion = field(default_factory=Occasion)
    reports: Sequence[str] = ()
    as_of: str = ""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    planned: Mapping[str, int] = field(default_factory=dict)
    batch: Path | None = None
    data: DataRecord | None = None
    results: dict[str, Result] = field(default_factory=dict)
    pages: Mapping[str, Made] = field(default_factory=dict)
    publication: Publication | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _lock: IO[str] | None = field(default=None, init=False)
    _runs: bool = field(default=False, init=False)
    _is_behind: bool = field(default=False, init=False)
    _due: float = field(default=0.0, init=False)

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return runs_folder(self.home) / self.run_id

    @property
    def path(self) -> Path:
        """Where the record lies."""
        return record_path(self.home, self.run_id)

    def __enter__(self) -> Self:
        """Begin the run: its folder is made, and its record says that it runs.

        Raises:
            OutputError: the folder cannot be written.
        """
        with writing(folder(self.folder)):
            self._lock = (self.folder / _LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.write("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the run: where nothing was written of its end, what was raised here is why."""
        if error is not None:
            self.fail(error)
        _remove_empty(self.folder / "running")
        if self._lock is not None:
            self._lock.close()
            (self.folder / _LOCK).unlink(missing_ok=True)

    def note(self, path: str, result: Result) -> None:
        """Keep what became of a job, for the next writing."""
        self.results[path] = result
        self._is_behind = True

    def keep_up(self) -> None:
        """Write what was noted, unless there was a writing just before."""
        if self._runs and self._is_behind and time.monotonic() >= self._due:
            self.write("running")

    def fail(self, error: BaseException) -> None:
        """Write that the run was stopped or failed, and why, unless its end is written down.

        A record that cannot be written hides no error: this run is then called killed.
        """
        if not self._runs:
            return
        stopped = isinstance(error, Cancelled | KeyboardInterrupt)
        with suppress(OutputError):
            self.write("cancelled" if stopped else "failed", None if stopped else error)

    def discard(self) -> None:
        """Leave nothing of a run that never began."""
        self._runs = False
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, outcome: RunOutcome, error: BaseException | None = None) -> Path:
        """Write the record and return its path.

        ``error`` is why the run failed as a whole; that single reports failed is no such reason.

        Raises:
            OutputError: it cannot be written.
        """
        began = time.monotonic()
        now = datetime.now(UTC)
        record = RunRecord(
            fleetslo=__version__,
            run_id=self.run_id,
            trigger=self.occasion.trigger,
            attempt=self.occasion.attempt,
            as_of=self.as_of,
            outcome=outcome,
            failure=_reason(error),
            started_at=self.started_at,
            written_at=now,
            ended_at=None if outcome == "running" else now,
            duration_s=round((now - self.started_at).total_seconds(), 3),
            code_sha256=self._code,
            lock_sha256=lock_mark(),
            host=_host(),
            data=self.data,
            publication=self.publication,
            questions=self._questions(),
            reports=list(self.reports),
            planned=dict(self.planned),
            jobs=[self._job(path, job) for path, job in self.jobs.items()],
        )
        write_file(self.path, record.model_dump_json(indent=1) + "\n")
        self._runs, self._is_behind = outcome == "running", False
        ended = time.monotonic()
        self._due = ended + max(_EVERY_S, _SHARE * (ended - began))
        return self.path

    @cached_property
    def _code(self) -> str:
        return code_mark(self.project)

    @cached_property
    def _notebooks(self) -> dict[Path, str | None]:
        return {}

    def _notebook(self, source: Path) -> str | None:
        """Return the digest of a notebook's file as it was when the run first wrote of it."""
        if source not in self._notebooks:
            try:
                self._notebooks[source] = hashlib.sha256(source.read_bytes()).hexdigest()
            except OSError:
                self._notebooks[source] = None
        return self._notebooks[source]

    def _questions(self) -> list[QuestionRecord]:
        asked = questions(self.batch) if self.batch else []
        return [QuestionRecord(**asdict(one)) for one in asked]

    def _job(self, path: str, job: Job) -> JobRecord:
        asked: dict[str, Any] = {
            "entry": job.entry,
            "key": job.key,
            "page": job.page,
            "path": job.path,
            "notebook": job.notebook,
            "notebook_sha256": self._notebook(job.source),
            "service": job.service,
            "squad": job.squad,
            "interval": _interval(job.period),
            "parameters": {name: _stored(value) for name, value in job.parameters.items()},
        }
        result = self.results.get(path)
        if result is None:
            return JobRecord(**asked)
        page = self.pages.get(path)
        return JobRecord(
            **asked,
            outcome=result.outcome,
            reused_from=result.reused_from,
            duration_s=round(result.duration_s, 3),
            cell_durations_s=list(result.cell_durations_s),
            peak_memory_bytes=result.peak_memory_bytes,
            verdict=result.head.verdict,
            headline=dict(result.head.headline),
            failure=_failure(result.failure),
            artefacts=[self._artefact(one) for one in (*result.made, *([page] if page else []))],
        )

    def _artefact(self, one: Made) -> Artefact:
        within = one.path.is_relative_to(self.home)
        path = one.path.relative_to(self.home) if within else one.path.absolute()
        return Artefact(
            kind=one.kind, path=path.as_posix(), sha256=one.sha256, size_bytes=one.size_bytes
        )


def is_live(home: Path, run_id: str) -> bool:
    """Return whether the process of a run is there."""
    try:
        with (runs_folder(home) / run_id / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def call_killed(home: Path) -> None:
    """Write into the records of runs that nobody makes any more that they were killed."""
    for lock in runs_folder(home).glob(f"*/{_LOCK}"):  # who comes to an end takes it away
        run_id = lock.parent.name
        if is_live(home, run_id):
            continue
        record = read_record(home, run_id)
        if record is not None and record.outcome == "running":
            ended_at = record.written_at or record.started_at
            killed = record.model_copy(
                update={
                    "outcome": "killed",
                    "ended_at": ended_at,
                    "duration_s": round((ended_at - record.started_at).total_seconds(), 3),
                }
            )
            write_file(record_path(home, run_id), killed.model_dump_json(indent=1) + "\n")
        _remove_empty(lock.parent / "running")
        lock.unlink(missing_ok=True)


def _remove_empty(root: Path) -> None:
    """Remove the folders under a folder that hold no file, and itself if it holds none."""
    for path, _, _ in os.walk(root, topdown=False):
        with suppress(OSError):
            Path(path).rmdir()


@cache
def _host() -> Host:
    return Host(
        name=socket.gethostname(),
        python=platform.python_version(),
        cpu_count=os.cpu_count(),
        versions=installed(),
    )


@lru_cache(maxsize=256)
def _interval(text: str) -> Interval | None:
    try:
        period = Period.parse(text)
    except PeriodError:  # one report of a notebook that says for itself what it covers
        return None
    return Interval(start=period.start, end=period.end)


def _reason(error: BaseException | None) -> RunFailure | None:
    if error is None or isinstance(error, NotebookFailed):
        return None
    return RunFailure(error=type(error).__name__, message=str(error)[:_MESSAGE_MOST])


def _failure(failure: Failure | None) -> FailureRecord | None:
    if failure is None:
        return None
    return FailureRecord(
        cell=failure.cell,
        line=failure.line,
        error=failure.name,
        message=failure.value[:_MESSAGE_MOST],
        traceback=[line[:_MESSAGE_MOST] for line in failure.traceback],
    )


def _stored(value: Value) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, SecretStr) else value  # it shows asterisks
