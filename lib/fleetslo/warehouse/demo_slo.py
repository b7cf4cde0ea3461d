"""What objectives measure of the demo's requests: the minutes that ``rollup`` would write."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from fleetslo.warehouse.demo_clock import Bools, Ints
from fleetslo.warehouse.demo_latency import LatencyModel

if TYPE_CHECKING:
    from fleetslo.warehouse.rollups import Measure


def chosen(globs: Sequence[str], name: str) -> bool:
    """Return whether a name is among those that globs pick; none picks all."""
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


@dataclass
class Tally:
    """One objective's counts of one service, by minute from ``start`` on."""

    measure: "Measure"
    start: int
    good: Ints
    valid: Ints
    uncertain: Ints

    def add(self, minutes: Ints, good: Ints, valid: Ints, uncertain: Ints) -> None:
        """Add counts at minutes; those before the start are left out."""
        inside = minutes >= self.start
        for total, counts in (
            (self.good, good),
            (self.valid, valid),
            (self.uncertain, uncertain),
        ):
            total += np.bincount(
                minutes[inside] - self.start, counts[inside], minlength=len(total)
            ).astype(total.dtype)


class Tallies:
    """All that is measured of one service, and which minutes telemetry covered."""

    def __init__(self, service: str, measures: "Sequence[Measure]", start: int, end: int) -> None:
        length = end - start
        self.start, self.end = start, end
        self.covered: Bools = np.zeros(length, dtype=bool)
        self.tallies = [
            Tally(measure, start, *(np.zeros(length, np.int64) for _ in range(3)))
            for measure in measures
            if service in measure.services
        ]

    def of_requests(self) -> list[Tally]:
        """Return the tallies that are counted from requests."""
        return [tally for tally in self.tallies if tally.measure.sli is None]

    def edges(self, model: LatencyModel) -> Ints:
        """Return the places in the stretch of buckets at which running totals are needed."""
        wanted = {model.cut, model.size - 1}
        for tally in self.of_requests():
            if tally.measure.within_s is not None:
                wanted.update(model.places(tally.measure.within_s))
        return np.array(sorted(place for place in wanted if 0 <= place < model.size))

    def add(
        self,
        minutes: Ints,
        picked: Sequence[Bools | None],
        requests: Ints,
        faults: Ints,
        running: Ints,
        edges: Ints,
        model: LatencyModel,
        *,
        is_guess: bool,
    ) -> None:
        """Add the rows of a series.

        Args:
            minutes: when.
            picked: per tally, which rows it measures; None is no row.
            requests: how many.
            faults: how many of them were faults.
            running: how many took no longer than each of ``edges``.
            edges: places in the model's stretch of buckets.
            model: the service's distributions.
            is_guess: whether histograms are approximate.
        """
        inside = minutes[minutes >= self.start] - self.start
        self.covered[inside] = True
        served = requests - faults
        for tally, rows in zip(self.of_requests(), picked, strict=True):
            if rows is None:
                continue
            measure = tally.measure
            valid = served if measure.requests == "successful" else requests
            if measure.within_s is None:
                good, uncertain = served, np.zeros_like(served)
            else:
                fast, cut = (
                    _reached(running, edges, place, served)
                    for place in model.places(measure.within_s)
                )
                divided = is_guess & (fast < served) & (cut > 0)
                good = np.where(divided, 0, fast)
                uncertain = np.where(divided, served, cut - fast)
            tally.add(minutes[rows], good[rows], valid[rows], uncertain[rows])


def _reached(running: Ints, edges: Ints, place: int, served: Ints) -> Ints:
    if place < 0:
        return np.zeros_like(served)
    if place >= edges[-1]:
        return served
    return running[:, int(np.searchsorted(edges, place))]
