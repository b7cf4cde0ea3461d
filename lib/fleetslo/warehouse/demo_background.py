"""What is usual for a demo service from hour to hour: its faults, its pace, its slow tail."""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo_catalogue import Service, random_for
from fleetslo.warehouse.demo_clock import DAY, LENGTH, WINDOW, Floats, Ints
from fleetslo.warehouse.demo_traffic import (
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
    shift: Floats
    tail: Floats

    def fault_share(self, starts: Ints, unit: int) -> Floats:
        """Return the usual share of faults in units of so many minutes."""
        if unit == 1:
            share: Floats = between(self.faults, starts) + self.bursts[starts]
            return share
        lattice = self.faults + self.bursts.reshape(-1, STEP).mean(axis=1)
        return averaged(lattice, starts, unit)

    def pace(self, starts: Ints, unit: int) -> tuple[Floats, Floats]:
        """Return the usual shift in buckets and factor on the tail."""
        if unit == 1:
            return between(self.shift, starts), between(self.tail, starts)
        return averaged(self.shift, starts, unit), averaged(self.tail, starts, unit)


def background(service: Service, seed: int) -> Background:
    """Return what is usual for a service over the whole history."""
    rates = {
        region: lattice_rate(service, region, share, seed) for region, share in service.regions
    }
    random = random_for(seed, "background", service.name)
    whole = np.sum(list(rates.values()), axis=0)
    load = whole / max(float(whole.mean()), 1e-12)
    burst_part = float(random.uniform(0.2, 0.5))
    usual = service.part.errors * service.allowed_bad
    steady = np.exp(slow_noise(random, 0.45, 7) + slow_noise(random, 0.3, 60)) * load**0.25
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
    busy = np.maximum(load - 0.8, 0)
    shift = (
        slow_noise(random, 0.55, 9)
        + slow_noise(random, 0.35, 0.8)
        + float(random.uniform(0.3, 1.6)) * busy
        - 0.25
    )
    tail = np.exp(slow_noise(random, 0.22, 5)) * (0.86 + 0.3 * busy)
    tail = tail / float(tail[recent] @ weights)
    return Background(rates, faults, np.minimum(bursts, 0.4), shift, tail)


def _bursts(random: np.random.Generator) -> Floats:
    """Return short bursts of faults, of very different sizes, up to a factor."""
    series = np.zeros(LENGTH)
    count = random.poisson(LENGTH / DAY * random.uniform(0.7, 3.0))
    starts = random.integers(0, LENGTH - 60, count)
    sizes = np.minimum(random.lognormal(0, 1.0, count), 9)
    lengths = 1 + random.geometric(0.3, count)
    for start, size, length in zip(starts, sizes, lengths, strict=True):
        series[start : start + length] += size / length * np.linspace(1, 0.4, length)
    return series
