"""What is usual for a demo service from hour to hour: its faults, its pace, its slow tail."""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import DAY, LENGTH, WINDOW, Floats, Ints
from fleetslo.warehouse.demo.latency import Pace
from fleetslo.warehouse.demo.traffic import (
    LATTICE,
    STEP,
    averaged,
    between,
    lattice_rate,
    slow_noise,
)


@dataclass(frozen=True)
class Background:
    """Lattices of a service: requests per region, share of faults, shift, factor on the tail.

    ``bursts`` is the share of requests that short bursts of faults add, at each minute.
    """

    rates: dict[str, Floats]
    faults: Floats
    bursts: Floats
    usual: Pace

    def fault_share(self, starts: Ints, unit: int) -> Floats:
        """Return the usual share of faults in units of so many minutes."""
        if unit == 1:
            share: Floats = between(self.faults, starts) + self.bursts[starts]
            return share
        lattice = self.faults + self.bursts.reshape(-1, STEP).mean(axis=1)
        return averaged(lattice, starts, unit)

    def pace(self, starts: Ints, unit: int) -> Pace:
        """Return the usual pace; ``tail`` is a factor on the usual tail."""
        its = (self.usual.shift, self.usual.cold, self.usual.tail)
        if unit == 1:
            return Pace(*(between(lattice, starts) for lattice in its))
        return Pace(*(averaged(lattice, starts, unit) for lattice in its))

    def recent(self) -> Pace:
        """Return the usual pace every half an hour of the newest 28 days, by day and by night.

        Quiet hours are left out in the measure in which they have fewer requests.
        """
        places = np.arange(LATTICE - WINDOW // STEP, LATTICE)
        whole = np.sum(list(self.rates.values()), axis=0)[places]
        running = np.cumsum(whole) / max(float(whole.sum()), 1e-12)
        even = (np.arange(28 * 48) + 0.5) / (28 * 48)
        return self.usual.at(places[np.searchsorted(running, even).clip(0, len(places) - 1)])


def background(service: Service, seed: int) -> Background:
    """Return what is usual for a service over the whole history."""
    rates = {
        region: lattice_rate(service, region, share, seed) for region, share in service.regions
    }
    random = random_for(seed, "background", service.name)
    whole = np.sum(list(rates.values()), axis=0)
    load = whole / max(float(whole.mean()), 1e-12)
    burst_part = float(random.uniform(0.1, 0.3))
    usual = service.part.errors * service.allowed_bad
    steady = (
        np.exp(
            slow_noise(random, 0.45, 7) + slow_noise(random, 0.3, 60) + slow_noise(random, 0.5, 0.6)
        )
        * load**0.25
    )
    hours = np.arange(LATTICE) * STEP % DAY / 60
    if service.habit == "peak":
        steady = steady * (0.55 + 0.5 * load**2.2)
    elif service.habit == "nightly":
        steady = steady * (1 + 9 * np.exp(-0.5 * ((hours - random.uniform(1, 4)) / 0.28) ** 2))
    bursts = _bursts(random)
    recent = slice(LATTICE - WINDOW // STEP, None)
    weights = whole[recent] / max(float(whole[recent].sum()), 1e-12)
    spent = float(bursts.reshape(-1, STEP).mean(axis=1)[recent] @ weights)
    faults = steady * (usual * (1 - burst_part) / max(float(steady[recent] @ weights), 1e-12))
    bursts = bursts * (usual * burst_part / max(spent, 1e-12))
    return Background(rates, faults, np.minimum(bursts, 0.4), _pace(random, load))


def _pace(random: np.random.Generator, load: Floats) -> Pace:
    """Return how pace follows load, the hours and the weeks."""
    busy = np.maximum(load - 0.7, 0)
    shift = (
        slow_noise(random, 0.6, 60)
        + slow_noise(random, 0.5, 9)
        + slow_noise(random, 0.4, 0.8)
        + float(random.uniform(0.5, 3.4)) * (busy - float(busy.mean()))
    )
    # At night fewer ask for the same, and caches forget.
    cold = 0.2 + slow_noise(random, 0.06, 4) + float(random.uniform(0, 0.35)) * (0.6 - load).clip(0)
    tail = np.exp(slow_noise(random, 0.25, 5)) * (0.8 + 0.35 * busy)
    if random.random() < 0.3:
        # Backups and compactions at night.
        hours = np.arange(LATTICE) * STEP % DAY / 60
        at_night = np.exp(-0.5 * ((hours - float(random.uniform(0.5, 4))) / 0.3) ** 2)
        tail = tail * (1 + 4 * at_night)
        shift = shift + 1.5 * at_night
    return Pace(shift, cold.clip(0, 1), tail / float(tail.mean()))


def _bursts(random: np.random.Generator) -> Floats:
    """Return short bursts of faults, of very different sizes, up to a factor."""
    series = np.zeros(LENGTH)
    count = random.poisson(LENGTH / DAY * random.uniform(2.0, 6.0))
    starts = random.integers(0, LENGTH - 90, count)
    sizes = np.minimum(random.lognormal(0, 0.9, count), 7)
    lengths = np.minimum(1 + random.geometric(0.12, count), 60)
    for start, size, length in zip(starts, sizes, lengths, strict=True):
        series[start : start + length] += size / length * np.linspace(1.3, 0.3, length)
    return series
