"""What is usual: how many requests are bad when nothing in particular is wrong, and bursts over it.

The usual share of bad requests follows the hour of the day and drifts from day to day. It is
estimated from the clean bins alone, and shrunk where there is little to estimate it from; then what
stands out of it is left out and it is estimated anew. Bins are minutes or hours, one after
the other without a gap; one without telemetry holds 0 requests.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SHRINK = 20.0  # bad requests' worth of belief that an hour of the day is like all others
_LEVEL_SHRINK = 10.0  # the same for the drift: a quiet day says little of its own level
_MEMORY_HOURS = 12.0  # how far a drift reaches: services are much the same half a day later
_REACH_HOURS = 48  # where that memory has faded to 2 %
_SIGMAS = 4.0  # one minute in 30,000 by chance, at the usual spread
_LEAST_BAD = 5  # fewer bad requests are no burst, as they fire no alert
_EDGE = 2.0  # a burst ends where the bad share falls under so many times the usual
_MOST_SIGMAS = 8.0  # what stands out even so is a burst, however long it lasts
_CALMER = 1.25  # steps in which a restless service is held to more
_LEAST_SEEN = 10  # hours, of which fewer say nothing about how counts scatter
_RARE = 0.03  # what stands out for more of the time than this is no burst, it is usual
_LEAST_SPREAD = 0.3  # hours of a steady service still differ by so much
_USUAL_SPREAD = 0.6  # assumed where there is too little to measure it
_ROUNDS = 4  # estimates settle in three
_LEAST_CLEAN = 0.05  # of the traffic; under it the clean bins cannot stand for the rest
_NORMAL_MAD = 1.4826  # standard deviation of a normal distribution over its median deviation


@dataclass(frozen=True)
class Bins:
    """Bad and valid requests of bins that follow each other.

    Attributes:
        bad: bad requests of each bin.
        valid: valid requests of each bin.
        hour: hours since any midnight in UTC in which each bin lies, rising by 0 or 1.
        per_hour: bins of an hour.
    """

    bad: Ints
    valid: Ints
    hour: Ints
    per_hour: int

    def by_hour(self, values: NDArray[Any]) -> Floats:
        """Return the sums of values of each hour."""
        place = self.hour - self.hour[0]
        return np.bincount(place, weights=values, minlength=int(place[-1]) + 1).astype(np.float64)


@dataclass(frozen=True)
class Usual:
    """What is usual in each bin.

    Attributes:
        expected: how many bad requests each bin would have had.
        spread: how far an hour strays from it by more than chance, as a share of it.
        lump: how many requests come together by chance: 1 where each fails alone, 10 where one in
            ten was sampled.
        sigmas: by how many standard deviations a burst stands out.
    """

    expected: Floats
    spread: float
    lump: float = 1.0
    sigmas: float = _SIGMAS

    def doubt(self, expected: float, hours: float) -> float:
        """Return the standard deviation of what is expected over so many hours."""
        apart = max(1.0, hours / _MEMORY_HOURS)
        return float(np.sqrt(self.lump * expected + (self.spread * expected) ** 2 / apart))


def usual(bins: Bins, clean: Bools, *, lump: float | None = None, drifts: bool = True) -> Usual:
    """Return what is usual in each bin, from the clean ones that do not stand out.

    The first round knows no drift: a great burst would look like one, and hide itself.

    Args:
        bins: all bins.
        clean: those in which nothing in particular is known to be wrong.
        lump: how many requests come together; found from the bins unless given.
        drifts: whether the usual share drifts, or is that of its hour of the day throughout.
    """
    together = lump_of(bins) if lump is None else lump
    found = _estimate(bins, _enough(bins, clean), together, drifts=False)
    for _ in range(_ROUNDS - 1):
        hot = bursts(bins, found)
        while (hot & clean).sum() > _RARE * clean.sum() and found.sigmas < _MOST_SIGMAS:
            found = replace(found, sigmas=_CALMER * found.sigmas)
            hot = bursts(bins, found)
        better = _estimate(bins, _enough(bins, clean & ~hot), together, drifts=drifts)
        found = replace(better, sigmas=found.sigmas)
    return found


def lump_of(bins: Bins) -> float:
    """Return the variance of counts over their mean, as neighbours differ: drift cancels out.

    Source: the mean square successive difference of von Neumann (1941), whose mean is twice the
    variance; of each hour (or day, where bins are hours), and of these the median. 1 where too
    few of them saw anything bad.
    """
    length = max(24, bins.per_hour)
    starts = np.arange(0, len(bins.bad), length)
    squares = np.diff(bins.bad.astype(np.float64), prepend=float(bins.bad[0])) ** 2 / 2
    counts = np.add.reduceat(bins.bad, starts)
    ratio = np.add.reduceat(squares, starts)[counts > 0] / counts[counts > 0]
    return max(1.0, float(np.median(ratio))) if len(ratio) >= _LEAST_SEEN else 1.0


def _enough(bins: Bins, clean: Bools) -> Bools:
    """Return the clean bins, or where they hold too little traffic those of the better hours."""
    if bins.valid[clean].sum() >= _LEAST_CLEAN * bins.valid.sum():
        return clean
    bad, valid = bins.by_hour(bins.bad), bins.by_hour(bins.valid)
    ratio = np.divide(bad, valid, out=np.full(len(bad), np.inf), where=valid > 0)
    better = ratio <= np.quantile(ratio[valid > 0], 0.25) if (valid > 0).any() else valid > 0
    kept: Bools = better[bins.hour - bins.hour[0]]
    return kept


def _estimate(bins: Bins, clean: Bools, lump: float, *, drifts: bool = True) -> Usual:
    bad, valid = np.where(clean, bins.bad, 0), np.where(clean, bins.valid, 0)
    whole = bad.sum() / max(valid.sum(), 1)
    day = bins.hour % 24
    bad_of_day = np.bincount(day, weights=bad, minlength=24)
    valid_of_day = np.bincount(day, weights=valid, minlength=24)
    belief = _SHRINK * lump
    like_all = belief / whole if whole else 1.0
    share = (bad_of_day + belief * (whole > 0)) / (valid_of_day + like_all)
    expected = share[day] * bins.valid
    seen, hoped = bins.by_hour(bad), bins.by_hour(np.where(clean, expected, 0.0))
    if drifts:
        belief = _LEVEL_SHRINK * lump
        level = (_blurred(seen) + belief) / (_blurred(hoped) + belief)
        expected = expected * level[bins.hour - bins.hour[0]]
    return Usual(expected, _spread(seen / lump, hoped / lump), lump)


def _blurred(values: Floats) -> Floats:
    reach = np.arange(-_REACH_HOURS, _REACH_HOURS + 1)
    kernel = np.exp(-np.abs(reach) / _MEMORY_HOURS)
    blurred = np.convolve(values, kernel, mode="full")[_REACH_HOURS : _REACH_HOURS + len(values)]
    return blurred.clip(0.0)


def _spread(seen: Floats, hoped: Floats) -> float:
    """Return how far hours stray from what was expected, beyond what chance makes of counts."""
    hours = next((n for n in (1, 6, 24) if hoped.sum() * n / max(len(hoped), 1) >= _LEAST_BAD), 0)
    if not hours:
        return _USUAL_SPREAD
    starts = np.arange(0, len(hoped), hours)
    seen, hoped = np.add.reduceat(seen, starts), np.add.reduceat(hoped, starts)
    enough = hoped >= _LEAST_BAD / 2
    if enough.sum() < _LEAST_SEEN:
        return _USUAL_SPREAD
    ratio = seen[enough] / hoped[enough]
    deviation = _NORMAL_MAD * float(np.median(np.abs(ratio - np.median(ratio))))
    by_chance = float(np.mean(1 / hoped[enough]))
    return max(_LEAST_SPREAD, float(np.sqrt(max(deviation**2 - by_chance, 0.0))))


def bursts(bins: Bins, usual: Usual) -> Bools:
    """Return which bins belong to a burst: bad requests far beyond what is usual.

    Looked for over five minutes and over an hour (an hour alone where bins are hours), so that
    both a sharp burst and one of a quiet service are seen.
    """
    found = np.zeros(len(bins.bad), dtype=bool)
    for length in sorted({max(1, bins.per_hour // 12), bins.per_hour}):
        if length <= len(found):
            for first, last in _hot(bins, usual, length):
                found[first:last] = True
    return found


def _hot(bins: Bins, usual: Usual, length: int) -> list[tuple[int, int]]:
    bad, expected = _sums(bins.bad.astype(np.float64), length), _sums(usual.expected, length)
    hot = np.flatnonzero(_stands_out(bad, expected, usual))
    change = np.zeros(len(bins.bad) + 1, dtype=np.int64)
    np.add.at(change, hot, 1)
    np.add.at(change, hot + length, -1)
    gain = bins.bad - _EDGE * usual.expected
    open_runs, found = runs(np.cumsum(change)[:-1] > 0), list[tuple[int, int]]()
    while open_runs:
        first, last = open_runs.pop()
        begin, end = _heaviest(gain[first:last])
        found.append((first + begin, first + end))
        for part in ((first, first + begin), (first + end, last)):
            inside = slice(*part)
            if _stands_out(bins.bad[inside].sum(), usual.expected[inside].sum(), usual):
                open_runs.append(part)
    return found


def _stands_out(bad: Any, expected: Any, usual: Usual) -> Any:
    chance = np.sqrt(usual.lump * expected + (usual.spread * expected) ** 2)
    return (bad >= _LEAST_BAD * usual.lump) & (bad > expected + usual.sigmas * chance)


def _heaviest(gain: Floats) -> tuple[int, int]:
    """Return where the stretch of greatest sum begins and ends (Kadane's algorithm)."""
    running = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(running)
    end = int(np.argmax(running - lowest))
    return int(np.flatnonzero(running[:end] == lowest[end])[-1]), end


def _sums(values: Floats, length: int) -> Floats:
    running = np.concatenate([[0.0], np.cumsum(values)])
    sums: Floats = running[length:] - running[:-length]
    return sums


def runs(flags: Bools) -> list[tuple[int, int]]:
    """Return the first place and the one after the last of each run of true flags."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in change.reshape(-1, 2)]
