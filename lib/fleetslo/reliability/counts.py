"""What was counted for an objective over a stretch of time, in the objective's own unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from fleetslo.periods import Period
from fleetslo.reliability.budgets import Number, Unit
from fleetslo.reliability.slo import Objective

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Stretch:
    """The part of an objective's window that is judged: from its change on, so far.

    Attributes:
        start: the first instant; the window's, or that at which the objective changed.
        end: of the window; it may still run.
        until: as far as it is counted, not after ``end``.
        excluded: what is not counted of it, merged and in order.
    """

    start: datetime
    end: datetime
    until: datetime
    excluded: tuple[Period, ...] = ()

    @property
    def minutes(self) -> int:
        """Return how many minutes were to be counted so far, excluded ones left out."""
        return minutes_of(self.start, self.until, self.excluded)

    @property
    def whole_minutes(self) -> int:
        """Return how many minutes there are to count in all, excluded ones left out."""
        return minutes_of(self.start, self.end, self.excluded)

    @property
    def is_running(self) -> bool:
        """Return whether the window goes on after what was counted."""
        return self.until < self.end

    @property
    def excluded_minutes(self) -> int:
        """Return how many minutes so far are excluded."""
        return (self.until - self.start) // _MINUTE - self.minutes


def minutes_of(start: datetime, end: datetime, excluded: Sequence[Period] = ()) -> int:
    """Return the whole minutes of a stretch less those that are excluded (merged stretches)."""
    inside = (
        min(one.end, end) - max(one.start, start)
        for one in excluded
        if one.start < end and one.end > start
    )
    return max(0, (end - start - sum(inside, timedelta(0))) // _MINUTE)


@dataclass(frozen=True)
class Counted:
    """Counts of an objective so far, and of what its budget is a share.

    Attributes:
        good: what was certainly good.
        valid: all that count.
        uncertain: those that may have been good or bad.
        covered_minutes: minutes for which something is known.
        minutes: minutes for which something should be.
        whole: what the whole window holds: the valid count once it has ended, what is expected of
            it while it runs, or all of its slices.
        is_estimated: whether ``whole`` rests on what is expected.
    """

    good: Number
    valid: Number
    uncertain: Number
    covered_minutes: int
    minutes: int
    whole: Number
    is_estimated: bool = False

    @property
    def coverage(self) -> float:
        """Return the share of the minutes so far for which something is known."""
        return min(1.0, self.covered_minutes / self.minutes) if self.minutes else 0.0

    @property
    def bad(self) -> Fraction:
        """Return what was bad, the uncertain ones with it."""
        return Fraction(self.valid - self.good)

    @property
    def bad_low(self) -> Fraction:
        """Return what was certainly bad."""
        return Fraction(self.valid - self.good - self.uncertain)


NOTHING = Counted(0, 0, 0, 0, 0, 0)


def is_added(objective: Objective) -> bool:
    """Return whether an objective is a composite whose members' shortfalls or burn add up."""
    mean = objective.weighted_mean or objective.method != "Timeslices"
    return bool(objective.members) and mean


def unit_of(objective: Objective) -> Unit:
    """Return what an objective's counts are counted in."""
    if is_added(objective):
        return "burn"
    if objective.method != "Occurrences":
        return "slices"
    return "requests" if objective.selector.sli is None else "events"
