"""Histograms made from less than one: from percentiles, or from counts between bounds.

Both answers are approximate and belong to rows of quality ``approximate``. The counts are whole
numbers that add up to the given count exactly: what is rounded is the running total.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fleetslo.errors import ParameterError
from fleetslo.reliability.buckets import LOWEST, PER_DOUBLING, bucket_of, histogram, refuse_duration

# Where nothing says how far the outermost stretch reaches, it is taken to be this many times.
_UNKNOWN_REACH = 2.0
# Beyond the outermost percentiles a log-normal tail is followed this many buckets (64 times) and no
# further: the most of a hundred million durations with a sigma of 1.3 lies as far from their p99.
_FURTHEST = 6 * PER_DOUBLING
_SHORTEST_LOG2 = (LOWEST + 1) / PER_DOUBLING
_NORMAL = NormalDist()

Spread = tuple[list[int], list[int]]


def _rounded(first: int, running: NDArray[np.float64], total: int) -> Spread:
    """Return the histogram with these running totals at the upper bounds from ``first`` on.

    One more bucket takes what the last of them leaves of ``total``.
    """
    whole = np.floor(np.append(running, total) + 0.5).astype(np.int64)
    whole = np.maximum.accumulate(np.clip(whole, 0, total))
    places = range(first, first + whole.size)
    buckets, counts = histogram(places, np.diff(whole, prepend=0).tolist())
    return buckets.tolist(), counts.tolist()


def _log2(seconds: float) -> float:
    return max(math.log2(seconds), _SHORTEST_LOG2) if seconds > 0 else _SHORTEST_LOG2


def _refuse_count(count: int) -> None:
    if count < 0:
        raise ParameterError(f"a count of {count} cannot be spread; give 0 or more")


class _Curve:
    """How many of ``count`` durations are at or under a bucket bound, through percentiles."""

    def __init__(self, count: int, knots: Sequence[tuple[float, float]]) -> None:
        self.count = count
        self.ends = (knots[0][0] == 0, knots[-1][0] == 1)
        self.buckets = [bucket_of(seconds) for _, seconds in knots]
        self.logs = [_log2(seconds) for _, seconds in knots]
        inner = [q for q, _ in knots if 0 < q < 1]
        low = min([0.25 / count, *(q / 2 for q in inner[:1])])
        high = max([1 - 0.25 / count, *((1 + q) / 2 for q in inner[-1:])])
        self.scores = [_NORMAL.inv_cdf(min(max(q, low), high)) for q, _ in knots]
        self.slopes = [
            (s[1] - s[0]) / (x[1] - x[0]) if x[1] > x[0] else math.inf
            for s, x in zip(pairwise(self.scores), pairwise(self.logs), strict=True)
        ]
        finite = [slope for slope in self.slopes if math.isfinite(slope)] or [math.inf]
        self.below, self.above = finite[0], finite[-1]

    def at(self, bucket: int) -> float:
        """Return how many durations are at or under the upper bound of a bucket."""
        knot = max((i for i, place in enumerate(self.buckets) if place <= bucket), default=-1)
        if knot == -1 and (self.ends[0] or math.isinf(self.below)):
            return 0.0
        last = knot == len(self.logs) - 1
        if last and (self.ends[1] or math.isinf(self.above)):
            return float(self.count)
        slope = self.below if knot == -1 else self.above if last else self.slopes[knot]
        base = max(knot, 0)
        score = self.scores[base] + slope * ((bucket + 1) / PER_DOUBLING - self.logs[base])
        lowest = self.scores[knot] if knot >= 0 else -math.inf
        highest = self.scores[knot + 1] if not last else math.inf
        found = self.count * _NORMAL.cdf(min(max(score, lowest), highest))
        if self.ends[1]:  # one of them is the longest
            found = min(found, self.count - 1.0)
        return max(found, 1.0) if self.ends[0] else found


def spread_percentiles(count: int, knots: Mapping[float, float]) -> Spread:
    """Return buckets and counts of ``count`` durations that have the given percentiles.

    Between two percentiles the logarithm of the duration runs straight against the normal score
    of the quantile, which is exact for a log-normal distribution; outside them the nearest stretch
    goes on. Quantiles 0 and 1, the shortest and the longest, end the distribution. With one
    percentile, or equal ones, all durations are that long: nothing says otherwise.

    Args:
        count: how many durations there were.
        knots: quantile (0–1) to duration in seconds, one at least, not falling.

    Raises:
        ParameterError: a count, quantile or duration that cannot be, no percentile at all, or
            durations that fall while quantiles rise.
    """
    _refuse_count(count)
    if not knots:
        raise ParameterError("there is no percentile to spread by; give one at least")
    ordered = sorted(knots.items())
    for quantile, seconds in ordered:
        if not 0 <= quantile <= 1:
            raise ParameterError(f"there is no quantile {quantile!r}; it is between 0 and 1")
        refuse_duration(seconds)
    for (lower, shorter), (upper, longer) in pairwise(ordered):
        if shorter > longer:
            raise ParameterError(
                f"the {lower:.4g} quantile is {shorter!r} s and the {upper:.4g} quantile "
                f"{longer!r} s; the higher one cannot be shorter"
            )
    if count == 0:
        return [], []
    curve = _Curve(count, ordered)
    first, last = curve.buckets[0], curve.buckets[-1]
    lowest, highest = max(first - _FURTHEST, LOWEST), last + _FURTHEST
    while first > lowest and curve.at(first - 1) >= 0.5:
        first -= 1
    while last < highest and curve.at(last) < count - 0.5:
        last += 1
    running = np.array([curve.at(bucket) for bucket in range(first, last)], dtype=np.float64)
    return _rounded(first, running, count)


def _stretches(
    edges: Sequence[float], counts: Sequence[int], shortest: float | None, longest: float | None
) -> list[tuple[float, float, int]]:
    """Return (lower, upper, count) of each stretch that holds something, its ends filled in."""
    marks = [0.0, *edges] if edges[0] > 0 else list(edges)
    amounts = list(counts) if edges[0] > 0 else list(counts[1:])
    reach = [upper / lower for lower, upper in pairwise(marks) if lower > 0] or [_UNKNOWN_REACH]
    uppers = [*marks[1:], marks[-1] * reach[-1]]
    lowers = [marks[1] / reach[0], *marks[1:]]
    held = [s for s in zip(lowers, uppers, amounts, strict=True) if s[2] > 0]
    if not held:
        return held
    if shortest is not None:
        lower, upper, amount = held[0]
        floor = 0.0 if lower == lowers[0] else lower
        if not floor < shortest <= upper:
            raise ParameterError(
                f"the shortest duration, {shortest!r} s, lies outside the first bounds that hold "
                f"any, {floor!r} to {upper!r} s"
            )
        held[0] = (shortest, upper, amount)
    if longest is not None:
        lower, upper, amount = held[-1]
        ceiling = math.inf if upper == uppers[-1] else upper
        if not max(lower, shortest or 0.0) <= longest <= ceiling:
            raise ParameterError(
                f"the longest duration, {longest!r} s, lies outside the last bounds that hold "
                f"any, {lower!r} to {ceiling!r} s"
            )
        held[-1] = (lower, longest, amount)
    return held


def spread_bounds(
    edges: Sequence[float],
    counts: Sequence[int],
    *,
    shortest: float | None = None,
    longest: float | None = None,
) -> Spread:
    """Return buckets and counts of durations that were counted between bounds.

    Within two bounds the durations are spread evenly over the logarithm. A first bound of 0 is
    the count of durations that are 0.

    Args:
        edges: the bounds in seconds, rising, each the longest duration of its stretch.
        counts: one more than edges: up to the first, between each two, over the last.
        shortest: the shortest duration, where known and over 0; else the first stretch reaches
            down by the same ratio as the second.
        longest: the longest duration, where known; else the last stretch reaches up by the same
            ratio as the one before it.

    Raises:
        ParameterError: bounds that do not rise, counts that do not fit them, or a shortest or
            longest duration outside the bounds that hold any.
    """
    if not edges or edges[-1] <= 0 or len(counts) != len(edges) + 1:
        raise ParameterError(
            f"{len(edges)} bounds and {len(counts)} counts do not fit; give one bound over 0 at "
            "least, and one count more than bounds"
        )
    for count in counts:
        _refuse_count(count)
    for edge in (*edges, *(end for end in (shortest, longest) if end is not None)):
        refuse_duration(edge)
    for lower, upper in pairwise(edges):
        if lower >= upper:
            raise ParameterError(f"the bounds {lower!r} and {upper!r} do not rise")
    zeros = counts[0] if edges[0] == 0 else 0
    # A shortest duration of 0 says nothing about how far down the others reach.
    held = _stretches(edges, counts, shortest or None, longest)
    if not held:
        return ([LOWEST], [zeros]) if zeros else ([], [])
    first, last = bucket_of(held[0][0]), bucket_of(held[-1][1])
    at = (np.arange(first, last) + 1) / PER_DOUBLING
    running = np.zeros(at.size)
    for lower, upper, count in held:
        low, high = _log2(lower), _log2(upper)
        share = (at - low) / (high - low) if high > low else (at >= high).astype(np.float64)
        running += count * np.clip(share, 0.0, 1.0)
    buckets, amounts = _rounded(first, running, sum(count for _, _, count in held))
    places, merged = histogram([LOWEST, *buckets], [zeros, *amounts])
    return places.tolist(), merged.tolist()
