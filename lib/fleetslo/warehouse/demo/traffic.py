"""How many requests a demo service gets: curves of the day and week, noise, growth, bursts.

The smooth part lies on a lattice of ten minutes over the whole history; single minutes add noise
of their own.
"""

from functools import lru_cache

import numpy as np
import polars as pl

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import (
    DAY,
    LENGTH,
    ORIGIN,
    REGIONS,
    Floats,
    Ints,
    utc_offsets,
)

STEP = 10
LATTICE = LENGTH // STEP
_WEEK = 7 * DAY // STEP

# A day as bumps of (local hour, width in hours, height) over a floor, for working days and for
# weekends, and how busy Monday to Sunday are.
_SHAPES: dict[str, tuple[float, tuple[tuple[float, float, float], ...],
                         tuple[tuple[float, float, float], ...], tuple[float, ...]]] = {
    "listening": (0.16, ((7.9, 1.2, 0.55), (12.4, 2.4, 0.42), (17.2, 2.0, 0.80), (20.8, 2.0, 0.45)),
                  ((11.8, 3.0, 0.72), (16.8, 3.2, 0.66), (21.6, 2.4, 0.62)),
                  (0.96, 0.97, 0.99, 1.02, 1.10, 1.05, 0.93)),
    "browsing": (0.12, ((8.2, 1.5, 0.38), (12.5, 1.8, 0.48), (18.0, 2.6, 0.60), (21.2, 1.8, 0.70)),
                 ((11.0, 2.6, 0.62), (15.5, 3.0, 0.60), (20.9, 2.3, 0.82)),
                 (0.97, 0.95, 0.96, 0.98, 1.02, 1.06, 1.06)),
    "purchase": (0.07, ((9.5, 1.8, 0.30), (12.6, 1.4, 0.62), (16.2, 2.2, 0.36), (20.4, 1.7, 0.95)),
                 ((12.0, 2.8, 0.66), (16.5, 2.6, 0.55), (20.2, 2.0, 0.84)),
                 (1.02, 0.96, 0.95, 0.98, 1.16, 0.99, 0.94)),
    "commute": (0.10, ((7.7, 1.0, 1.00), (12.3, 1.6, 0.34), (17.4, 1.3, 0.92), (21.5, 1.6, 0.40)),
                ((10.5, 2.8, 0.46), (15.0, 3.0, 0.40), (21.0, 2.0, 0.34)),
                (1.12, 1.10, 1.08, 1.06, 1.00, 0.82, 0.82)),
    "office": (0.06, ((10.2, 1.8, 0.95), (14.4, 2.2, 1.00)),
               ((11.5, 3.5, 0.22),),
               (1.12, 1.16, 1.14, 1.10, 0.98, 0.26, 0.24)),
    "batch": (0.55, ((3.2, 1.1, 0.50), (9.0, 3.0, 0.30), (17.5, 3.2, 0.42)),
              ((3.2, 1.1, 0.50), (13.0, 4.5, 0.36)),
              (1.02, 1.01, 1.00, 1.00, 1.04, 0.97, 0.96)),
}  # fmt: skip

# Everybody listens at once when a much awaited album comes out (Friday midnight in New York).
_RELEASE = {"minute": 166 * DAY + 4 * 60, "lift": 0.55, "fades_minutes": 420.0}
_FOLLOWS_RELEASES = frozenset({"listening", "browsing"})


def noise(random: np.random.Generator, size: int, sd: float, steps: float) -> Floats:
    """Return a stationary AR(1) series of mean 0 that forgets itself after so many steps."""
    keep = float(np.exp(-1 / steps))
    shocks = random.standard_normal(size) * sd * np.sqrt(1 - keep**2) / (1 - keep)
    shocks[:1] = random.standard_normal() * sd
    # An exponential mean is this recursion: new = keep * old + (1 - keep) * shock.
    series: Floats = (
        pl.Series(shocks).ewm_mean(alpha=1 - keep, adjust=False).to_numpy(writable=True)
    )
    return series


def slow_noise(random: np.random.Generator, sd: float, hours: float) -> Floats:
    """Return such a series on the lattice, forgetting itself after so many hours."""
    return noise(random, LATTICE, sd, hours * 60 / STEP)


def _week(shape: str, random: np.random.Generator) -> Floats:
    """Return a local week from Monday in steps of ten minutes; its mean is 1."""
    floor, working, weekend, days = _SHAPES[shape]
    hours = np.arange(DAY // STEP) * STEP / 60
    week = []
    jitter = random.normal(0, 0.25, 8)
    lift = random.lognormal(0, 0.12, 8)
    for weekday, level in enumerate(days):
        bumps = working if weekday < 5 else weekend
        curve = np.full(len(hours), floor)
        for k, (hour, width, height) in enumerate(bumps):
            away = (hours - hour - jitter[k] + 12) % 24 - 12
            curve = curve + height * lift[k] * np.exp(-0.5 * (away / width) ** 2)
        week.append(curve * level)
    whole = np.concatenate(week)
    # Midnight is not a step: what one day ends with, the next begins with.
    around = np.concatenate([whole[-6:], whole, whole[:6]])
    smooth = np.convolve(around, np.ones(13) / 13, mode="valid")
    scaled: Floats = smooth / smooth.mean()
    return scaled


@lru_cache(maxsize=16)
def _mood(seed: int, region: str) -> Floats:
    """Return what all services of a region share: weather, news, strikes."""
    random = random_for(seed, "mood", region)
    return slow_noise(random, 0.025, 30) + slow_noise(random, 0.012, 2)


def lattice_rate(service: Service, region: str, share: float, seed: int) -> Floats:
    """Return requests per minute of a region on the lattice, noise of hours included."""
    random = random_for(seed, "traffic", service.name)
    week = _week(service.part.shape, random)
    random = random_for(seed, "traffic", service.name, region)
    steps = np.arange(LATTICE)
    offset = np.repeat(utc_offsets(REGIONS[region][0]), 60 // STEP)
    local = (steps + offset // STEP + ORIGIN.weekday() * DAY // STEP) % _WEEK
    grown = 1 + service.growth * (steps / LATTICE - 0.9)
    unrest = 0.5 + random.uniform(0, 1)
    wander = slow_noise(random, 0.04 * unrest, 18) + slow_noise(random, 0.025 * unrest, 1.2)
    rate: Floats = service.part.rpm * share * week[local] * grown
    rate = rate * np.exp(wander + _mood(seed, region)) * (1 + _bursts(random))
    if service.part.shape in _FOLLOWS_RELEASES:
        since = steps * STEP - _RELEASE["minute"]
        rate = rate * (
            1
            + (since >= 0)
            * _RELEASE["lift"]
            * np.exp(-np.maximum(since, 0) / _RELEASE["fades_minutes"])
        )
    return rate


def _bursts(random: np.random.Generator) -> Floats:
    """Return the extra share of requests that crawlers, campaigns and retries bring."""
    extra = np.zeros(LATTICE)
    for start in random.integers(0, LATTICE, random.poisson(LATTICE * STEP / DAY / 8)):
        length = int(random.integers(3, 24))
        height = float(random.lognormal(-1.1, 0.6))
        fade = np.exp(-np.arange(length) / max(length / 3, 1))
        end = min(start + length, LATTICE)
        extra[start:end] += height * fade[: end - start]
    return extra


def minute_rate(service: Service, lattice: Floats, minutes: Ints, seed: int, what: str) -> Floats:
    """Return requests per minute at single minutes, with the noise of minutes."""
    random = random_for(seed, "minutes", service.name, what)
    rate = between(lattice, minutes)
    if service.part.shape == "batch":
        rate = rate * _cron(service, minutes)
    jitter = noise(random, len(minutes), 0.03, 6) + noise(random, len(minutes), 0.02, 40)
    lifted: Floats = rate * np.exp(jitter)
    return lifted


def _cron(service: Service, minutes: Ints) -> Floats:
    """Return how much busier each minute is for jobs that start on the hour; the mean is 1."""
    hour = np.arange(60)
    every = 15 if service.part.rpm > 200 else 60
    pulse = 0.75 + 1.9 * np.exp(-(hour % every) / 2.2)
    pulse = pulse / pulse.mean()
    chosen: Floats = pulse[minutes % 60]
    return chosen


def between(lattice: Floats, minutes: Ints) -> Floats:
    """Return a lattice's values at single minutes, on straight lines between its points."""
    place = np.clip((minutes - STEP / 2) / STEP, 0, LATTICE - 1.001)
    left = place.astype(np.int64)
    value: Floats = lattice[left] + (lattice[left + 1] - lattice[left]) * (place - left)
    return value


def averaged(lattice: Floats, starts: Ints, unit: int) -> Floats:
    """Return the mean of a lattice over units of so many minutes that begin at ``starts``."""
    folded = lattice.reshape(-1, unit // STEP).mean(axis=1)
    mean: Floats = folded[starts // unit]
    return mean
