"""Errors of a stretch of time in bins, the values that matter apart; nothing is drawn here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from fleetslo.charts.latency.grid import bin_width
from fleetslo.periods import Period
from fleetslo.reliability.failing.clumping import Stretch

MOST_APART = 4  # values with a colour of their own


@dataclass(frozen=True)
class Stacked:
    """What is drawn: a row per bin of time, whether anything was recorded in it or not.

    Attributes:
        step: the width of a bin.
        values: the values apart, the first at the bottom.
        bins: ``bin``, a count per value (``v0``, …), ``others`` and ``request_count``; all are
            null where nothing was recorded.
    """

    step: timedelta
    values: list[str | None]
    bins: pl.DataFrame

    @property
    def columns(self) -> list[str]:
        """The columns of counts, the lowest in the stack first."""
        own = [f"v{i}" for i in range(len(self.values))]
        return [*own, "others"] if self.bins["others"].sum() else own

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:
        """Return the stretches in which nothing was recorded, not even no traffic."""
        missing = self.bins.filter(pl.col("request_count").is_null())["bin"].to_list()
        found: list[tuple[datetime, datetime]] = []
        for at in missing:
            if found and found[-1][1] == at:
                found[-1] = (found[-1][0], at + self.step)
            else:
                found.append((at, at + self.step))
        return found


def stacked(both: Stretch, by: str, shown: Period, first: Sequence[str | None] = ()) -> Stacked:
    """Return errors by ``by`` in bins of time; ``first`` are told apart however few they are."""
    step = bin_width(shown)
    counted = both.errors.group_by(by).agg(pl.col("error_count").sum())
    order = counted.sort("error_count", by, descending=[True, False])[by].to_list()
    apart = [value for value in first if value in order]
    apart = (apart + [value for value in order if value not in apart])[:MOST_APART]
    values = [value for value in order if value in apart]
    start = pl.lit(shown.start, dtype=pl.Datetime("us", "UTC"))
    width = int(step / timedelta(microseconds=1))
    offset = (pl.col("hour") - start).dt.total_microseconds() // width * width
    cut = (start + pl.duration(microseconds=offset)).alias("bin")
    bins = pl.DataFrame(
        {"bin": pl.datetime_range(shown.start, shown.end, step, closed="left", eager=True)}
    ).with_columns(pl.col("bin").cast(pl.Datetime("us", "UTC")))
    traffic = both.requests.group_by(cut).agg(pl.col("request_count").sum())
    sums = [
        pl.col("error_count").filter(pl.col(by).eq_missing(pl.lit(value))).sum().alias(f"v{i}")
        for i, value in enumerate(values)
    ]
    own = [f"v{i}" for i in range(len(values))]
    errors = (
        both.errors.with_columns(cut)
        .group_by("bin")
        .agg(*sums, all_count=pl.col("error_count").sum())
        .with_columns(others=pl.col("all_count") - pl.sum_horizontal(*own, pl.lit(0)))
        .drop("all_count")
    )
    filled = (
        pl.when(pl.col("request_count").is_not_null()).then(pl.col(column).fill_null(0))
        for column in (*own, "others")
    )
    joined = bins.join(traffic, on="bin", how="left").join(errors, on="bin", how="left")
    return Stacked(step, values, joined.sort("bin").with_columns(*filled))
