"""The answers of one batch: each question is asked once for the whole fleet, whoever needs it.

::

    <home>/extracts/<run id>/batch.json    what a notebook of the batch may know and ask
    <home>/extracts/<run id>/…             a folder per question; see ``fleetslo.warehouse.kept``

So the number of questions that reach the warehouse depends on how many different ones there are,
never on the number of services, and all pages of a batch show the same state of the data. The
folder goes when the batch ends, however it ends: what a killed one left is removed by the next.
"""

import fcntl
import json
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fleetslo.errors import NotebookError, SettingsError, UsageError
from fleetslo.files import folder as writable
from fleetslo.files import write_file, writing
from fleetslo.periods import Period, instant
from fleetslo.warehouse.answering import Answering
from fleetslo.warehouse.base import (
    Finding,
    LoadReport,
    RollupReport,
    Step,
    Warehouse,
    open_warehouse,
)
from fleetslo.warehouse.kept import Kept, Question, whole_days
from fleetslo.warehouse.queries import Query, read_query

if TYPE_CHECKING:
    import polars as pl

_ABOUT = "batch.json"
_PLAIN = {"start", "end", "services"}
# What a column of this name holds the start of.
_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Wanted:
    """A question for the whole fleet that has no parameters but its period."""

    name: str
    period: Period

    @property
    def parameters(self) -> dict[str, Any]:
        """What the warehouse is to be asked with."""
        return {"start": self.period.start, "end": self.period.end}


class Extracts(Warehouse):
    """A warehouse as a batch sees it: what was asked once is answered from files.

    Args:
        folder: the batch's, as ``extracted`` makes it.
        report: the notebook that asks; it may ask what it declares. Empty is the batch itself.
        page: the page that the notebook makes.
        warehouse: the real one; opened from its address, when it is first needed, if None.

    Attributes:
        asked: the record of the question that was put to the warehouse last.
        serves_many: whether so many notebooks ask that what all of them need is worked out once.

    Raises:
        SettingsError: there is no batch in the folder.
    """

    def __init__(
        self,
        folder: Path,
        report: str = "",
        page: str = "",
        *,
        warehouse: Warehouse | None = None,
    ) -> None:
        self.folder = folder
        self.report = report
        self.page = page
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        except OSError:
            raise SettingsError(
                f"there is no batch in {folder}; the setting 'batch' is for the notebooks of "
                "'fleetslo run', unset it"
            ) from None
        self.url: str = about["url"]
        self.run: str = about["run"]
        self._reaches: str | None = about["complete_until"]
        self._declared: Mapping[str, Sequence[str]] = about["declared"]
        self.serves_many: bool = about["serves_many"]
        self._given = warehouse
        self._answering = Answering()
        self.asked: Question | None = None

    def __repr__(self) -> str:
        """Return the batch with the address that it asks."""
        return f"Extracts({self.url!r}, {str(self.folder)!r})"

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse that is asked what is not kept yet."""
        return self._given or open_warehouse(self.url)

    def query(self, name: str, **parameters: Any) -> "pl.DataFrame":
        """Return the answer to a named query; see ``Warehouse.query``.

        Raises:
            NotebookError: the notebook does not declare that it asks this.
        """
        query = read_query(name)
        values = query.bind(**parameters)
        self._refuse_undeclared(name)
        services = values.get("services", [])
        base = self._base(query, values)
        if base is None:
            answer = self._answering.rows(query, [self._whole(query, values)], services, {})
        else:
            period = Period(values["start"], values["end"])
            folders = self._kept_over(base, period)
            if base is query and not query.lookback:
                times = {"start": period.start, "end": period.end}
                answer = self._answering.rows(query, folders, services, times)
            else:
                answer = self._answering.asked_of(base, folders, query, values)
        return query.cast(answer)

    def batches(self, name: str, **parameters: Any) -> "Generator[pl.DataFrame, None, None]":
        """Yield the answer to a named query; see ``Warehouse.batches``."""
        yield self.query(name, **parameters)

    def _refuse_undeclared(self, name: str) -> None:
        if self.report and name not in self._declared.get(self.report, ()):
            line = json.dumps({"name": name, "period": "report"})
            raise NotebookError(
                f"{self.report} asks {name!r}, which it does not declare, so that a batch cannot "
                f'ask it once for all; add {line} to "fleetslo": {{"queries": […]}} in the '
                "notebook's metadata"
            )

    def _base(self, query: Query, values: Mapping[str, Any]) -> Query | None:
        """Return the question whose days hold this one's answer; None where it is kept whole."""
        if query.sliced_by is None or not query.parameters.keys() >= _PLAIN:
            return None
        period = Period(values["start"], values["end"])
        whole_steps = query.over is None or _is_whole(period, _STEPS.get(query.timed_by or ""))
        if query.timed_by and whole_steps and not query.lookback:
            return query
        if query.over is None:
            return None
        over = read_query(query.over)
        if query.lookback or query.parameters.keys() > _PLAIN:
            return over
        # What has a period alone is few rows: cheaper to ask for than days that nobody asked for.
        return None if Kept(self.folder, over).missing(period) else over

    def _kept_over(self, query: Query, period: Period) -> list[Path]:
        """Return the folders of a question's days over a period, those that lack asked for."""
        kept = Kept(self.folder, query)
        if kept.missing(period):
            with kept.locked():
                for stretch in kept.missing(period):
                    values = query.bind(**Wanted(query.name, stretch).parameters)
                    self._ask(kept, kept.stretch(stretch), _of_the_fleet(query, values))
        return kept.of(period)

    def _whole(self, query: Query, values: Mapping[str, Any]) -> Path:
        """Return the folder of the answer to these parameters, asked for unless it is there."""
        asked = _of_the_fleet(query, values)
        kept = Kept(self.folder, query)
        folder = kept.whole(asked)
        if not folder.is_dir():
            with kept.locked():
                if not folder.is_dir():
                    self._ask(kept, folder, asked)
        return folder

    def _ask(self, kept: Kept, folder: Path, values: Mapping[str, Any]) -> None:
        warehouse, name = self.warehouse, kept.query.name
        warehouse.label(run=self.run, report=self.report or "batch")
        with closing(warehouse.batches(name, **values)) as pieces:
            self.asked = kept.write(
                folder,
                values,
                pieces,
                lambda: {**warehouse.last_job(), "report": self.report, "page": self.page},
            )

    def lacking(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Return what is to be asked so that these questions are answered from files.

        Days that several of them need are in one of the questions.
        """
        days: dict[str, list[Period]] = {}
        whole: set[Wanted] = set()
        for one in wanted:
            query = read_query(one.name)
            base = self._base(query, one.parameters)
            if base is not None:
                days.setdefault(base.name, []).append(whole_days(one.period))
                continue
            asked = _of_the_fleet(query, query.bind(**one.parameters))
            if not Kept(self.folder, query).whole(asked).is_dir():
                whole.add(one)
        stretches = {
            Wanted(name, gap)
            for name, periods in days.items()
            for period in _joined(periods)
            for gap in Kept(self.folder, read_query(name)).missing(period)
        }
        return sorted(whole | stretches)

    def ask(self, wanted: Wanted) -> Question | None:
        """Ask for what ``lacking`` named; return the record, or None where it was there by now."""
        self.asked = None
        query = read_query(wanted.name)
        if query.timed_by and wanted.period == whole_days(wanted.period):
            self._kept_over(query, wanted.period)
        else:
            self._whole(query, query.bind(**wanted.parameters))
        return self.asked

    def declare(self, declared: Mapping[str, Sequence[str]], *, serves_many: bool = False) -> None:
        """Let notebooks ask the questions of these names, by the notebook's name."""
        self._declared = declared
        self.serves_many = serves_many
        about = {"declared": dict(declared), "serves_many": serves_many}
        _write(self.folder, self.url, self.run, self._reaches, about)

    def complete_until(self) -> datetime | None:
        """Return how far the data reached when the batch began."""
        return None if self._reaches is None else instant(self._reaches)

    def newest(self) -> dict[str, datetime]:
        """Return the time of the newest row of tables; see ``Warehouse.newest``."""
        return self.warehouse.newest()

    def describe(self) -> "pl.DataFrame":
        """Return one row per table of the warehouse."""
        return self.warehouse.describe()

    def fingerprint(self) -> str:
        """Return what it was when the batch first asked; see ``Warehouse.fingerprint``."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return self.warehouse.fingerprint()

    def pending(self) -> dict[str, int]:
        """Return what a rollup would bring up to date; see ``Warehouse.pending``."""
        return self.warehouse.pending()

    def create(self, **_: Any) -> list[Step]:
        """Refuse: a batch changes no warehouse."""
        self._refuse("make tables")

    def load(self, *given: Any, **more: Any) -> LoadReport:
        """Refuse: a batch changes no warehouse."""
        self._refuse("load")

    def check(self, *given: Any, **more: Any) -> list[Finding]:
        """Refuse: a check reads the tables themselves."""
        self._refuse("check tables")

    def rollup(self, *given: Any, **more: Any) -> RollupReport:
        """Refuse: a batch changes no warehouse."""
        self._refuse("roll up")

    def migrate(self) -> list[str]:
        """Refuse: a batch changes no warehouse."""
        self._refuse("migrate")

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(
            f"a notebook of a batch cannot {what}; do it before 'fleetslo run', on {self.url}"
        )


@contextmanager
def extracted(home: Path, warehouse: Warehouse, run: str) -> Iterator[Extracts]:
    """Hold the answers of a batch, in a folder of its own that goes when the batch ends.

    Args:
        home: the home folder of the settings.
        warehouse: the one to ask.
        run: the batch's name.

    Raises:
        OutputError: the home folder cannot be written.
    """
    root = writable(home / "extracts")
    folder = root / run
    with (root / ".lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        _prune(root)
        with writing(folder):
            folder.mkdir()
            lock = (folder / ".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    with lock:
        try:
            reaches = warehouse.complete_until()
            known = None if reaches is None else reaches.isoformat()
            _write(folder, warehouse.url, run, known, {"declared": {}, "serves_many": False})
            yield Extracts(folder, warehouse=warehouse)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _prune(root: Path) -> None:
    """Remove what batches left that were killed: nobody holds their lock."""
    for lock in root.glob("*/.lock"):
        with suppress(OSError), lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def _write(
    folder: Path, url: str, run: str, reaches: str | None, more: Mapping[str, object]
) -> None:
    about = {"url": url, "run": run, "complete_until": reaches, **more}
    write_file(folder / _ABOUT, json.dumps(about))


def _of_the_fleet(query: Query, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters to ask with: of all services, where those can be told apart again."""
    asked = {name: value for name, value in values.items() if name in query.parameters}
    return asked | {"services": []} if query.sliced_by is not None else asked


def _is_whole(period: Period, step: timedelta | None) -> bool:
    return step is not None and not any(
        (moment - _EPOCH) % step for moment in (period.start, period.end)
    )


def _joined(periods: Sequence[Period]) -> list[Period]:
    """Return the same stretches of time, those that touch put together."""
    joined: list[Period] = []
    for period in sorted(periods):
        if joined and period.start <= joined[-1].end:
            joined[-1] = Period(joined[-1].start, max(joined[-1].end, period.end))
        else:
            joined.append(period)
    return joined
