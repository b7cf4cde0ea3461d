"""The record of a run: what was asked for, and what became of each report."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from fleetslo import __version__
from fleetslo.files import write_file
from fleetslo.reports.jobs import Job, Result
from fleetslo.reports.notebooks import Value
from fleetslo.warehouse.kept import questions

FORMAT = 1

Trigger = Literal["manual", "schedule", "backfill", "export"]


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

    ``batch`` is the folder of what the run asked its warehouse, where it asked anything itself.
    ``planned`` is how many pages each report of the schedule has in all, which is more than the
    run makes where it is a shard, or some pages only.
    """

    folder: Path
    run_id: str
    as_of: str
    jobs: Mapping[str, Job]
    batch: Path | None = None
    results: dict[str, Result] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    planned: Mapping[str, int] = field(default_factory=dict)
    occasion: Occasion = field(default_factory=Occasion)

    @property
    def path(self) -> Path:
        """Where the record lies."""
        return self.folder / "manifest.json"

    def write(self, outcome: str, published: Path | None = None) -> Path:
        """Write the record and return its path.

        ``outcome`` is that of the run: running, ok, failed or cancelled; ``published`` is the
        release that came of it.

        Raises:
            OutputError: it cannot be written.
        """
        now = datetime.now(UTC)
        record = {
            "format": FORMAT,
            "fleetslo": __version__,
            "run_id": self.run_id,
            "trigger": self.occasion.trigger,
            "attempt": self.occasion.attempt,
            "as_of": self.as_of,
            "outcome": outcome,
            "started_at": _utc(self.started_at),
            "ended_at": None if outcome == "running" else _utc(now),
            "duration_s": round((now - self.started_at).total_seconds(), 3),
            "release": published.name if published else None,
            "questions": [asdict(one) for one in questions(self.batch)] if self.batch else [],
            "planned": dict(self.planned),
            "jobs": [self._job(path, job) for path, job in self.jobs.items()],
        }
        return write_file(self.path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")

    def _job(self, path: str, job: Job) -> dict[str, Any]:
        result = self.results.get(path)
        asked = {
            "entry": job.entry,
            "key": job.key,
            "page": job.page,
            "path": job.path,
            "notebook": job.notebook,
            "service": job.service,
            "squad": job.squad,
            "period": job.period,
            "parameters": {name: _stored(value) for name, value in job.parameters.items()},
        }
        if result is None:
            return {**asked, "outcome": None}
        failure = result.failure
        executed = result.executed
        return {
            **asked,
            "outcome": result.outcome,
            "reused_from": result.reused_from,
            "duration_s": round(result.duration_s, 3),
            "cell_durations_s": list(result.cell_durations_s),
            "peak_memory_bytes": result.peak_memory_bytes,
            "executed": executed.relative_to(self.folder).as_posix() if executed else None,
            "verdict": result.head.verdict,
            "headline": dict(result.head.headline),
            "failure": failure
            and {
                "cell": failure.cell,
                "line": failure.line,
                "error": failure.name,
                "message": failure.value,
                "traceback": list(failure.traceback),
            },
        }


def _stored(value: Value) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, SecretStr) else value  # it shows asterisks


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
