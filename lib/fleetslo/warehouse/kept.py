"""What a batch keeps of one question: the fleet's answer, whole or in stretches of days.

::

    <batch>/slo-minutes-1f0c9a3e/2026-10-04_2026-11-01/    the rows of these days, and asked.json
    <batch>/fleet-seen-77b0d1c2/5d41402abc4b2a76/          the answer to these parameters

A folder appears by one rename when all of it is written; who is killed before that leaves one
that nobody reads. One process at a time asks a question; its lock goes with it.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from fleetslo.files import write_file, writing
from fleetslo.periods import Period
from fleetslo.warehouse.pieces import write_pieces
from fleetslo.warehouse.queries import Query

if TYPE_CHECKING:
    import polars as pl

_RECORD = "asked.json"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Question:
    """A question that a batch asked its warehouse, for the whole fleet.

    ``digest`` tells questions of other parameters apart. ``report`` is the notebook that could not
    wait for it and ``page`` the one that it made, both empty where it was asked beforehand.
    ``bytes_read``, ``bytes_billed``, ``cached`` and ``job_id`` are None where the warehouse has no
    jobs.
    """

    name: str
    start: str
    end: str
    digest: str
    rows: int
    duration_s: float
    report: str = ""
    page: str = ""
    bytes_read: int | None = None
    bytes_billed: int | None = None
    cached: bool | None = None
    job_id: str | None = None


def whole_days(period: Period) -> Period:
    """Return the UTC days that a period touches."""
    first = period.start.replace(hour=0, minute=0, second=0, microsecond=0)
    last = period.end.replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(first, last if last == period.end else last + _DAY)


class Kept:
    """The answers to one question in the folder of a batch.

    Args:
        batch: the folder of the batch.
        query: the question; another text of it has another folder.
    """

    def __init__(self, batch: Path, query: Query) -> None:
        self.query = query
        text = hashlib.sha256(repr(query).encode()).hexdigest()[:8]
        self.folder = batch / f"{query.name.replace('/', '-')}-{text}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time ask."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def stretches(self) -> list[tuple[Period, Path]]:
        """Return the stretches of days that are kept, each with its folder, oldest first."""
        found = []
        for path in sorted(self.folder.glob("[0-9]*_[0-9]*")):
            first, last = (date.fromisoformat(text) for text in path.name.split("_"))
            found.append((Period(_midnight(first), _midnight(last)), path))
        return found

    def missing(self, period: Period) -> list[Period]:
        """Return the stretches of days of a period that are not kept."""
        wanted = whole_days(period)
        gaps, reached = [], wanted.start
        for kept, _ in self.stretches():
            if kept.end <= reached or kept.start >= wanted.end:
                continue
            if kept.start > reached:
                gaps.append(Period(reached, kept.start))
            reached = kept.end
        return [*gaps, Period(reached, wanted.end)] if reached < wanted.end else gaps

    def of(self, period: Period) -> list[Path]:
        """Return the folders of the stretches that touch a period."""
        return [
            path
            for kept, path in self.stretches()
            if kept.start < period.end and kept.end > period.start
        ]

    def stretch(self, period: Period) -> Path:
        """Return the folder of a stretch of days."""
        return self.folder / f"{period.start:%Y-%m-%d}_{period.end:%Y-%m-%d}"

    def whole(self, values: Mapping[str, Any]) -> Path:
        """Return the folder of the answer to these parameters."""
        return self.folder / _digest(values)

    def write(
        self,
        folder: Path,
        values: Mapping[str, Any],
        pieces: "Iterable[pl.DataFrame]",
        about: Callable[[], Mapping[str, Any]] = dict,
    ) -> Question:
        """Write an answer and return the record of the question; all of it is there, or nothing.

        Args:
            folder: ``stretch`` or ``whole``.
            values: the parameters that were asked with.
            pieces: the answer.
            about: gives further fields of the record once the answer is there.

        Raises:
            OutputError: it cannot be written.
        """
        began = monotonic()
        half = folder.with_name(f".{folder.name}.{os.getpid()}")
        with writing(folder):
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
        try:
            with writing(folder):
                rows = write_pieces(pieces, self.query.contract, self.query.sliced_by, half)
                question = Question(
                    name=self.query.name,
                    start=_text(values.get("start")),
                    end=_text(values.get("end")),
                    digest=_digest(values),
                    rows=rows,
                    duration_s=round(monotonic() - began, 3),
                    **about(),
                )
                write_file(half / _RECORD, json.dumps(asdict(question)))
                half.replace(folder)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        return question


def questions(batch: Path) -> list[Question]:
    """Return what a batch asked its warehouse, by name and start."""
    records = [path.read_text(encoding="utf-8") for path in batch.glob(f"*/[!.]*/{_RECORD}")]
    found = [Question(**json.loads(record)) for record in records]
    return sorted(found, key=lambda one: (one.name, one.start, one.end, one.digest))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _text(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, default=_text, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
