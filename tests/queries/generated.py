"""Rows and parameters that hypothesis makes up for a query: sound, and as odd as data may be."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from fleetslo.warehouse.contracts import Column, Contract, contract
from fleetslo.warehouse.measures import pattern
from fleetslo.warehouse.queries import Query

# Midnights before clocks change: Europe's autumn and spring, America's autumn; and a leap day.
DAYS = [datetime(2026, 10, 25), datetime(2026, 3, 29), datetime(2026, 11, 1), datetime(2028, 2, 29)]  # noqa: DTZ001 - given UTC below
NAMES = ["cart", "DynamoDB_AWS::DynamoDB", 'O\'Brien "&" \\n', "Käse-日本", "🛒", "GET /cart/{id}"]
HUGE = 2**40
COUNTS = st.sampled_from([0, 1, 2, 3, 1000, HUGE - 1, HUGE])
MINUTE = timedelta(minutes=1)
# Minutes from midnight on, close together round the changes of clocks, so that rows share hours.
MINUTES = [-1, 0, 1, 2, 59, 60, 61, 119, 120, 121, 180, 420, 1439, 1440]


def _histogram(first: int, buckets: int, count: int) -> list[dict[str, int]]:
    return [
        {"bucket": bucket, "count": count} for bucket in range(first, min(first + buckets, 1024))
    ]


HISTOGRAMS = st.builds(
    _histogram, st.integers(-1024, 1023), st.sampled_from([0, 1, 2, 300]), st.sampled_from([1, 7])
) | st.builds(_histogram, st.integers(-40, 0), st.just(1), st.just(HUGE))


def _instants(day: datetime, step: timedelta) -> st.SearchStrategy[datetime]:
    """Return starts of a step at or before the minutes, or the days on both sides."""
    starts = {day + MINUTE * minute // step * step for minute in MINUTES}
    return st.sampled_from(sorted(starts))


def _values(
    column: Column, of: Contract, day: datetime, names: list[str]
) -> st.SearchStrategy[Any]:
    if column.name == "quality":
        values = st.sampled_from(["exact", "sampled", "approximate"])
    elif column.name == of.partition:
        values = _instants(day, of.step or timedelta(seconds=1))
    elif column.type.is_histogram:
        values = HISTOGRAMS
    else:
        # Sums of quarters are exact in whatever order they are added.
        values = {
            "STRING": st.sampled_from(names),
            "INT64": COUNTS,
            "FLOAT64": st.integers(0, 2**30).map(lambda quarters: quarters / 4),
            "BOOL": st.booleans(),
            "TIMESTAMP": _instants(day, timedelta(seconds=1)),
        }[column.type.kind]
    return st.none() | values if column.nullable else values


def _sound(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with totals that are no less than their parts."""
    held = sum(entry["count"] for entry in row.get("latency") or [])
    for total in ("request_count", "call_count"):
        if total in row:
            row[total] += row["error_count"] + held
    if "valid_count" in row:
        row["valid_count"] += row["good_count"] + row.get("uncertain_count", 0)
    return row


@st.composite
def _rows(draw: st.DrawFn, of: Contract, day: datetime, names: list[str]) -> pl.DataFrame:
    columns = {column.name: _values(column, of, day, names) for column in of.columns}
    if "latency" in columns and draw(st.sampled_from([False, True, False])):
        # Nobody recorded a duration.
        columns["latency"] = st.just([])
    row = st.fixed_dictionaries(columns).map(_sound)
    # A good number, one or none: lists of any length are mostly short.
    length = draw(st.sampled_from([10, 1, 10, 0]))
    drawn = draw(st.lists(row, min_size=length, max_size=length))
    rows = {tuple(row[name] for name in of.grain): row for row in drawn}
    return pl.DataFrame(list(rows.values()), schema=of.schema)


@st.composite
def asked(draw: st.DrawFn, query: Query) -> tuple[Mapping[str, pl.DataFrame], dict[str, Any]]:
    """Return the tables that a query reads, and its parameters."""
    day = draw(st.sampled_from(DAYS)).replace(tzinfo=UTC)
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))
    tables = {table: draw(_rows(contract(table), day, names)) for table in query.tables}
    # A rollup of what objectives measure is always told its services.
    fleet = [] if query.name.startswith("rollups/slo_minutes_") else [[]]
    services = st.sampled_from([names, [names[0], "nobody"], *fleet])
    globs = st.sampled_from([(), (), ("*",), (names[0],), (names[0][:2] + "*", "[!x]")])
    start = day + draw(st.sampled_from([0, -1, 0, 59])) * MINUTE
    start += timedelta(seconds=draw(st.sampled_from([0, 0, 20])))
    # The last three are starts of minutes, hours and days, which do not belong to the period.
    ends = [start + 2160 * MINUTE, day + 61 * MINUTE, day + 120 * MINUTE, day + 1440 * MINUTE]
    instants = _instants(day, MINUTE)
    stretches = draw(st.lists(st.tuples(st.sampled_from(names), instants, instants), max_size=5))
    fast = draw(st.integers(-45, 5))
    known = {
        "start": start,
        "end": draw(st.sampled_from(ends)),
        "services": draw(services),
        "objectives": draw(st.sampled_from([[], names[:1], ["none"]])),
        "slice_minutes": draw(st.sampled_from([1, 5, 7, 60, 1440])),
        "window_minutes": draw(st.lists(st.sampled_from([1, 5, 60, 1440, 2160]), max_size=4)),
        "stretch_services": [service for service, _, _ in stretches],
        "stretch_starts": [first for _, first, _ in stretches],
        "stretch_ends": [last for _, _, last in stretches],
        "step_minutes": draw(st.sampled_from([1, 5, 60])),
        "sli": names[0],
        "requests": draw(st.sampled_from(["all", "successful"])),
        "fast_bucket": fast,
        "cut_bucket": fast + draw(st.sampled_from([0, 1])),
        "slow_is_good": draw(st.booleans()),
        "endpoints": pattern(draw(globs)),
        "regions": pattern(draw(globs)),
        "versions": pattern(draw(globs)),
    }
    return tables, {name: known[name] for name in query.parameters}
