"""Minutes summed into hours and days, and into what each objective measures.

Only what changed is rolled. For each derived table and day the warehouse notes what its source
looked like when it was rolled, so that late data refreshes its own day and rolling twice does
nothing. A day without minutes keeps the rows it has: they were rolled before the minutes went, or
loaded directly. Where a day has both minutes and rows that were loaded directly, see
``sums.combined`` and ``slo_minutes.combined``.

The counting is done by the statements in ``queries/rollups/``, day by day and a chunk of services
at a time, so that a large fleet fits in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from fleetslo.errors import DataFileError
from fleetslo.warehouse import slo_minutes, sums
from fleetslo.warehouse.base import Progress, RollupReport
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.layout import Layout
from fleetslo.warehouse.measures import Measure, grouped

__all__ = ["Measure", "RollupReport", "rollup"]

# Rows of a source that one statement reads. With eight buckets a row, merging the histograms of
# so many takes about 300 MB; counting under a threshold keeps no histogram and takes less.
MERGED_ROWS = 1_000_000
COUNTED_ROWS = 4_000_000

_SLO_SOURCES = ("requests", "sli_events")


class Rollable(Protocol):
    """A warehouse of files whose named queries can be asked."""

    layout: Layout

    def query(self, name: str, **parameters: Any) -> pl.DataFrame:
        """Return the answer to a named query."""


@dataclass(frozen=True)
class _Note:
    """What a day of a derived table was rolled from, and what came of it.

    ``sources`` and ``target`` are fingerprints, ``source_rows`` how many rows there were, ``mixed``
    whether rows stand that did not come from the sources, ``measures`` what was in force.
    """

    sources: dict[str, str] = field(default_factory=dict)
    source_rows: dict[str, int] = field(default_factory=dict)
    target: str | None = None
    mixed: bool = False
    measures: str = ""


@dataclass
class _Tally:
    """Counts what was written, and tells the caller how far it is."""

    progress: Progress | None
    days: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    unfilled: dict[str, list[date]] = field(default_factory=dict)

    def tell(self, table: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(f"roll up {table}", done, total)

    def wrote(self, table: str, rows: int) -> None:
        self.days[table] = self.days.get(table, 0) + 1
        self.rows[table] = self.rows.get(table, 0) + rows


def rollup(
    warehouse: Rollable, measures: Sequence[Measure], progress: Progress | None = None
) -> RollupReport:
    """Bring every derived table up to date with its source and the measures in force.

    Args:
        warehouse: where the tables lie.
        measures: what the objectives in force count; rows of any other leave ``slo_minutes``.
        progress: called with (what, days done, days in all).

    Returns:
        Days and rows written per derived table, and the days for which an objective could not be
        filled in, since the minutes are gone.
    """
    tally = _Tally(progress)
    for one in sums.SUMS:
        with _notes(warehouse.layout, one.target) as notes:
            _roll_sum(warehouse, one, notes, tally)
    with _notes(warehouse.layout, "slo_minutes") as notes:
        _roll_slo_minutes(warehouse, measures, notes, tally)
    unfilled = {name: tuple(days) for name, days in sorted(tally.unfilled.items())}
    return RollupReport(tally.days, tally.rows, unfilled)


def pending(layout: Layout) -> dict[str, int]:
    """Return, per derived table, the days whose source changed since they were rolled."""
    found: dict[str, int] = {}
    sources = {one.target: (one.source,) for one in sums.SUMS} | {"slo_minutes": _SLO_SOURCES}
    for target, names in sources.items():
        notes = _notes(layout, target).by_day
        days = {day for name in names for day in layout.days(name)}
        late = 0
        for day in days:
            prints = {name: layout.fingerprint(name, day) for name in names}
            known = {name: one for name, one in prints.items() if one is not None}
            late += known != notes.get(day, _Note()).sources
        if late:
            found[target] = late
    return found


class _notes:  # noqa: N801 - used like a function
    """Hold the notes of a derived table by day; what was noted is stored whatever happens."""

    def __init__(self, layout: Layout, table: str) -> None:
        self.layout, self.table = layout, table
        stored: dict[str, Any] = layout.meta["rolled"].get(table, {})
        self.before = stored
        self.by_day = {date.fromisoformat(day): _Note(**note) for day, note in stored.items()}

    def __enter__(self) -> dict[date, _Note]:
        return self.by_day

    def __exit__(self, *error: object) -> None:
        now = {day.isoformat(): asdict(note) for day, note in sorted(self.by_day.items())}
        if now != self.before:
            rolled = self.layout.meta["rolled"] | {self.table: now}
            self.layout.update_meta({"rolled": rolled})


def _stretch(day: date) -> dict[str, datetime]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {"start": start, "end": start + timedelta(days=1)}


def _stored(layout: Layout, table: str, day: date) -> pl.DataFrame:
    """Return the rows of a day as they stand; none with the right columns if there are none."""
    schema = contract(table).schema
    parts = [pl.DataFrame(schema=schema)]
    for file in sorted(layout.partition(table, day).glob("part-*.parquet")):
        with _reading(file):
            parts.append(pl.read_parquet(file, columns=list(schema), hive_partitioning=False))
    return pl.concat(parts)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except pl.exceptions.PolarsError as error:
        first = str(error).partition("\n")[0]
        raise DataFileError(
            f"{file}: cut short or damaged ({first}); fetch it again from its source"
        ) from error


def _rows_by_service(layout: Layout, table: str, day: date) -> dict[str, int]:
    counted: dict[str, int] = {}
    for file in sorted(layout.partition(table, day).glob("part-*.parquet")):
        with _reading(file):
            scanned = pl.scan_parquet(file, hive_partitioning=False).group_by("service").len()
            services = scanned.collect(engine="streaming")
        for service, rows in services.iter_rows():
            counted[service] = counted.get(service, 0) + rows
    return dict(sorted(counted.items()))


def _chunks(services: dict[str, int], most: int) -> Iterator[list[str]]:
    """Yield lists of services that hold no more than so many rows together, or one service."""
    chunk: list[str] = []
    rows = 0
    for service, count in services.items():
        if chunk and rows + count > most:
            yield chunk
            chunk, rows = [], 0
        chunk.append(service)
        rows += count
    if chunk:
        yield chunk


def _is_ours(note: _Note, target: str | None, source_rows: dict[str, int]) -> bool:
    """Return whether all rows that stand were rolled, from no more rows than there are now."""
    gone = any(source_rows.get(name, 0) < rows for name, rows in note.source_rows.items())
    return note.target == target and not note.mixed and not gone


def _roll_sum(warehouse: Rollable, one: sums.Sum, notes: dict[date, _Note], tally: _Tally) -> None:
    layout, days = warehouse.layout, warehouse.layout.days(one.source)
    for done, day in enumerate(days):
        tally.tell(one.target, done, len(days))
        note = notes.get(day, _Note())
        sources = {one.source: layout.fingerprint(one.source, day) or ""}
        target = layout.fingerprint(one.target, day)
        if (note.sources, note.target) == (sources, target) and target is not None:
            continue
        services = _rows_by_service(layout, one.source, day)
        source_rows = {one.source: sum(services.values())}
        parts = [
            warehouse.query(f"rollups/{one.target}", **_stretch(day), services=chunk)
            for chunk in _chunks(services, MERGED_ROWS)
        ]
        rows, mixed = sums.combined(
            one,
            pl.concat(parts),
            _stored(layout, one.target, day),
            ours=_is_ours(note, target, source_rows),
        )
        layout.write_day(contract(one.target), day, rows)
        tally.wrote(one.target, rows.height)
        written = layout.fingerprint(one.target, day)
        notes[day] = _Note(sources, source_rows, written, mixed)
    tally.tell(one.target, len(days), len(days))


def _roll_slo_minutes(
    warehouse: Rollable, measures: Sequence[Measure], notes: dict[date, _Note], tally: _Tally
) -> None:
    layout = warehouse.layout
    current = slo_minutes.triples(measures)
    in_force = slo_minutes.digest(current)
    days = sorted({day for name in (*_SLO_SOURCES, "slo_minutes") for day in layout.days(name)})
    for done, day in enumerate(days):
        tally.tell("slo_minutes", done, len(days))
        note = notes.get(day, _Note())
        prints = {name: layout.fingerprint(name, day) for name in _SLO_SOURCES}
        sources = {name: found for name, found in prints.items() if found is not None}
        target = layout.fingerprint("slo_minutes", day)
        if (note.sources, note.target, note.measures) == (sources, target, in_force):
            continue
        services = {name: _rows_by_service(layout, name, day) for name in sources}
        source_rows = {name: sum(found.values()) for name, found in services.items()}
        standing = _stored(layout, "slo_minutes", day)
        changed = [name for name in sources if sources[name] != note.sources.get(name)]
        wanted = _wanted(measures, standing, changed)
        fresh = _counted(warehouse, wanted, services, day)
        ours = _is_ours(note, target, source_rows)
        rows, mixed = slo_minutes.combined(fresh, standing, current, ours=ours)
        if fresh.height or rows.height != standing.height:
            layout.write_day(contract("slo_minutes"), day, rows)
            tally.wrote("slo_minutes", rows.height)
        for objective in slo_minutes.lost(
            slo_minutes.row_counts(rows),
            slo_minutes.row_counts(standing),
            slo_minutes.minute_counts(standing),
            current,
            list(sources),
        ):
            tally.unfilled.setdefault(objective, []).append(day)
        written = layout.fingerprint("slo_minutes", day)
        notes[day] = _Note(sources, source_rows, written, mixed or note.mixed, in_force)
    tally.tell("slo_minutes", len(days), len(days))


def _wanted(
    measures: Sequence[Measure], standing: pl.DataFrame, changed: Sequence[str]
) -> list[tuple[Measure, list[tuple[str, str, str]]]]:
    """Return what has to be counted: all of a changed source, else what has no rows yet."""
    known = set(standing.select(slo_minutes.TRIPLE).unique().iter_rows())
    wanted = []
    for selector, triples in grouped(measures):
        missing = [one for one in triples if selector.source in changed or one not in known]
        if missing:
            wanted.append((selector, missing))
    return wanted


def _counted(
    warehouse: Rollable,
    wanted: Sequence[tuple[Measure, list[tuple[str, str, str]]]],
    services: dict[str, dict[str, int]],
    day: date,
) -> pl.DataFrame:
    """Return the rows of a day that the wanted measures count, in the columns of the contract."""
    stretch = _stretch(day)
    names = list(contract("slo_minutes").schema)
    parts = [pl.DataFrame(schema=contract("slo_minutes").schema)]
    for selector, triples in wanted:
        of = pl.DataFrame(triples, schema=slo_minutes.TRIPLE, orient="row").unique()
        asked = set(of["service"])
        steps = warehouse.layout.steps(selector.source, stretch["start"], stretch["end"])
        by_step: dict[int, dict[str, int]] = {}
        for name, rows in services.get(selector.source, {}).items():
            if name in asked:
                step = steps.get(name, timedelta(minutes=1)) // timedelta(minutes=1)
                by_step.setdefault(max(step, 1), {})[name] = rows
        for step, sizes in by_step.items():
            for chunk in _chunks(sizes, COUNTED_ROWS):
                counts = warehouse.query(
                    selector.query,
                    **stretch,
                    services=chunk,
                    step_minutes=step,
                    **selector.parameters,
                )
                parts.append(counts.join(of, on="service").select(names))
    return pl.concat(parts)
