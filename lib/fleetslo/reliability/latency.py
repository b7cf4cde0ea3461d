"""What a latency histogram says: quantiles, counts under a threshold, merges of whole frames.

A frame holds its histograms in a column ``latency``, a list of ``{bucket, count}``. Merging adds
counts, exactly and in any order; percentiles are never averaged. Inside a bucket the logarithm of
the duration is taken to run evenly, so a quantile is known to its bucket: 4.43 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.reliability.buckets import (
    BASE,
    BOUND_TOLERANCE,
    LOWEST,
    PER_DOUBLING,
    SCALE,
    bounds,
    bucket_of,
    buckets_of,
    histogram,
    nearest_bounds,
    scale_down,
)
from fleetslo.reliability.spreading import spread_bounds, spread_percentiles

__all__ = [
    "BASE",
    "BOUND_TOLERANCE",
    "HISTOGRAM",
    "LOWEST",
    "PER_DOUBLING",
    "RANK_SHRINK",
    "SCALE",
    "Estimate",
    "bounds",
    "bucket_of",
    "buckets_of",
    "count_at_most",
    "histogram",
    "merge",
    "nearest_bounds",
    "quantile",
    "quantile_column",
    "quantile_frame",
    "refuse_quantile",
    "scale_down",
    "spread_bounds",
    "spread_percentiles",
]

HISTOGRAM = pl.List(pl.Struct({"bucket": pl.Int64, "count": pl.Int64}))
"""The type of a column that holds one histogram per row."""

# 0.07 × 100 is 7.000000000000001 in floats. Without this the rank would fall into the bucket
# after the seventh request, which may be far away.
RANK_SHRINK = 1 - 2.0**-50


@dataclass(frozen=True)
class Estimate:
    """A count that lies between ``low`` and ``high``; ``value`` is the likeliest."""

    low: int
    value: float
    high: int


def refuse_quantile(q: float) -> None:
    """Raise ParameterError unless ``q`` is between 0 and 1."""
    if not 0 <= q <= 1:
        raise ParameterError(f"there is no quantile {q!r}; it is between 0 and 1, so p99 is 0.99")


def quantile(buckets: Sequence[int], counts: Sequence[int], q: float) -> float | None:
    """Return the duration in seconds that a share ``q`` of the requests took at most.

    Its bucket is the first whose running count reaches ``q`` times all of them; inside it the
    position is interpolated on the logarithm. None for an empty histogram.

    Raises:
        ParameterError: ``q`` is not between 0 and 1, or the histogram is malformed.
    """
    refuse_quantile(q)
    places, amounts = histogram(buckets, counts)
    if not places.size:
        return None
    running = np.cumsum(amounts)
    rank = q * float(running[-1]) * RANK_SHRINK
    found = int(np.searchsorted(running, rank, side="left"))
    if places[found] == LOWEST:
        return 0.0
    share = (rank - float(running[found] - amounts[found])) / float(amounts[found])
    return float(2.0 ** ((float(places[found]) + share) / PER_DOUBLING))


def count_at_most(buckets: Sequence[int], counts: Sequence[int], seconds: float) -> Estimate:
    """Return how many durations are at or under a threshold.

    ``low`` counts the buckets that lie wholly under it, ``high`` adds the one that it cuts, and
    ``value`` the part of that one below it, by logarithm. All three are equal where the threshold
    is a bucket bound (to within ``BOUND_TOLERANCE``), and in the lowest bucket: what that holds
    took no time that a clock could tell.

    Raises:
        ParameterError: the threshold is negative or not finite, or the histogram is malformed.
    """
    places, amounts = histogram(buckets, counts)
    below, above = nearest_bounds(seconds)
    cut = bucket_of(below if below == above else seconds)
    if below == above or cut == LOWEST:
        exact = int(amounts[places <= cut].sum())
        return Estimate(exact, float(exact), exact)
    low = int(amounts[places < cut].sum())
    inside = int(amounts[places == cut].sum())
    share = PER_DOUBLING * math.log2(seconds) - cut
    return Estimate(low, low + inside * share, low + inside)


def merge(frame: pl.DataFrame, by: Sequence[str], *, column: str = "latency") -> pl.DataFrame:
    """Return the sums of a frame's histograms: one row per ``by`` and bucket, in that order.

    Columns: those of ``by``, ``bucket``, ``count``. Rows without any duration leave none.
    """
    keys = list(by)
    return (
        frame.lazy()
        .select(*keys, column)
        .explode(column)
        .unnest(column)
        .filter(pl.col("count") > 0)
        .group_by(*keys, "bucket")
        .agg(pl.col("count").sum())
        .sort(*keys, "bucket")
        .collect()
    )


def quantile_column(q: float) -> str:
    """Return the column name of a quantile in seconds: ``p50_s``, ``p99_s``, ``p99_9_s``."""
    return f"p{100 * q:.10g}_s".replace(".", "_")


def quantile_frame(frame: pl.DataFrame, by: Sequence[str], qs: Sequence[float]) -> pl.DataFrame:
    """Return the quantiles of each group: one row per ``by``, in the order of ``by``.

    Args:
        frame: histograms in a column ``latency``, or what ``merge`` returned.
        by: the columns that make a group; none makes one of everything.
        qs: quantiles between 0 and 1.

    Returns:
        Columns ``by``, ``duration_count`` and one per quantile, named by ``quantile_column``;
        null where a group holds no duration.

    Raises:
        ParameterError: a quantile is not between 0 and 1.
    """
    for q in qs:
        refuse_quantile(q)
    keys = list(by)
    merged = merge(frame, keys) if "latency" in frame.columns else frame.sort(*keys, "bucket")
    count = pl.col("count")
    running = count.cum_sum().over(keys) if keys else count.cum_sum()
    answers = []
    for q in qs:
        rank = count.sum().cast(pl.Float64) * (q * RANK_SHRINK)
        reached = (pl.col("running") >= rank).arg_max()
        bucket, before = pl.col("bucket").get(reached), (pl.col("running") - count).get(reached)
        share = (rank - before) / count.get(reached)
        value = pl.lit(2.0).pow((bucket + share) / PER_DOUBLING)
        answers.append(
            pl.when(bucket > LOWEST).then(value).otherwise(0.0).alias(quantile_column(q))
        )
    ranked = merged.filter(count > 0).with_columns(running=running)
    duration_count = count.sum().alias("duration_count")
    if not keys:
        if ranked.is_empty():
            empty = {quantile_column(q): pl.Series([None], dtype=pl.Float64) for q in qs}
            return pl.DataFrame({"duration_count": [0], **empty})
        return ranked.select(duration_count, *answers)
    found = ranked.group_by(keys).agg(duration_count, *answers)
    groups = frame.select(keys).unique()
    return (
        groups.join(found, on=keys, how="left", nulls_equal=True)
        .with_columns(pl.col("duration_count").fill_null(0))
        .sort(keys)
    )
