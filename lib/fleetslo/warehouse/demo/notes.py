"""What the demo's folder remembers, as if it had been loaded and rolled up."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from fleetslo.warehouse import slo_minutes, sums
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.demo.clock import HISTORY_DAYS, ORIGIN, Size
from fleetslo.warehouse.layout import FORMAT, Layout
from fleetslo.warehouse.measures import Measure


def note_all(layout: Layout, size: Size, seed: int, name: str, measures: Sequence[Measure]) -> None:
    """Write the memory of the folder, so that a rollup finds nothing to do."""
    layout.update_meta(
        {
            "format": FORMAT,
            "contracts": {table: one.version for table, one in read_contracts().items()},
            "demo": {"size": name, "seed": seed},
            "rolled": rolled(layout, size, measures),
        }
    )


def rolled(layout: Layout, size: Size, measures: Sequence[Measure]) -> dict[str, Any]:
    """Return the notes of a rollup that has just been done, by derived table and day.

    A day is ``mixed`` where its source does not reach as far as its sums: the rows that stand
    there are of minutes that are gone.
    """
    reach = {
        "requests": size.minutes,
        "errors": size.minutes,
        "calls": size.calls,
        "requests_hourly": size.hours,
        "errors_hourly": size.hours,
    }
    notes: dict[str, Any] = {}
    for one in sums.SUMS:
        notes[one.target] = {
            day.isoformat(): _note(
                layout, [one.source], one.target, day, mixed=_age(day) > reach[one.source]
            )
            for day in layout.days(one.source)
        }
    in_force = slo_minutes.digest(slo_minutes.triples(measures))
    sources = ("requests", "sli_events")
    days = {day for table in (*sources, "slo_minutes") for day in layout.days(table)}
    notes["slo_minutes"] = {
        day.isoformat(): _note(
            layout, sources, "slo_minutes", day, mixed=_age(day) > size.minutes, measures=in_force
        )
        for day in sorted(days)
    }
    return notes


def _age(day: date) -> int:
    """Return how many days before the end of the fleet a day begins."""
    return HISTORY_DAYS - (day - ORIGIN.date()).days


def _note(
    layout: Layout,
    sources: Sequence[str],
    target: str,
    day: date,
    *,
    mixed: bool,
    measures: str = "",
) -> dict[str, Any]:
    prints = {name: layout.fingerprint(name, day) for name in sources}
    found = {name: text for name, text in prints.items() if text is not None}
    return {
        "sources": found,
        "source_rows": {name: _rows(layout, name, day) for name in found},
        "target": layout.fingerprint(target, day),
        "mixed": mixed,
        "measures": measures,
    }


def _rows(layout: Layout, table: str, day: date) -> int:
    files = layout.partition(table, day).glob("part-*.parquet")
    return sum(int(pl.scan_parquet(path).select(pl.len()).collect().item()) for path in files)
