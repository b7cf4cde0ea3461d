"""What objectives measure, counted inside a dataset: the days of ``slo_minutes``."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.warehouse import slo_minutes
from fleetslo.warehouse.bigquery import rolled, statements
from fleetslo.warehouse.bigquery.calling import patience
from fleetslo.warehouse.bigquery.changes import prints
from fleetslo.warehouse.bigquery.faults import explained
from fleetslo.warehouse.bigquery.rolled import Note
from fleetslo.warehouse.bigquery.steps import steps
from fleetslo.warehouse.bigquery.tables import loose
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.measures import Measure, grouped
from fleetslo.warehouse.queries import read_query

if TYPE_CHECKING:
    from fleetslo.warehouse.bigquery.rolling import Due, Tally
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

SOURCES = ("requests", "sli_events")
_TARGET = "slo_minutes"
_EXPIRES = timedelta(hours=6)
"""After which BigQuery drops what a killed process left counted."""
_MINUTE = timedelta(minutes=1)

Triples = list[tuple[str, str, str]]

_STANDING = """\
SELECT
  FORMAT_TIMESTAMP('%Y-%m-%d', minute) AS day,
  service,
  objective,
  definition,
  COUNT(*) AS row_count
FROM slo_minutes
WHERE
  minute >= @start
  AND minute < @end
GROUP BY day, service, objective, definition"""
_COVERED = """\
SELECT
  FORMAT_TIMESTAMP('%Y-%m-%d', minute) AS day,
  service,
  objective,
  COUNT(DISTINCT minute) AS minute_count
FROM slo_minutes
WHERE
  minute >= @start
  AND minute < @end
GROUP BY day, service, objective"""
_FRESH = """\
SELECT
  FORMAT_TIMESTAMP('%Y-%m-%d', minute) AS day,
  COUNT(*) AS row_count
FROM {fresh}
GROUP BY day"""
_COUNT = """\
INSERT INTO {fresh}
  (service, objective, definition, minute, good_count, valid_count, uncertain_count)
WITH counted AS (
{counts}
),

{wanted}

SELECT
  wanted.service,
  wanted.objective,
  wanted.definition,
  counted.minute,
  counted.good_count,
  counted.valid_count,
  counted.uncertain_count
FROM counted
INNER JOIN wanted
  ON counted.service = wanted.service"""


def roll_slo_minutes(
    warehouse: "BigQueryWarehouse", measures: Sequence[Measure], tally: "Tally"
) -> None:
    """Bring ``slo_minutes`` up to date with its sources and with what is in force."""
    from fleetslo.warehouse.bigquery.rolling import due, runs, stretch

    current = slo_minutes.triples(measures)
    in_force = slo_minutes.digest(current)
    ones, _ = due(warehouse, _TARGET, SOURCES, lambda note: note.measures != in_force)
    tally.tell(_TARGET, 0, len(ones))
    done = 0
    for run in runs(ones, lambda each: (each.is_ours, each.changed, tuple(each.sources))):
        standing = _asked(warehouse, _STANDING, stretch(run))
        for part in _alike(run, standing, measures):
            _roll(warehouse, part, standing, measures, current, in_force, tally)
            done += len(part)
            tally.tell(_TARGET, done, len(ones))


def _asked(warehouse: "BigQueryWarehouse", sql: str, times: dict[str, datetime]) -> pl.DataFrame:
    """Return an answer by day about some days of ``slo_minutes``."""
    found = warehouse.asker.answer(sql, _times(times), f"rollup {_TARGET}")
    return found.with_columns(pl.col("day").str.to_date())


def _times(times: dict[str, datetime]) -> list[Any]:
    from google.cloud import bigquery

    return [bigquery.ScalarQueryParameter(name, "TIMESTAMP", at) for name, at in times.items()]


def _of(standing: pl.DataFrame, day: date) -> pl.DataFrame:
    return standing.filter(pl.col("day") == day).drop("day")


def _alike(
    run: "Sequence[Due]", standing: pl.DataFrame, measures: Sequence[Measure]
) -> "Iterator[list[Due]]":
    """Yield the days of a run for which the same is to be counted."""
    part: list[Due] = []
    before: Any = None
    for each in run:
        wanted = _wanted(measures, _of(standing, each.day), each.changed)
        if part and wanted != before:
            yield part
            part = []
        part.append(each)
        before = wanted
    yield part


def _wanted(
    measures: Sequence[Measure], standing: pl.DataFrame, changed: Sequence[str]
) -> list[tuple[Measure, Triples]]:
    """Return what has to be counted: all of a changed source, else what has no rows yet."""
    known = set(standing.select(slo_minutes.TRIPLE).iter_rows())
    wanted = []
    for selector, triples in grouped(measures):
        missing = [one for one in triples if selector.source in changed or one not in known]
        if missing:
            wanted.append((selector, missing))
    return wanted


def _roll(
    warehouse: "BigQueryWarehouse",
    run: "Sequence[Due]",
    standing: pl.DataFrame,
    measures: Sequence[Measure],
    current: pl.DataFrame,
    in_force: str,
    tally: "Tally",
) -> None:
    """Count what is wanted of some days, put it in place and note it."""
    from fleetslo.warehouse.bigquery.rolling import stretch

    times, ours = stretch(run), run[0].is_ours
    wanted = _wanted(measures, _of(standing, run[0].day), run[0].changed)
    covered = _asked(warehouse, _COVERED, times) if standing.height else None
    with _fresh(warehouse) as fresh:
        coarse = {name: _coarse(warehouse, name, run) for name in run[0].sources if wanted}
        for selector, triples in wanted:
            if selector.source in coarse:
                _count(warehouse, fresh, selector, triples, run, coarse[selector.source])
        counted = _asked(warehouse, _FRESH.format(fresh=fresh), {})
        leaving = standing.join(current, on=slo_minutes.TRIPLE, how="anti").height > 0
        if counted.height or leaving:
            statement = statements.slo_statement(contract(_TARGET), fresh, ours=ours)
            warehouse.asker.do(statement, [*_times(times), *_arrays(current)], f"rollup {_TARGET}")
    after = _asked(warehouse, _STANDING, times)
    stands = prints(warehouse, [_TARGET])[_TARGET]
    new = dict(counted.select("day", "row_count").iter_rows())
    notes = {}
    for each in run:
        had, has = _of(standing, each.day), _of(after, each.day)
        rows = int(has["row_count"].sum())
        if new.get(each.day) or rows != int(had["row_count"].sum()):
            tally.wrote(_TARGET, rows)
        if covered is not None:
            minutes = _of(covered, each.day)
            for objective in slo_minutes.lost(has, had, minutes, current, list(each.sources)):
                tally.unfilled.setdefault(objective, []).append(each.day)
        is_mixed = each.note.is_mixed or (not ours and rows > new.get(each.day, 0))
        mark = str(stands[each.day]) if each.day in stands else None
        notes[each.day] = Note(each.marks, mark, is_mixed, in_force)
    rolled.note(warehouse, _TARGET, notes)


def _arrays(triples: pl.DataFrame) -> list[Any]:
    from google.cloud import bigquery

    ordered = triples.select(slo_minutes.TRIPLE).sort(slo_minutes.TRIPLE)
    names = ("triple_services", "objectives", "definitions")
    return [
        bigquery.ArrayQueryParameter(name, "STRING", ordered[column].to_list())
        for name, column in zip(names, slo_minutes.TRIPLE, strict=True)
    ]


@contextmanager
def _fresh(warehouse: "BigQueryWarehouse") -> Iterator[str]:
    """Hold a table for what is counted; it goes at the end, whatever happens."""
    from google.cloud import bigquery

    name = f"fleetslo_counted_{token_hex(6)}"
    made = bigquery.Table(f"{warehouse.dataset_id}.{name}", loose(contract(_TARGET)))
    made.expires = datetime.now(UTC) + _EXPIRES
    with explained(warehouse.url, name):
        warehouse.client.create_table(made, **patience(warehouse))
    try:
        yield name
    finally:
        with explained(warehouse.url, name):
            warehouse.client.delete_table(made, not_found_ok=True, **patience(warehouse))


def _coarse(
    warehouse: "BigQueryWarehouse", source: str, run: "Sequence[Due]"
) -> dict[date, dict[str, int]]:
    """Return by day the services whose rows cover more than a minute, and how many minutes.

    A service that is coarse on one of the days is named on each: on the others with one minute.
    """
    from fleetslo.warehouse.bigquery.rolling import stretch

    ever = steps(warehouse, source, **stretch(run))
    if not ever:
        return {}
    by_day = {each.day: steps(warehouse, source, **stretch([each])) for each in run}
    return {
        day: {service: max(found.get(service, _MINUTE) // _MINUTE, 1) for service in ever}
        for day, found in by_day.items()
    }


def _count(
    warehouse: "BigQueryWarehouse",
    fresh: str,
    selector: Measure,
    triples: Triples,
    run: "Sequence[Due]",
    coarse: Mapping[date, Mapping[str, int]],
) -> None:
    """Put what a selector counts of some days into a table, once for each of its objectives.

    Services that are coarse are counted day by day: a step is cut where its day ends.
    """
    from fleetslo.warehouse.bigquery.rolling import stretch
    from fleetslo.warehouse.bigquery.warehouse import bound_parameters

    query = read_query(selector.query)
    statement = _COUNT.format(
        fresh=fresh, counts=query.sql.strip(), wanted=statements.triples("wanted")
    )
    frame = pl.DataFrame(triples, schema=slo_minutes.TRIPLE, orient="row").unique()
    asked = set(frame["service"])
    uneven = asked.intersection(*coarse.values()) if coarse else set()
    parts = [(stretch(run), 1, asked - uneven)]
    for each in run if uneven else ():
        by_step: dict[int, set[str]] = {}
        for service in uneven:
            by_step.setdefault(coarse[each.day][service], set()).add(service)
        parts += [(stretch([each]), step, some) for step, some in sorted(by_step.items())]
    for times, step, services in parts:
        if not services:
            continue
        values = query.bind(
            **times, services=sorted(services), step_minutes=step, **selector.parameters
        )
        mine = frame.filter(pl.col("service").is_in(sorted(services)))
        warehouse.asker.do(
            statement,
            [*bound_parameters(query.bound_types, values), *_arrays(mine)],
            f"count {selector.source}",
        )
