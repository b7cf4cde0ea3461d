"""What the last minutes hold, in an objective's own unit: what alerts and burn rates look at.

A look-back over time slices is cut backwards from its end. One that is shorter than a slice is a
slice of its own, so that a page need not wait for the end of an hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import lcm

import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.composites import added
from fleetslo.reliability.counts import NOTHING, Counted, Stretch, is_added
from fleetslo.reliability.exclusions import without
from fleetslo.reliability.slices import (
    Key,
    cut,
    finished_slices,
    judged_slices,
    slice_counts,
    slice_minutes,
)
from fleetslo.reliability.slo import Objective

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Look:
    """What the last minutes hold.

    Attributes:
        counted: in the objective's unit.
        bad_events: requests or events that were certainly bad, whatever the unit.
        covered_minutes: how many of the minutes reported.
    """

    counted: Counted
    bad_events: int
    covered_minutes: int

    @property
    def burned(self) -> tuple[int, int] | None:
        """Return (bad, valid) as ``alerts.firing`` takes them; None where nothing reported.

        Nobody is woken for what may have been good. Only the ratio of the two has a meaning; more
        burn than an outage's, which composites can have, is shown as an outage's.
        """
        if not self.covered_minutes and not self.counted.valid:
            return None
        counted, valid = self.counted, self.counted.valid
        bad = min(valid - counted.good - counted.uncertain, valid)
        if isinstance(bad, int) and isinstance(valid, int):
            return bad, valid
        scale = lcm(bad.denominator, valid.denominator)
        return int(bad * scale), int(valid * scale)


UNSEEN = Look(NOTHING, 0, 0)


def look(good: int, valid: int, uncertain: int, covered_minutes: int) -> Look:
    """Return a look of an objective that is counted by occurrences."""
    counted = Counted(good, valid, uncertain, covered_minutes, covered_minutes, valid)
    return Look(counted, valid - good - uncertain, covered_minutes)


def looks_of_minutes(
    minutes: pl.DataFrame,
    objectives: Sequence[Objective],
    until: datetime,
    lengths: Sequence[int],
    excluded: Sequence[Period] = (),
) -> dict[Key, dict[int, Look]]:
    """Return what each objective's minutes hold over each look-back.

    Args:
        minutes: rows of ``slo/minutes``.
        objectives: measured ones, and composites of Timeslices.
        until: where every look-back ends.
        lengths: of the look-backs, in minutes.
        excluded: what is not counted, for all of these objectives.
    """
    found: dict[Key, dict[int, Look]] = {(one.service, one.name): {} for one in objectives}
    counted = without(minutes, excluded).filter(pl.col("minute") < until)
    for length in lengths:
        last = counted.filter(pl.col("minute") >= until - length * _MINUTE)
        events = _events(last)
        sliced: dict[int, list[Objective]] = {}
        for one in objectives:
            if one.method == "Occurrences":
                found[one.service, one.name][length] = _of(one, events)[0]
            else:
                sliced.setdefault(min(length, slice_minutes(one)), []).append(one)
        for cut_minutes, alike in sliced.items():
            sums = _recent_slices(counted, alike, until, length, cut_minutes, excluded)
            for one in alike:
                seen = _of(one, events)
                found[one.service, one.name][length] = Look(
                    sums[one.service, one.name],
                    sum(each.bad_events for each in seen),
                    max(each.covered_minutes for each in seen),
                )
    return found


def _recent_slices(
    minutes: pl.DataFrame,
    objectives: Sequence[Objective],
    until: datetime,
    length: int,
    cut_minutes: int,
    excluded: Sequence[Period],
) -> dict[Key, Counted]:
    """Return the whole slices of a look-back, cut backwards from its end, added up."""
    count = length // cut_minutes
    start = until - count * cut_minutes * _MINUTE
    stretch = Stretch(start, until, until, tuple(excluded))
    # Minutes before the look-back are in slices before 0: they tell that something was counted.
    rows = cut(minutes, start, cut_minutes)
    slices = judged_slices(rows, finished_slices(stretch, cut_minutes), objectives)
    return slice_counts(slices, objectives, stretch.minutes, count)


def _of(objective: Objective, events: Mapping[tuple[str, str, str], Look]) -> list[Look]:
    """Return the events of an objective, or of each member of a composite."""
    return [
        events.get((part.service, part.name, part.selector.definition), UNSEEN)
        for part in objective.measured
    ]


def _events(minutes: pl.DataFrame) -> dict[tuple[str, str, str], Look]:
    summed = minutes.group_by("service", "objective", "definition").agg(
        pl.col("good_count", "valid_count", "uncertain_count").sum(), pl.len()
    )
    return {row[:3]: look(*row[3:]) for row in summed.rows()}


def look_of(objective: Objective, of: Mapping[str, Look]) -> Look:
    """Return an objective's look: its own, or what its members' add up to.

    ``of`` has the looks of one length by the names of the service's objectives.
    """
    if not is_added(objective):
        return of.get(objective.name, UNSEEN)
    parts = [of.get(part.name, UNSEEN) for part in objective.members]
    return Look(
        added(objective, [part.counted for part in parts]),
        sum(part.bad_events for part in parts),
        max(part.covered_minutes for part in parts),
    )
