"""The volume of a window that still runs: what came so far, and what is expected of the rest.

The rest is expected to be like the same hours (UTC) of the last four weeks, their mean; a week
that is not covered is left out, and one with minutes missing is scaled to all of its own. With no
such week, what came so far is scaled by time. SLO.md.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from fleetslo.periods import Period
from fleetslo.reliability.budgets import Number

_WEEK = timedelta(weeks=1)

WEEKS = 4
"""How many earlier weeks speak for the rest: a month, so that a holiday is one part in four."""


def earlier_stretches(until: datetime, end: datetime) -> list[Period]:
    """Return the stretches of earlier weeks that speak for the time from ``until`` to ``end``.

    The last four weeks, newest first, each in two: the hours that come once more beyond the whole
    weeks ahead, then its other hours. A half that would hold no time is left out.
    """
    part = (end - until) % _WEEK
    found = []
    for week in range(1, WEEKS + 1):
        start = until - week * _WEEK
        edges = [start, start + part, start + _WEEK] if part else [start, start + _WEEK]
        found += [Period(*pair) for pair in pairwise(edges)]
    return found


def expected_rest(
    counts: Sequence[tuple[int, int]],
    until: datetime,
    end: datetime,
    coverage_minimum: float = 0.9,
) -> Fraction | None:
    """Return how many valid ones are expected from ``until`` to ``end``; None where nothing tells.

    Args:
        counts: ``(valid_count, covered_minutes)`` of each of ``earlier_stretches``.
        until: as far as was counted.
        end: of the window.
        coverage_minimum: the coverage under which a stretch tells nothing.
    """
    weeks, part = divmod(end - until, _WEEK)
    tiles = list(zip(earlier_stretches(until, end), counts, strict=True))

    def mean(halves: list[tuple[Period, tuple[int, int]]]) -> Fraction | None:
        seen = [
            Fraction(valid * tile.minutes, minutes)
            for tile, (valid, minutes) in halves
            if minutes and minutes >= coverage_minimum * tile.minutes
        ]
        return sum(seen, Fraction(0)) / len(seen) if seen else None

    first, second = (mean(tiles[::2]), mean(tiles[1::2])) if part else (Fraction(0), mean(tiles))
    if first is None or (weeks and second is None):
        return None
    return first + (weeks * (first + second) if second is not None else 0)


def expected_whole(valid: Number, minutes: int, rest_minutes: int, rest: Fraction | None) -> Number:
    """Return how many valid ones the whole window is expected to hold.

    Args:
        valid: what came so far.
        minutes: so far, without those that are excluded.
        rest_minutes: that are still to come, likewise.
        rest: what is expected of them, from ``expected_rest``; None scales what came by time.
    """
    if rest is not None:
        return valid + rest
    return Fraction(valid * (minutes + rest_minutes), minutes) if minutes else valid
