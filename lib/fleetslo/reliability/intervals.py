"""Intervals for what is inferred: differences and rates, by resampling whole blocks of time.

Requests fail and slow down together, so an interval that takes each request for a trial of its own
is far too narrow. Drawing whole hours or days keeps what belongs together together. Source: Efron
and Tibshirani, An Introduction to the Bootstrap, chapters 8 (blocks) and 13 (percentile interval).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fleetslo.errors import ParameterError
from fleetslo.reliability.buckets import LOWEST, PER_DOUBLING
from fleetslo.reliability.latency import RANK_SHRINK, merge, quantile, refuse_quantile

Block = Literal["hour", "day"]
Matrix = NDArray[np.float64]

_EVERY: dict[str, str] = {"hour": "1h", "day": "1d"}

# Of fewer blocks there are too few different draws for a 95 % interval to mean anything.
LEAST_BLOCKS = 5


@dataclass(frozen=True)
class Interval:
    """A value with the bounds that hold it; None for both where there are too few blocks."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class QuantileShift:
    """How far a quantile moved from one stretch to another.

    Attributes:
        q: the quantile, 0–1.
        value_before: its duration before, in seconds; None without any duration.
        value_after: its duration after, likewise.
        ratio: after over before; None where either is missing or before is 0.
        low: lower bound of the ratio; None where there is no ratio or there are too few blocks.
        high: upper bound of the ratio, likewise.
    """

    q: float
    value_before: float | None
    value_after: float | None
    ratio: float | None
    low: float | None
    high: float | None


def _draws(blocks: Matrix, resamples: int, random: np.random.Generator) -> Matrix:
    """Return sums over blocks drawn with replacement: one row per resample, blocks' columns."""
    count = len(blocks)
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    drawn: Matrix = weights.astype(np.float64) @ blocks  # in floats: BLAS has no integers
    return drawn


def _bounds(values: Matrix, confidence: float) -> tuple[float, float]:
    beyond = (1 - confidence) / 2
    low, high = np.quantile(values, [beyond, 1 - beyond])
    return float(low), float(high)


def _refuse_draws(resamples: int, confidence: float) -> None:
    if resamples < 1:
        raise ParameterError(f"{resamples} resamples make no interval; give some hundreds")
    if not 0 < confidence < 1:
        raise ParameterError(f"a confidence of {confidence!r} cannot be; it is between 0 and 1")


def block_bootstrap(
    blocks: Matrix,
    statistic: Callable[[Matrix], Matrix],
    *,
    resamples: int = 500,
    seed: int = 1,
    confidence: float = 0.95,
) -> Interval | None:
    """Return a statistic of summed counts with its percentile interval over resampled blocks.

    Args:
        blocks: counts, one row per block of time (an hour, a day), one column per count.
        statistic: from sums of such rows, any number of them at once, to one value each; NaN
            where a draw has none.
        resamples: how many draws.
        seed: of the draws, so that a rerun gives the same interval.
        confidence: the share of draws that the interval holds.

    Returns:
        None where there is no block or the statistic of all of them is NaN.

    Raises:
        ParameterError: no draws, or a confidence that cannot be.
    """
    _refuse_draws(resamples, confidence)
    counts = np.asarray(blocks, dtype=np.float64)
    if not len(counts):
        return None
    value = float(statistic(counts.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return None
    if len(counts) < LEAST_BLOCKS:
        return Interval(value, None, None)
    drawn = statistic(_draws(counts, resamples, np.random.default_rng(seed)))
    low, high = _bounds(drawn[~np.isnan(drawn)], confidence)
    return Interval(value, low, high)


@dataclass(frozen=True)
class _Side:
    """The histograms of one stretch of time: one row per block, one column per bucket."""

    buckets: NDArray[np.int64]
    blocks: Matrix

    @classmethod
    def of(cls, frame: pl.DataFrame, block: Block) -> "_Side":
        cut = frame.select(pl.col("hour").dt.truncate(_EVERY[block]), "latency")
        long = merge(cut, ["hour"])
        buckets, column = np.unique(long["bucket"].to_numpy(), return_inverse=True)
        row = long["hour"].rank("dense").to_numpy().astype(np.int64) - 1
        blocks = np.zeros((long["hour"].n_unique(), buckets.size))
        blocks[row, column] = long["count"].to_numpy()
        return cls(buckets, blocks)

    def quantile(self, q: float) -> float | None:
        counts = self.blocks.sum(axis=0).astype(np.int64)
        return quantile(self.buckets.tolist(), counts.tolist(), q)

    def draws(self, resamples: int, seed: Sequence[int]) -> Matrix:
        return _draws(self.blocks, resamples, np.random.default_rng(list(seed)))


def _quantiles(buckets: NDArray[np.int64], counts: Matrix, q: float) -> Matrix:
    """Return a quantile of each row of counts, in seconds, as ``latency.quantile`` does for one."""
    running = np.cumsum(counts, axis=1)
    rank = q * running[:, -1] * RANK_SHRINK
    found = ((running >= rank[:, None]) & (counts > 0)).argmax(axis=1)
    rows = np.arange(len(counts))
    inside = counts[rows, found]
    share = (rank - (running[rows, found] - inside)) / inside
    values: Matrix = np.exp2((buckets[found] + share) / PER_DOUBLING)
    return np.where(buckets[found] == LOWEST, 0.0, values)


def quantile_shifts(
    before: pl.DataFrame,
    after: pl.DataFrame,
    qs: Sequence[float],
    *,
    block: Block = "hour",
    resamples: int = 500,
    seed: int = 1,
    confidence: float = 0.95,
) -> tuple[QuantileShift, ...]:
    """Return how far each quantile moved, as a ratio with its interval, in the order of ``qs``.

    Both sides are resampled by blocks of time, independently; the draws serve all quantiles.

    Args:
        before: rows with ``hour`` (a time in UTC) and ``latency``; several rows of an hour add up.
        after: likewise.
        qs: quantiles between 0 and 1.
        block: what is drawn at once: ``hour``, or ``day`` where slow hours come in long runs.
        resamples: how many draws.
        seed: of the draws, so that a rerun gives the same intervals.
        confidence: the share of draws that an interval holds.

    Raises:
        ParameterError: a quantile, block, number of draws or confidence that cannot be.
    """
    _refuse_draws(resamples, confidence)
    if block not in _EVERY:
        raise ParameterError(f"there is no block {block!r}; there are {' and '.join(_EVERY)}")
    for q in qs:
        refuse_quantile(q)
    sides = [_Side.of(frame, block) for frame in (before, after)]
    enough = all(len(side.blocks) >= LEAST_BLOCKS for side in sides)
    draws = [side.draws(resamples, (seed, i)) for i, side in enumerate(sides)] if enough else []
    shifts = []
    for q in qs:
        first, second = (side.quantile(q) for side in sides)
        ratio = second / first if first and second is not None else None
        low = high = None
        if enough and ratio is not None:
            drawn = [
                _quantiles(side.buckets, counts, q)
                for side, counts in zip(sides, draws, strict=True)
            ]
            some = drawn[0] > 0
            low, high = _bounds(drawn[1][some] / drawn[0][some], confidence)
        shifts.append(QuantileShift(q, first, second, ratio, low, high))
    return tuple(shifts)
