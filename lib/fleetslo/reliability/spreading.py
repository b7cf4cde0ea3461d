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


# The numbers next to 0 and 1: neither has a normal score of its own.
_LEAST, _MOST = math.nextafter(0.0, 1.0), math.nextafter(1.0, 0.0)


def _scores(quantiles: Sequence[float], count: int) -> list[float]:
    """Return the normal score of each quantile; 0 and 1 get that of one duration in ``count``."""
    inner = [q for q in quantiles if 0 < q < 1]
    low = max(min([0.25 / count, *(q / 2 for q in inner[:1])]), _LEAST)
    high = min(max([1 - 0.25 / count, *((1 + q) / 2 for q in inner[-1:])]), _MOST)
    return [_NORMAL.inv_cdf(min(max(q, low), high)) for q in quantiles]


def _expected(
    places: NDArray[np.int64], knots: Sequence[tuple[float, float]], count: int
) -> NDArray[np.float64]:
    """Return how many of ``count`` durations are at or under the upper bound of each bucket."""
    from scipy.special import ndtr  # here, since it is slow to import and seldom needed

    quantiles = [q for q, _ in knots]
    ends = np.array([bucket_of(seconds) for _, seconds in knots])
    logs = np.array([_log2(seconds) for _, seconds in knots])
    scores = np.array(_scores(quantiles, count))
    rises, widths = np.diff(scores), np.diff(logs)
    slopes = np.where(widths > 0, rises / np.where(widths > 0, widths, 1), np.inf)
    finite = slopes[np.isfinite(slopes)]
    below, above = (finite[0], finite[-1]) if finite.size else (np.inf, np.inf)
    if quantiles[0] == 0:
        below = np.inf
    if quantiles[-1] == 1:
        above = np.inf
    knot = np.searchsorted(ends, places, side="right") - 1
    slope = np.concatenate([[below], slopes, [above]])[knot + 1]
    base = np.maximum(knot, 0)
    away = (places + 1) / PER_DOUBLING - logs[base]
    # Where the slope is infinite, all that is left lies at the knot itself.
    with np.errstate(invalid="ignore"):
        moved = np.where(np.isinf(slope), np.where(knot < 0, -np.inf, np.inf), slope * away)
    lowest = np.concatenate([[-np.inf], scores])[knot + 1]
    highest = np.concatenate([scores, [np.inf]])[knot + 1]
    found: NDArray[np.float64] = count * ndtr(np.clip(scores[base] + moved, lowest, highest))
    return found


def _anchored(
    expected: NDArray[np.float64],
    places: NDArray[np.int64],
    knots: Sequence[tuple[float, float]],
    count: int,
) -> NDArray[np.float64]:
    """Return the running totals with each percentile's own duration put into its own bucket.

    Percentile ``q`` is the duration of rank ``ceil(q × count)``. A rank that several share goes
    to the highest of them. So each percentile comes back to its bucket, however few they are.
    """
    ranks = {max(math.ceil(q * count * (1 - 2.0**-50)), 1): bucket_of(s) for q, s in knots}
    for rank, place in ranks.items():
        reached = places >= place
        expected = np.where(reached, np.maximum(expected, rank), np.minimum(expected, rank - 1))
    return expected


def spread_percentiles(count: int, knots: Mapping[float, float]) -> Spread:
    """Return buckets and counts of ``count`` durations that have the given percentiles.

    Between two percentiles the logarithm of the duration runs straight against the normal score
    of the quantile, which is exact for a log-normal distribution; outside them the nearest stretch
    goes on. Quantiles 0 and 1, the shortest and the longest, end the distribution. With one
    percentile, or equal ones, all durations are that long: nothing says otherwise. ``quantile``
    gives each percentile back to one bucket, unless two of them are the same duration's: 20
    durations are enough for p50, p90, p95 and p99.

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
    first, last = (bucket_of(seconds) for _, seconds in (ordered[0], ordered[-1]))
    places = np.arange(max(first - _FURTHEST, LOWEST), last + _FURTHEST)
    running = _anchored(_expected(places, ordered, count), places, ordered, count)
    return _rounded(int(places[0]), running, count)


def _stretches(
    edges: Sequence[float], counts: Sequence[int], shortest: float | None, longest: float | None
) -> list[tuple[float, float, int]]:
    """Return (lower, upper, count) of each stretch that holds something, its ends filled in."""
    marks = [*([0.0] if edges[0] > 0 else []), *edges, math.inf]
    amounts = counts[-len(marks) + 1 :]
    held = [
        (lower, upper, amount)
        for (lower, upper), amount in zip(pairwise(marks), amounts, strict=True)
        if amount > 0
    ]
    if held and shortest is not None:
        lower, upper, amount = held[0]
        _refuse_outside("shortest", shortest, "first", lower, upper)
        held[0] = (shortest, upper, amount)
    if held and longest is not None:
        lower, upper, amount = held[-1]
        _refuse_outside("longest", longest, "last", lower, upper)
        held[-1] = (lower, longest, amount)
    # What is still open reaches as far as its neighbour does.
    reach = [upper / lower for lower, upper in pairwise(marks[:-1]) if lower > 0]
    down, up = (reach[0], reach[-1]) if reach else (_UNKNOWN_REACH, _UNKNOWN_REACH)
    return [
        (lower or upper / down, lower * up if math.isinf(upper) else upper, amount)
        for lower, upper, amount in held
    ]


def _refuse_outside(which: str, seconds: float, place: str, lower: float, upper: float) -> None:
    if not lower <= seconds <= upper:
        raise ParameterError(
            f"the {which} duration, {seconds!r} s, lies outside the {place} bounds that hold any, "
            f"{lower!r} to {upper!r} s"
        )


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
