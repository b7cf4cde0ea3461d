"""What a latency objective would have counted at other thresholds, from hourly histograms.

The meaning is that of the rollup ``rollups/slo_minutes_latency``: buckets wholly at or under the
threshold are good, those wholly over it bad, and uncertain are the bucket that it cuts, successes
without a recorded duration, and approximate rows that it divides. (An hour is approximate when one
of its minutes is, so that hours may leave a little more uncertain than minutes do.)
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fleetslo.reliability.buckets import bounds, bucket_of, nearest_bounds
from fleetslo.reliability.latency import merge, quantile_frame
from fleetslo.reliability.openslo.selectors import Selector

MOST_THRESHOLDS = 40  # a heat map of more rows is no longer read row by row
_FASTEST, _SLOWEST = 0.85, 0.9999  # no target is met under the first, any of four nines at the last
_MINUTES = 60


def selected(hours: pl.DataFrame, selector: Selector) -> pl.DataFrame:
    """Return the rows of ``latency/hours`` that an objective counts."""
    for column, patterns in (
        ("endpoint", selector.endpoints),
        ("region", selector.regions),
        ("version", selector.versions),
    ):
        if patterns:
            names = hours[column].unique().to_list()
            kept = [name for name in names if any(fnmatchcase(name, one) for one in patterns)]
            hours = hours.filter(pl.col(column).is_in(kept))
    return hours


def offered(hours: pl.DataFrame, present_s: float) -> list[float]:
    """Return the thresholds worth trying, in seconds, ascending.

    They are bucket bounds from the 85th to the 99.99th percentile, thinned evenly to at most
    ``MOST_THRESHOLDS``, the bounds next to the present threshold, and that itself. Bounds have
    ten digits, as people write them; they still count as bounds.
    """
    around = {present_s, *map(_as_written, nearest_bounds(present_s))} - {0.0}
    whole = quantile_frame(hours, [], [_FASTEST, _SLOWEST]).row(0)
    if whole[1] is None:
        return sorted(around)
    first, last = bucket_of(whole[1]), bucket_of(whole[2])
    step = -(-(last - first + 1) // MOST_THRESHOLDS)
    tried = {_as_written(bounds(bucket)[1]) for bucket in range(first, last + 1, step)}
    return sorted(tried | around)


def _as_written(bound: float) -> float:
    return float(f"{bound:.10g}")


def by_threshold(
    hours: pl.DataFrame, requests: Literal["all", "successful"], thresholds: Sequence[float]
) -> pl.DataFrame:
    """Return what would have been counted: one row per threshold and hour, in that order.

    Columns: ``within_s, at`` (the hour), ``good_count, valid_count, uncertain_count,
    covered_minutes`` (60: an hour that reported counts as covered).

    Args:
        hours: rows of ``latency/hours`` that the objective counts.
        requests: whether faults are valid, and so bad, or not counted at all.
        thresholds: in seconds.
    """
    success = pl.col("request_count") - pl.col("error_count")
    rows = hours.with_columns(success=success)
    totals = (
        rows.group_by("hour")
        .agg(pl.col("request_count", "success").sum())
        .sort("hour")
        .with_columns(valid=pl.col("request_count" if requests == "all" else "success"))
    )
    # An approximate row counts only where the threshold leaves all of it on one side: its
    # durations are good from its last bucket on, and may be good from its first.
    buckets = pl.col("latency").list.eval(pl.element().struct.field("bucket"))
    guessed = pl.col("quality") == "approximate"
    sides = []
    for end in (buckets.list.max(), buckets.list.min()):
        moved = pl.col("latency").list.eval(pl.element().struct.field("count")).list.sum()
        lumped = pl.concat_list(pl.struct(bucket=end.cast(pl.Int64), count=moved.cast(pl.Int64)))
        histogram = pl.when(guessed & (pl.col("latency").list.len() > 0)).then(lumped)
        sides.append(
            merge(rows.with_columns(latency=histogram.otherwise(pl.col("latency"))), ["hour"])
        )
    surely, perhaps = (_running(side, totals["hour"]) for side in sides)
    frames = []
    for within_s in thresholds:
        fast, cut = _sides(within_s)
        good, reached = surely(fast), perhaps(cut)
        slow = perhaps(None) - reached
        frames.append(
            totals.select(
                within_s=pl.lit(within_s),
                at="hour",
                good_count=pl.Series(good),
                valid_count="valid",
                uncertain_count=pl.col("success") - pl.Series(good) - pl.Series(slow),
                covered_minutes=pl.lit(_MINUTES, dtype=pl.Int64),
            )
        )
    return pl.concat(frames)


def _sides(within_s: float) -> tuple[int, int]:
    """Return the last bucket wholly at or under a threshold, and the one that it cuts, if any."""
    below, above = nearest_bounds(within_s)
    if below == above:
        return bucket_of(below), bucket_of(below)
    return bucket_of(within_s) - 1, bucket_of(within_s)


def _running(
    histogram: pl.DataFrame, hours: pl.Series
) -> Callable[[int | None], NDArray[np.int64]]:
    """Return a function: how many durations of each hour lie in buckets up to one; None, in all."""
    buckets = histogram["bucket"].unique().sort().to_numpy()
    grid = np.zeros((len(hours), len(buckets) + 1), dtype=np.int64)
    row = hours.search_sorted(histogram["hour"]).to_numpy()
    column = np.searchsorted(buckets, histogram["bucket"].to_numpy())
    np.add.at(grid, (row, column + 1), histogram["count"].to_numpy())
    running: NDArray[np.int64] = grid.cumsum(axis=1)

    def up_to(bucket: int | None) -> NDArray[np.int64]:
        if bucket is None:
            return running[:, -1]
        return running[:, np.searchsorted(buckets, bucket, side="right")]

    return up_to
