"""Minutes of a dataset summed into hours, days and what objectives measure.

What stands after it is what ``fleetslo.warehouse.rollups`` leaves in the embedded warehouse, which
says what the rules are. Only days that changed are rolled up, by one statement for as many days in
a row as are alike.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fleetslo.warehouse import sums
from fleetslo.warehouse.base import Progress, RollupReport
from fleetslo.warehouse.bigquery import counting, rolled, statements
from fleetslo.warehouse.bigquery.changes import Print, prints
from fleetslo.warehouse.bigquery.rolled import Note
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.measures import Measure
from fleetslo.warehouse.queries import read_query

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

_DAY = timedelta(days=1)
_MOST_DAYS = 7
"""Days that one statement rolls up: what it reads is bounded by bigquery_bytes_limit, and what a
killed process has done is noted."""


@dataclass(frozen=True)
class Due:
    """A day that has to be rolled up: what its sources and its rows look like, what is noted."""

    day: date
    sources: Mapping[str, Print]
    target: Print | None
    note: Note

    @property
    def is_ours(self) -> bool:
        """Whether all rows that stand were rolled up before."""
        return self.note.is_ours(self.target, self.sources)

    @property
    def marks(self) -> dict[str, str]:
        """What the sources look like, as it is noted."""
        return {name: str(one) for name, one in sorted(self.sources.items())}

    @property
    def changed(self) -> tuple[str, ...]:
        """The sources that are not what they were when the day was rolled up."""
        return tuple(
            name for name, mark in self.marks.items() if self.note.sources.get(name) != mark
        )


@dataclass
class Tally:
    """Counts what was written, and tells the caller how far it is."""

    progress: Progress | None
    days: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    unfilled: dict[str, list[date]] = field(default_factory=dict)

    def tell(self, table: str, done: int, total: int) -> None:
        """Say how many days of a table are done."""
        if self.progress is not None:
            self.progress(f"roll up {table}", done, total)

    def wrote(self, table: str, rows: int) -> None:
        """Count a day that was written."""
        self.days[table] = self.days.get(table, 0) + 1
        self.rows[table] = self.rows.get(table, 0) + rows


def rollup(
    warehouse: "BigQueryWarehouse", measures: Sequence[Measure], progress: Progress | None = None
) -> RollupReport:
    """Bring derived tables up to date; see ``Warehouse.rollup``.

    A day that was rolled up before and changed later is rolled up again only if it is at most
    ``rollup_horizon_days`` older than the newest day of its source.
    """
    rolled.make(warehouse)
    tally = Tally(progress)
    for one in sums.SUMS:
        _roll_sum(warehouse, one, tally)
    counting.roll_slo_minutes(warehouse, measures, tally)
    unfilled = {name: tuple(days) for name, days in sorted(tally.unfilled.items())}
    return RollupReport(tally.days, tally.rows, unfilled)


def pending(warehouse: "BigQueryWarehouse") -> dict[str, int]:
    """Return, per derived table, the days whose source changed since they were rolled up.

    Nothing is asked of a server that cannot say when a table was changed, since every row would be
    read; nor of a dataset that was never rolled up here.
    """
    if warehouse.settings.bigquery_endpoint is not None or not rolled.exists(warehouse):
        return {}
    sources = {one.target: (one.source,) for one in sums.SUMS} | {"slo_minutes": counting.SOURCES}
    found = prints(warehouse, sorted({name for names in sources.values() for name in names}))
    late = {}
    for target, names in sources.items():
        known = rolled.notes(warehouse, target)
        days = {day for name in names for day in found[name]}
        marks = {day: {n: str(found[n][day]) for n in names if day in found[n]} for day in days}
        count = sum(marks[day] != dict(known.get(day, Note()).sources) for day in days)
        if count:
            late[target] = count
    return late


def due(
    warehouse: "BigQueryWarehouse",
    target: str,
    sources: Sequence[str],
    is_stale: Callable[[Note], bool] = lambda note: False,
) -> tuple[list[Due], dict[date, Print]]:
    """Return the days of a derived table that have to be rolled up, and what all of its days are.

    Args:
        warehouse: the dataset.
        target: the derived table.
        sources: what it is made of; a day of any of them is a day of the table.
        is_stale: whether a day is to be rolled up though nothing changed; days of the table that
            have no source are looked at then, too.
    """
    found = prints(warehouse, [target, *sources])
    known = rolled.notes(warehouse, target)
    days = {day for name in sources for day in found[name]}
    days |= {day for day in found[target] if is_stale(known.get(day, Note()))}
    horizon = timedelta(days=warehouse.settings.rollup_horizon_days)
    first = max(days, default=date.max) - horizon if days else date.max
    ones = []
    for day in sorted(days):
        note = known.get(day, Note())
        one = Due(
            day,
            {n: found[n][day] for n in sources if day in found[n]},
            found[target].get(day),
            note,
        )
        stands = None if one.target is None else str(one.target)
        is_same = (one.marks, stands) == (dict(note.sources), note.target)
        if day in known and (is_same or day < first) and not is_stale(note):
            continue
        ones.append(one)
    return ones, found[target]


def runs(ones: Iterable[Due], alike: Callable[[Due], Any]) -> Iterator[list[Due]]:
    """Yield days in a row that one statement may roll up together."""
    for _, group in groupby(ones, alike):
        run: list[Due] = []
        for one in group:
            if run and (one.day != run[-1].day + _DAY or len(run) == _MOST_DAYS):
                yield run
                run = []
            run.append(one)
        yield run


def stretch(run: Sequence[Due]) -> dict[str, datetime]:
    """Return the time that a run of days covers, as queries take it."""
    first, last = (datetime.combine(one.day, time(), UTC) for one in (run[0], run[-1]))
    return {"start": first, "end": last + _DAY}


def _roll_sum(warehouse: "BigQueryWarehouse", one: sums.Sum, tally: Tally) -> None:
    from fleetslo.warehouse.bigquery.warehouse import bound_parameters

    ones, _ = due(warehouse, one.target, [one.source])
    query, done = read_query(f"rollups/{one.target}"), 0
    tally.tell(one.target, 0, len(ones))
    for run in runs(ones, lambda each: (each.is_ours, each.target is None)):
        ours = run[0].is_ours
        asked = bound_parameters(query.bound_types, query.bind(**stretch(run)))
        kept = _kept(warehouse, one, run) if not ours else {}
        statement = statements.sum_statement(one, contract(one.target), query.sql, ours=ours)
        warehouse.asker.do(statement, asked, f"rollup {one.target}")
        after = prints(warehouse, [one.target])[one.target]
        written = {}
        for each in run:
            stands = after.get(each.day)
            tally.wrote(one.target, stands.row_count if stands else 0)
            is_mixed = kept.get(each.day, 0) > 0
            written[each.day] = Note(each.marks, str(stands) if stands else None, is_mixed)
        rolled.note(warehouse, one.target, written)
        done += len(run)
        tally.tell(one.target, done, len(ones))


def _kept(warehouse: "BigQueryWarehouse", one: sums.Sum, run: Sequence[Due]) -> dict[date, int]:
    """Return by day how many rows stay that were not rolled up."""
    from google.cloud import bigquery

    times = [
        bigquery.ScalarQueryParameter(name, "TIMESTAMP", moment)
        for name, moment in stretch(run).items()
    ]
    sql = statements.kept_statement(one, contract(one.source).partition or "")
    found = warehouse.asker.answer(sql, times, f"rollup {one.target}")
    return {
        date.fromisoformat(day): count for day, count in found.select("day", "kept_count").rows()
    }
