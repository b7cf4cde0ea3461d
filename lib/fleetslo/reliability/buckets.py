"""The buckets of a latency histogram: OpenTelemetry's exponential scale 4, in seconds.

Bucket ``i`` holds durations in ``(base**i, base**(i + 1)]`` with ``base = 2 ** (1 / 16)``, so each
is 4.43 % wide. The lowest, -1024, holds whatever is shorter than the rest, 0 included.

Source: OpenTelemetry metrics data model, "ExponentialHistogram" (upper-inclusive bounds since
version 1.11 of the specification).
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fleetslo.errors import ParameterError

SCALE = 4
PER_DOUBLING = 16  # 2**4 buckets between a duration and twice that duration
BASE = 2.0 ** (1 / PER_DOUBLING)
LOWEST = -1024  # 2**-64 s, far below what any clock can tell apart

# A threshold this close to a bound (relative) is that bound: objectives are written with ten
# digits or so, and engines differ in the last bit of a power.
BOUND_TOLERANCE = 1e-9


def _root(step: int) -> float:
    """Return 2**(step / 16 - 1), correctly rounded on every machine: four integer square roots."""
    digits = 80
    whole = 1 << (step + PER_DOUBLING * digits)
    for _ in range(SCALE):
        whole = math.isqrt(whole)
    return math.ldexp(float(whole), -digits - 1)


# The bounds inside [0.5, 1], where math.frexp puts every mantissa.
_MANTISSAS = tuple(_root(step) for step in range(PER_DOUBLING + 1))
_MANTISSA_ARRAY = np.array(_MANTISSAS[:PER_DOUBLING])


def upper_bound(bucket: int) -> float:
    """Return the longest duration that the bucket holds, in seconds (inf past the floats)."""
    octave, step = divmod(bucket + 1, PER_DOUBLING)
    try:
        return math.ldexp(_MANTISSAS[step], octave + 1)
    except OverflowError:
        return math.inf


def bounds(bucket: int) -> tuple[float, float]:
    """Return the bounds of a bucket in seconds: it holds ``lower < duration <= upper``.

    The lowest bucket is ``(0.0, upper)`` and holds 0 as well.

    Raises:
        ParameterError: the bucket lies under the lowest.
    """
    if bucket < LOWEST:
        raise ParameterError(f"there is no bucket {bucket}; the lowest is {LOWEST}")
    return (0.0 if bucket == LOWEST else upper_bound(bucket - 1), upper_bound(bucket))


def refuse_duration(seconds: float) -> None:
    """Raise ParameterError unless a duration is a number of seconds, 0 or more."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ParameterError(f"a duration of {seconds!r} s cannot be; it is finite and 0 or more")


def bucket_of(seconds: float) -> int:
    """Return the bucket that holds a duration; ``bounds(i)[1]`` lies in bucket ``i`` exactly.

    Raises:
        ParameterError: the duration is negative or not finite.
    """
    refuse_duration(seconds)
    if seconds == 0:
        return LOWEST
    mantissa, exponent = math.frexp(seconds)
    step = bisect_left(_MANTISSAS, mantissa, hi=PER_DOUBLING)
    return max(PER_DOUBLING * (exponent - 1) + step - 1, LOWEST)


def buckets_of(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bucket of each duration of an array, as ``bucket_of`` does for one.

    Raises:
        ParameterError: a duration is negative or not finite.
    """
    durations = np.asarray(seconds, dtype=np.float64)
    wrong = ~np.isfinite(durations) | (durations < 0)
    if wrong.any():
        refuse_duration(float(durations[wrong][0]))
    mantissas, exponents = np.frexp(durations)
    steps = np.searchsorted(_MANTISSA_ARRAY, mantissas, side="left")
    found = PER_DOUBLING * (exponents.astype(np.int64) - 1) + steps - 1
    return np.where(durations == 0, LOWEST, np.maximum(found, LOWEST))


def nearest_bounds(seconds: float) -> tuple[float, float]:
    """Return the bucket bounds at or below and at or above a threshold, both in seconds.

    They are equal where the threshold is a bound itself, to within ``BOUND_TOLERANCE``: such a
    threshold cuts no bucket, so that what is counted against it is exact.

    Raises:
        ParameterError: the threshold is negative or not finite.
    """
    lower, upper = bounds(bucket_of(seconds))
    for bound in (lower, upper):
        if math.isclose(seconds, bound, rel_tol=BOUND_TOLERANCE):
            return (bound, bound)
    return (lower, upper)


def histogram(
    buckets: Iterable[int], counts: Iterable[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a histogram as two arrays, by ascending bucket, each once, none empty.

    Raises:
        ParameterError: the two differ in length, a count is negative, or a bucket is too low.
    """
    places = np.asarray(list(buckets), dtype=np.int64)
    amounts = np.asarray(list(counts), dtype=np.int64)
    if places.shape != amounts.shape:
        raise ParameterError(
            f"a histogram has {places.size} buckets and {amounts.size} counts; give one per bucket"
        )
    if (amounts < 0).any():
        raise ParameterError(f"a histogram has a count of {int(amounts.min())}; give 0 or more")
    if (places < LOWEST).any():
        raise ParameterError(f"there is no bucket {int(places.min())}; the lowest is {LOWEST}")
    unique, where = np.unique(places, return_inverse=True)
    sums = np.zeros(unique.size, dtype=np.int64)
    np.add.at(sums, where, amounts)
    return unique[sums > 0], sums[sums > 0]


def scale_down(
    buckets: Sequence[int], counts: Sequence[int], scale: int, *, zero_count: int = 0
) -> tuple[list[int], list[int]]:
    """Return an OpenTelemetry histogram of a finer scale as one of scale 4, without any loss.

    ``zero_count`` is OpenTelemetry's count of durations that its buckets cannot hold; they go to
    the lowest bucket.

    Raises:
        ParameterError: the scale is coarser than 4. Spread such a histogram over its bounds
            with ``spread_bounds`` and mark it approximate.
    """
    if scale < SCALE:
        raise ParameterError(
            f"a histogram of scale {scale} is coarser than {SCALE}: it cannot be scaled down "
            "exactly; spread it over its bounds and mark it approximate"
        )
    moved = [max(bucket >> (scale - SCALE), LOWEST) for bucket in buckets]
    places, amounts = histogram([*moved, LOWEST], [*counts, zero_count])
    return places.tolist(), amounts.tolist()
