"""Latency of a stretch of time as a grid: time bins across, rows of histogram buckets upwards.

Only the arithmetic of the heat map and of the quantile lines; nothing is drawn here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from fleetslo.errors import NoData
from fleetslo.periods import Period
from fleetslo.reliability import latency

BIN_HOURS = (1, 2, 3, 4, 6, 8, 12, 24, 48, 168)  # widths that start at the same hour every day
MOST_BINS = 170  # one per hour for a week, one per four hours for 28 days
MERGED_BUCKETS = (2, 3, 4, 6, 8)  # 9 %, 14 %, 19 %, 30 %, 41 % wide rows
MOST_CELLS = 7_000  # with five to eight bytes each, a figure stays under 80 KB
SHORTEST_BUCKET = -266  # 10 µs: durations of 0 must not stretch a logarithmic axis
_QUANTILES = (0.5, 0.95, 0.99)  # the lines over the heat map
HIDDEN_SHARE = 2e-4  # of all requests, per side: a stray row must not stretch the axis


@dataclass(frozen=True)
class Binned:
    """Histograms and counts of a period's time bins.

    Attributes:
        period: what the bins span, whether there is data or not.
        step: the width of a bin.
        histogram: one row per bin and bucket: ``bin, bucket, count``.
        counts: one row per bin with telemetry: ``bin, request_count, error_count``.
        hourly: the same two frames per ``hour``, which bins of another width are made of.
    """

    period: Period
    step: timedelta
    histogram: pl.DataFrame
    counts: pl.DataFrame
    hourly: tuple[pl.DataFrame, pl.DataFrame]

    @property
    def starts(self) -> list[datetime]:
        """The start of every bin, the first being the period's own."""
        count = -(-self.period.length // self.step)
        return [self.period.start + position * self.step for position in range(count)]

    def with_step(self, step: timedelta) -> "Binned":
        """Return the same hours in bins of another width."""
        return _in_bins(self.period, step, *self.hourly)


@dataclass(frozen=True)
class Grid:
    """Requests by time bin and duration row.

    Attributes:
        starts: the start of each bin, every bin of the period, UTC.
        step: the width of a bin.
        covered: per bin, whether any telemetry arrived.
        edges_s: the rows' bounds in seconds, one more than there are rows, ascending.
        counts: requests, shape (rows, bins).
    """

    starts: list[datetime]
    step: timedelta
    covered: npt.NDArray[np.bool_]
    edges_s: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    def stretches(self) -> list[tuple[int, int]]:
        """Return the half-open ranges of bins that follow each other with telemetry."""
        padded = np.concatenate(([False], self.covered, [False])).astype(np.int8)
        turns = np.flatnonzero(np.diff(padded))
        return [(int(a), int(b)) for a, b in zip(turns[::2], turns[1::2], strict=True)]


def bin_width(period: Period, most: int = MOST_BINS) -> timedelta:
    """Return the width of the time bins: an hour up to a week, four hours for 28 days."""
    hours = period.length / timedelta(hours=1)
    wide_enough = (width for width in BIN_HOURS if hours / width <= most)
    return timedelta(hours=next(wide_enough, BIN_HOURS[-1]))


def binned(hours: pl.DataFrame, period: Period) -> Binned:
    """Return the histograms of a period, merged per time bin as wide as ``bin_width`` has it.

    Args:
        hours: as ``latency/hours``: ``hour, request_count, error_count, latency``.
        period: what to look at.

    Raises:
        NoData: no request of the period has a duration.
    """
    rows = hours.filter(pl.col("hour") >= period.start, pl.col("hour") < period.end)
    histogram = latency.merge(rows, ["hour"])
    if histogram.is_empty():
        raise NoData(f"no request with a duration was recorded in {period.label}")
    counts = rows.group_by("hour").agg(pl.col("request_count", "error_count").sum())
    return _in_bins(period, bin_width(period), histogram, counts)


def _in_bins(
    period: Period, step: timedelta, histogram: pl.DataFrame, counts: pl.DataFrame
) -> Binned:
    width = int(step / timedelta(microseconds=1))
    start = pl.lit(period.start, dtype=pl.Datetime("us", "UTC"))
    offset = (pl.col("hour") - start).dt.total_microseconds() // width * width
    bin_of = (start + pl.duration(microseconds=offset)).alias("bin")
    return Binned(
        period,
        step,
        histogram.group_by(bin_of, "bucket").agg(pl.col("count").sum()).sort("bin", "bucket"),
        counts.group_by(bin_of).agg(pl.col("request_count", "error_count").sum()).sort("bin"),
        hourly=(histogram, counts),
    )


def levels(data: Binned) -> pl.DataFrame:
    """Return one row per bin of the period, in order, whether it holds data or not.

    Columns: ``bin, request_count, error_count`` (null without telemetry), ``duration_count``
    (requests with a duration) and ``p50_s, p95_s, p99_s`` (null for none).
    """
    every = pl.DataFrame({"bin": data.starts}, schema={"bin": pl.Datetime("us", "UTC")})
    return (
        every.join(data.counts, on="bin", how="left")
        .join(latency.quantile_frame(data.histogram, ["bin"], _QUANTILES), on="bin", how="left")
        .with_columns(pl.col("duration_count").fill_null(0))
        .sort("bin")
    )


def grid(data: Binned) -> Grid:
    """Return the requests of a period by time bin and duration."""
    histogram, starts = data.histogram, data.starts
    lowest, highest = _shown(histogram)
    merged = _merged_buckets(highest - lowest + 1, len(starts))
    first, last = lowest // merged, highest // merged
    cells = np.zeros((last - first + 1, len(starts)), dtype=np.int64)
    row = (histogram["bucket"].to_numpy() // merged).clip(first, last) - first
    np.add.at(cells, (row, _positions(data, histogram)), histogram["count"].to_numpy())
    covered = np.zeros(len(starts), dtype=np.bool_)
    covered[_positions(data, data.counts)] = True
    edges = [latency.bounds(bucket * merged)[0] for bucket in range(first, last + 2)]
    return Grid(starts, data.step, covered, np.array(edges), cells)


def _positions(data: Binned, frame: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the place of each row's bin among the bins of the period."""
    since = (frame["bin"] - data.period.start).dt.total_microseconds()
    places: npt.NDArray[np.int64] = (since // (data.step // timedelta(microseconds=1))).to_numpy()
    return places


def _shown(histogram: pl.DataFrame) -> tuple[int, int]:
    """Return the lowest and highest bucket to show; what is rarer joins the outermost rows."""
    total = histogram.group_by("bucket").agg(pl.col("count").sum()).sort("bucket")
    above = total["count"].cum_sum() / total["count"].sum()
    below = above - total["count"] / total["count"].sum()
    inner = total.filter((above > HIDDEN_SHARE) & (below < 1 - HIDDEN_SHARE))["bucket"]
    return max(int(inner[0]), SHORTEST_BUCKET), max(int(inner[-1]), SHORTEST_BUCKET)


def _merged_buckets(buckets: int, bins: int) -> int:
    fits = (merged for merged in MERGED_BUCKETS if (buckets / merged + 1) * bins <= MOST_CELLS)
    return next(fits, MERGED_BUCKETS[-1])
