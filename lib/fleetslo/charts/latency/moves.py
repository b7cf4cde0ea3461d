"""Which part of a selection moved: endpoints, regions or versions, before and after."""

from collections.abc import Sequence
from typing import Literal

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.charts.latency.compare import LEAST_BEYOND, SAME
from fleetslo.charts.latency.over_time import FORMULA, QUERY
from fleetslo.reliability import latency

Dimension = Literal["endpoint", "region", "version"]
_P99_COUNT = LEAST_BEYOND * 100  # requests for which ten lie beyond p99


def moves(
    before: pl.DataFrame,
    after: pl.DataFrame,
    dimension: Dimension,
    labels: tuple[str, str] = ("before", "after"),
) -> Table:
    """Return a row per value of a dimension: requests, p50 and p99 of both sides, and the factor.

    The factor is that of p99; it is left out where one side has fewer than a thousand requests
    with a duration, since p99 is then decided by fewer than ten of them.

    Args:
        before: rows as of ``latency/hours``.
        after: rows as of ``latency/hours``.
        dimension: the column to tell apart.
        labels: what the two sides are called.
    """
    rows = (
        _of_each(before, dimension, "before")
        .join(_of_each(after, dimension, "after"), on=dimension, how="full", coalesce=True)
        .with_columns(pl.col("before_count", "after_count").fill_null(0))
        .with_columns(
            ratio=pl.when(pl.min_horizontal("before_count", "after_count") >= _P99_COUNT).then(
                pl.col("after_p99_s") / pl.col("before_p99_s")
            )
        )
        .sort(pl.col("ratio").log().abs(), descending=True, nulls_last=True)
    )
    return Table(
        title=_finding(rows, dimension),
        says=f"Each {dimension} of the selection, {labels[0]} and {labels[1]}.",
        columns=_columns(dimension, labels),
        rows=rows,
        made=Made(
            formula=FORMULA,
            counts={
                f"requests with a duration, {label}": int(rows[f"{side}_count"].sum())
                for side, label in zip(("before", "after"), labels, strict=True)
            },
            queries=[QUERY],
        ),
        empty=f"No {dimension} has a request with a duration.",
    )


def _of_each(hours: pl.DataFrame, dimension: str, side: str) -> pl.DataFrame:
    found = latency.quantile_frame(hours, [dimension], (0.5, 0.99))
    return found.filter(pl.col("duration_count") > 0).select(
        dimension,
        pl.col("duration_count").alias(f"{side}_count"),
        pl.col("p50_s").alias(f"{side}_p50_s"),
        pl.col("p99_s").alias(f"{side}_p99_s"),
    )


def _columns(dimension: str, labels: Sequence[str]) -> list[Col]:
    sides = list(zip(("before", "after"), labels, strict=True))
    return [
        Col(dimension, words.capital(dimension), head=True),
        Col("ratio", "p99 factor", "number", format="ratio"),
        *(
            Col(f"{side}_p99_s", f"p99, {label}", "number", format="latency")
            for side, label in sides
        ),
        *(
            Col(f"{side}_p50_s", f"p50, {label}", "number", format="latency", priority=2)
            for side, label in sides
        ),
        *(
            Col(f"{side}_count", f"Requests, {label}", "number", priority=3)
            for side, label in sides
        ),
    ]


def _finding(rows: pl.DataFrame, dimension: str) -> str:
    comparable = rows.filter(pl.col("ratio").is_not_null())
    if comparable.is_empty():
        return f"No {dimension} has enough requests on both sides"
    most = comparable.row(0, named=True)
    if 1 / SAME < most["ratio"] < SAME:
        return f"No {dimension} moved by more than {words.share(SAME - 1)} at p99"
    pair = words.bounds(words.latency(most["before_p99_s"]), words.latency(most["after_p99_s"]))
    moved = f"p99 from {pair.replace(' – ', ' to ')}"
    if comparable.height == 1:
        return f"{most[dimension]}: {moved}"
    return f"{most[dimension]} moved most: {moved}"
