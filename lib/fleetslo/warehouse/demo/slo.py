"""What objectives measure of the demo's requests: the minutes that ``rollup`` would write."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from fleetslo.warehouse.demo.clock import Bools, Ints
from fleetslo.warehouse.demo.latency import LatencyModel

if TYPE_CHECKING:
    from fleetslo.warehouse.rollups import Measure


def chosen(globs: Sequence[str], name: str) -> bool:
    """Return whether a name is among those that globs pick; none picks all."""
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


@dataclass
class Tally:
    """One objective's counts of one service, at each of the minutes that are remembered."""

    measure: "Measure"
    good: Ints
    valid: Ints
    uncertain: Ints

    def add(self, places: Ints, good: Ints, valid: Ints, uncertain: Ints) -> None:
        """Add counts at places among the remembered minutes; -1 is none of them."""
        inside = places >= 0
        for total, counts in ((self.good, good), (self.valid, valid), (self.uncertain, uncertain)):
            sums = np.bincount(places[inside], counts[inside], minlength=len(total))
            total += np.rint(sums).astype(total.dtype)


class Tallies:
    """All that is measured of one service.

    ``minutes`` are those that are remembered, of which ``covered`` says where telemetry came.
    """

    def __init__(self, service: str, measures: "Sequence[Measure]", remembered: Bools) -> None:
        self.minutes = np.flatnonzero(remembered).astype(np.int32)
        self.covered: Bools = np.zeros(len(self.minutes), dtype=bool)
        self.tallies = [
            Tally(measure, *(np.zeros(len(self.minutes), np.int32) for _ in range(3)))
            for measure in measures
            if service in measure.services
        ]

    def places(self, minutes: Ints) -> Ints:
        """Return where minutes stand among those remembered; -1 for those that are not."""
        places = np.searchsorted(self.minutes, minutes).clip(0, len(self.minutes) - 1)
        found: Ints = np.where(self.minutes[places] == minutes, places, -1)
        return found

    def cover(self, minutes: Ints) -> Ints:
        """Note that telemetry came in these minutes, and return their places."""
        places = self.places(minutes)
        self.covered[places[places >= 0]] = True
        return places

    def of_requests(self) -> list[Tally]:
        """Return the tallies that are counted from requests."""
        return [tally for tally in self.tallies if tally.measure.sli is None]

    def edges(self, model: LatencyModel) -> Ints:
        """Return the places in the stretch of buckets at which running totals are needed."""
        wanted = {model.cut, model.size - 1}
        for tally in self.of_requests():
            if tally.measure.within_s is not None:
                wanted.update(model.places(tally.measure.within_s, tally.measure.op))
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
        places = self.cover(minutes)
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
                    for place in model.places(measure.within_s, measure.op)
                )
                divided = is_guess & (fast < served) & (cut > 0)
                certain = served - cut if measure.slow_is_good else fast
                good = np.where(divided, 0, certain)
                uncertain = np.where(divided, served, cut - fast)
            tally.add(places[rows], good[rows], valid[rows], uncertain[rows])


def _reached(running: Ints, edges: Ints, place: int, served: Ints) -> Ints:
    if place < 0:
        return np.zeros_like(served)
    if place >= edges[-1]:
        return served
    return running[:, int(np.searchsorted(edges, place))]
