"""What each objective measured, minute by minute: which rows of a day stay, go and come."""

from collections.abc import Sequence
from hashlib import sha256

import polars as pl

from fleetslo.warehouse.measures import Measure

TRIPLE = ["service", "objective", "definition"]
GRAIN = [*TRIPLE, "minute"]


def triples(measures: Sequence[Measure]) -> pl.DataFrame:
    """Return one row per (service, objective, definition) in force, with its ``source`` table."""
    rows = [
        (service, measure.objective, measure.definition, measure.source)
        for measure in measures
        for service in measure.services
    ]
    return pl.DataFrame(rows, schema=[*TRIPLE, "source"], orient="row").cast(pl.String).unique()


def digest(current: pl.DataFrame) -> str:
    """Return a short text that changes when what is in force changes."""
    lines = current.sort(TRIPLE).rows()
    return sha256(repr(lines).encode()).hexdigest()[:16]


def combined(
    fresh: pl.DataFrame, standing: pl.DataFrame, current: pl.DataFrame, *, ours: bool
) -> tuple[pl.DataFrame, bool]:
    """Return the rows of a day, and whether some of them did not come from its sources.

    Rows of objectives or definitions no longer in force leave. Where all standing rows were rolled
    before (``ours``), fresh ones replace those of the same service, objective and definition; where
    rows were loaded directly, or minutes have gone since, fresh ones replace those of the same
    minute.
    """
    kept = standing.join(current.select(TRIPLE), on=TRIPLE, how="semi")
    same = TRIPLE if ours else GRAIN
    kept = kept.join(fresh.select(same).unique(), on=same, how="anti")
    return pl.concat([fresh, kept]), not ours and kept.height > 0


def lost(
    rows: pl.DataFrame,
    standing: pl.DataFrame,
    covered: pl.DataFrame,
    current: pl.DataFrame,
    sources: Sequence[str],
) -> list[str]:
    """Return the objectives that could not be filled in as far as their service was covered.

    An objective that is new on a day whose minutes are gone has no row of it; one whose definition
    changed has fewer rows than it had.

    Args:
        rows: ``row_count`` of each service, objective and definition of the day from now on.
        standing: the same as it was before.
        covered: ``minute_count`` of each service and objective, as it was before.
        current: what is in force, with its ``source``.
        sources: the tables that have rows of the day.
    """
    if standing.is_empty():
        return []
    new = current.join(standing.select(TRIPLE), on=TRIPLE, how="anti")
    unfilled = (
        new.join(standing.select("service").unique(), on="service", how="semi")
        .join(rows.select(*TRIPLE, now="row_count"), on=TRIPLE, how="left")
        .join(
            covered.select("service", "objective", before="minute_count"),
            on=["service", "objective"],
            how="left",
        )
        .with_columns(pl.col("now").fill_null(0), pl.col("before").fill_null(0))
        .filter(
            (pl.col("now") < pl.col("before"))
            | ((pl.col("now") == 0) & ~pl.col("source").is_in(list(sources)))
        )
    )
    return sorted(unfilled["objective"].unique())


def row_counts(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``row_count`` of each service, objective and definition."""
    return rows.group_by(TRIPLE).agg(row_count=pl.len())


def minute_counts(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``minute_count`` of each service and objective, whatever its definitions."""
    return rows.group_by("service", "objective").agg(minute_count=pl.col("minute").n_unique())
