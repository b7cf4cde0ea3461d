"""What recorded minutes burn, in the unit that an objective is counted in: requests or slices.

A window of slices is cut backwards from its end, as the alerts of a judgement cut theirs: it holds
as many whole slices as fit; a window shorter than a slice is one.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fleetslo.reliability.alerts import Op
from fleetslo.reliability.budgets import budget_share
from fleetslo.reliability.replaying.recorded import Minutes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleetslo.reliability.slo import Objective

    Numbers = NDArray[Any]
    Flags = NDArray[np.bool_]

# The greatest product that 64 bits hold; beyond it counts are compared otherwise.
_LARGEST = 2**63 - 1
# Floats tell counts from a limit but for this share of them: far above their rounding (1e-16, and
# 1e-12 where thousands are added up), far below any difference that a target could mean.
_BLUR = 1e-9

_COMPARE: dict[Op, Callable[..., Any]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}


class Burned(Protocol):
    """What was certainly bad, and of how much, in one unit."""

    @property
    def budget(self) -> float:
        """How much of the objective's whole window may be bad; 0 where nothing was requested."""

    def over(self, length: int) -> "tuple[Numbers, Numbers]":
        """Return, for the end of every minute, (bad, valid) of the last ``length`` minutes."""

    def gone(self, start: int, stop: int) -> float:
        """Return what was bad from one minute up to another, by their places."""


def burned(minutes: Minutes, objective: "Objective") -> Burned:
    """Return what the minutes of an objective burn, in its unit."""
    if objective.slice_length is None:
        return Requests(minutes, objective)
    return Slices(minutes, objective)


class Requests:
    """Burn by requests, as Occurrences counts."""

    def __init__(self, minutes: Minutes, objective: "Objective") -> None:
        self.minutes = minutes
        self.objective = objective

    @property
    def budget(self) -> float:
        """(1 − target) × the mean requests of a covered minute × the window's minutes."""
        usual = Fraction(int(self.minutes.valid_sums[-1]), self.minutes.covered_count)
        length = Fraction(self.objective.window.nominal.total_seconds()) / 60
        return float(budget_share(self.objective.target) * usual * length)

    def over(self, length: int) -> "tuple[Numbers, Numbers]":
        """Return, for the end of every minute, (bad, valid) of the last ``length`` minutes."""
        return self.minutes.bad_over(length), self.minutes.valid_over(length)

    def gone(self, start: int, stop: int) -> float:
        """Return the bad requests from one minute up to another."""
        return self.minutes.bad_in(start, stop)


class Slices:
    """Burn by slices: of Timeslices bad ones, of RatioTimeslices what they fall short of 1."""

    def __init__(self, minutes: Minutes, objective: "Objective") -> None:
        self.minutes = minutes
        self.objective = objective
        length = objective.slice_length
        self.length = 1 if length is None else int(length.total_seconds()) // 60

    @property
    def budget(self) -> float:
        """(1 − target) × all slices of the window."""
        count = -(-int(self.objective.window.nominal.total_seconds()) // 60 // self.length)
        return float(budget_share(self.objective.target) * count)

    @cached_property
    def whole(self) -> "tuple[Numbers, Numbers]":
        """For the end of every minute (bad, valid) of the slice that ends there."""
        return self._cut(self.length)

    def _cut(self, length: int) -> "tuple[Numbers, Numbers]":
        bad, valid = self.minutes.bad_over(length), self.minutes.valid_over(length)
        has_data = valid > 0
        target = self.objective.slice_target
        if self.objective.method == "RatioTimeslices" or target is None:
            falls_short = np.divide(bad, valid, out=np.zeros(len(bad)), where=has_data)
        else:
            allowed = 1 - Fraction(repr(float(target)))
            falls_short = compared("gt", bad, valid, allowed).astype(np.int64)
        if self.objective.no_data is None:
            return falls_short, has_data.astype(np.int64)
        silent = self.minutes.covered_over(length) == 0
        falls_short[silent] = int(self.objective.no_data == "bad")
        return falls_short, (has_data | silent).astype(np.int64)

    def over(self, length: int) -> "tuple[Numbers, Numbers]":
        """Return, for the end of every minute, (bad, valid) of the slices in ``length`` minutes."""
        step = min(length, self.length)
        bad, valid = self.whole if step == self.length else self._cut(step)
        return _strided(bad, step, length // step), _strided(valid, step, length // step)

    def gone(self, start: int, stop: int) -> float:
        """Return what was bad in the whole slices from one minute up to another."""
        bad, _ = self.whole
        return float(bad[stop - 1 :: -self.length][: (stop - start) // self.length].sum())


def _strided(values: "Numbers", step: int, count: int) -> "Numbers":
    """Return at every place the sum of so many values: its own, one a step before, and so on."""
    rows = -(-len(values) // step)
    table = np.zeros(((rows + count) * step), values.dtype)
    table[count * step : count * step + len(values)] = values
    sums = np.cumsum(table.reshape(-1, step), axis=0)
    found: Numbers = (sums[count:] - sums[:-count]).reshape(-1)[: len(values)]
    return found


def compared(op: Op, bad: "Numbers", valid: "Numbers", limit: Fraction) -> "Flags":
    """Return where the bad share compares so with a limit; nowhere without anything valid.

    Counts are compared exactly; shares of slices, which are floats, to nine digits.
    """
    over, under = limit.numerator, limit.denominator
    busy = valid > 0
    if bad.dtype.kind == "i" and int(valid.max(initial=1)) * max(over, under) <= _LARGEST:
        gap = bad * under - valid * over
    else:
        rough = bad - valid * float(limit)
        near = np.abs(rough) <= valid * _BLUR
        gap = np.where(near, 0, np.sign(rough).astype(np.int64))
        if bad.dtype.kind == "i":
            for place in np.flatnonzero(busy & near):
                exact = int(bad[place]) * under - int(valid[place]) * over
                gap[place] = (exact > 0) - (exact < 0)
    holds: Flags = _COMPARE[op](gap, 0)
    return holds & busy
