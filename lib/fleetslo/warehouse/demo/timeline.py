"""Which version served which share of a region's requests, minute by minute."""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.clock import LENGTH, Floats, Ints
from fleetslo.warehouse.demo.rollouts import Releases


@dataclass(frozen=True)
class Timeline:
    """A region's versions: at each minute one that was there, and perhaps one that comes.

    ``names`` numbers the versions; ``share`` is that of the coming version, 0 where none comes;
    ``first`` is the minute at which each version was first served.
    """

    names: list[str]
    base: Ints
    coming: Ints
    share: Floats
    first: Ints

    def ages(self, minutes: Ints, versions: Ints) -> Ints:
        """Return how many minutes ago each version was first served here."""
        ages: Ints = minutes - self.first[versions]
        return ages

    def served(self, minutes: Ints, unit: int) -> tuple[Ints, Ints, Floats]:
        """Return (place in ``minutes``, version, share), sorted, of units of so many minutes.

        The shares of a unit add up to 1.
        """
        if unit == 1:
            share = self.share[minutes]
            first = np.flatnonzero(share < 1)
            second = np.flatnonzero(share > 0)
            places = np.concatenate([first, second])
            versions = np.concatenate([self.base[minutes[first]], self.coming[minutes[second]]])
            shares = np.concatenate([1 - share[first], share[second]])
            order = np.lexsort((versions, places)) if len(second) else slice(None)
            return places[order], versions[order], shares[order]
        every = (minutes[:, None] + np.arange(unit)).ravel()
        places = np.repeat(np.arange(len(minutes)), unit)
        count = len(self.names)
        shares = np.bincount(
            places * count + self.base[every], 1 - self.share[every], len(minutes) * count
        )
        shares += np.bincount(
            places * count + self.coming[every], self.share[every], len(minutes) * count
        )
        filled = np.flatnonzero(shares > 1e-9)
        places, versions = np.divmod(filled, count)
        return places, versions, shares[filled] / unit


def timeline(releases: Releases, region: str) -> Timeline:
    """Return which versions served a region over the history."""
    names = list(releases.versions)
    numbers = {name: number for number, name in enumerate(names)}
    base = np.full(LENGTH, numbers[releases.first], dtype=np.int16)
    coming = np.zeros(LENGTH, dtype=np.int16)
    share = np.zeros(LENGTH, dtype=np.float32)
    for rollout in releases.rollouts:
        version = numbers[rollout.version]
        for step in rollout.steps:
            if step.region != region or step.share == 0:
                continue
            begin = max(step.start, 0)
            end = LENGTH if step.finish is None else min(step.finish, LENGTH)
            if step.share < 1:
                coming[begin:], share[begin:] = version, step.share
                continue
            if base[begin] == version:
                # A canary that is taken back: what was there before takes all again.
                share[end:] = 0
                continue
            # Instances are replaced in three goes.
            third = max((end - begin) // 3, 1)
            coming[begin:end] = version
            share[begin:end] = np.maximum(share[begin:end], 1 / 3)
            share[begin + third : end] = np.maximum(share[begin + third : end], 2 / 3)
            base[end:], share[end:], coming[end:] = version, 0, version
    first = np.full(len(names), LENGTH, dtype=np.int32)
    first[numbers[releases.first]] = -LENGTH
    for rollout in releases.rollouts:
        for step in rollout.steps:
            if step.region == region and step.share > 0:
                version = numbers[rollout.version]
                first[version] = min(first[version], step.start)
    return Timeline(names, base, coming, share, first)
