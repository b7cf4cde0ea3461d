"""What the runner passes around: a job, what became of it, and who watches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from fleetslo.reports.artefacts import Made
from fleetslo.reports.notebooks import Value

Outcome = Literal[
    "ok", "failed", "timed_out", "killed", "out_of_memory", "stopped_early", "cancelled"
]

# How each outcome reads in a message.
SAYS: dict[Outcome, str] = {
    "ok": "ran to its end",
    "failed": "a cell raised",
    "timed_out": "took longer than it may",
    "killed": "its process was killed",
    "out_of_memory": "took more memory than it may",
    "stopped_early": "it ended before its last cell",
    "cancelled": "the batch was stopped",
}


@dataclass(frozen=True)
class Job:
    """One notebook to run with one set of parameters, and the page that comes of it.

    ``page`` is the page's name (``service_slo/<service>``), ``path`` its file in the site,
    ``report`` the first part of the name, ``period`` a text that ``Period.parse`` reads.
    ``service`` or ``squad`` is what it is about; both None where that is the fleet. ``entry`` is
    the name that the schedule has for it, ``time_limit_s`` its own limit, if it has one. ``key``
    is the same for two jobs that give the same page; empty where nobody has worked it out.
    """

    notebook: str
    source: Path
    page: str
    path: str
    report: str
    service: str | None
    period: str
    as_of: str
    parameters: Mapping[str, Value]
    squad: str | None = None
    entry: str = ""
    time_limit_s: float | None = None
    key: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not reach its end.

    ``cell`` counts all cells of the notebook from 1, as JupyterLab shows them, without the cell
    of parameters that a run adds. It is None when none is at fault; ``where`` then says at what
    point it was, if it was in the notebook at all. ``line`` is the line of the cell, where Python
    says so.
    """

    cell: int | None
    cells: int
    name: str
    value: str
    source: str = ""
    line: int | None = None
    traceback: tuple[str, ...] = ()
    where: str = "before its first cell"

    def __str__(self) -> str:
        """Return the failure in one line: ``cell 4 of 9, line 2: ValueError: boom``."""
        where = self.where if self.cell is None else f"cell {self.cell} of {self.cells}"
        if self.line is not None:
            where += f", line {self.line}"
        what = " ".join(f"{self.name}: {self.value}".split()).rstrip(": ")[:300]
        return f"{where}: {what}" if where else what


@dataclass(frozen=True)
class Head:
    """What a page says first, from the verdict block in its outputs; empty when it has none.

    ``published`` are the numbers that the ledger keeps, one per objective; see ``published.py``.
    """

    name: str = ""
    verdict: str | None = None
    sentence: str = ""
    headline: Mapping[str, Any] = field(default_factory=dict)
    published: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Result:
    """What became of one job. ``executed`` is the executed notebook, partial after a failure.

    ``made`` are the files that it left. ``reused_from`` is the run that executed it, where an
    earlier one had for the same key.
    """

    outcome: Outcome
    duration_s: float
    executed: Path | None = None
    failure: Failure | None = None
    head: Head = field(default_factory=Head)
    cell_durations_s: tuple[float | None, ...] = ()
    peak_memory_bytes: int | None = None
    made: tuple[Made, ...] = ()
    reused_from: str | None = None

    @property
    def says(self) -> str:
        """What became of the job, in one line."""
        if self.failure is None:
            return SAYS[self.outcome]
        if self.outcome == "failed" and self.failure.cell is None:
            return str(self.failure)
        return f"{SAYS[self.outcome]}: {self.failure}"


class BatchProgress(Protocol):
    """Somebody who watches a batch; every call is made from the thread that runs it."""

    def planned(self, jobs: Sequence[Job]) -> None:
        """Be told the jobs before the first one starts."""

    def started(self, job: Job) -> None:
        """Be told that a job has been given to a worker."""

    def cell(self, job: Job, cell: int, cells: int) -> None:
        """Be told that a job has begun a cell, counted from 1."""

    def finished(self, job: Job, result: Result) -> None:
        """Be told what became of a job."""

    def stage(self, what: str, done: int, total: int) -> None:
        """Be told how far rendering or publishing has come."""


class Silent:
    """A watcher that says nothing."""

    def planned(self, jobs: Sequence[Job]) -> None:
        """Say nothing."""

    def started(self, job: Job) -> None:
        """Say nothing."""

    def cell(self, job: Job, cell: int, cells: int) -> None:
        """Say nothing."""

    def finished(self, job: Job, result: Result) -> None:
        """Say nothing."""

    def stage(self, what: str, done: int, total: int) -> None:
        """Say nothing."""
