"""The processes of a demo service hour by hour: instances, CPU, heap, garbage collection."""

import numpy as np
from scipy.special import ndtr

from fleetslo.warehouse.demo.catalogue import random_for
from fleetslo.warehouse.demo.clock import DAY, LENGTH, Bools, Floats, Ints
from fleetslo.warehouse.demo.latency import places_for_rounding, spread_counts
from fleetslo.warehouse.demo.rows import Histograms, Rows, exact
from fleetslo.warehouse.demo.series import Planted
from fleetslo.warehouse.demo.service import ServiceMaker
from fleetslo.warehouse.demo.traffic import averaged, noise

_WORDS = ("service", "version", "region", "runtime", "framework", "framework_version")
_FIRST_PAUSE, _PAUSE_BUCKETS = -150, 150
_MB = 1024 * 1024


def add_runtimes(maker: ServiceMaker) -> None:
    """Add the rows of ``runtimes`` to what a service has sent."""
    starts = np.arange(maker.hours_from, LENGTH, 60)
    starts = maker.service.covered(starts)
    for region, share in maker.service.regions:
        maker.made.add("runtimes", _of_region(maker, region, share, starts))


def _of_region(maker: ServiceMaker, region: str, share: float, starts: Ints) -> Rows:
    service, plan = maker.service, maker.plan
    random = random_for(plan.seed, "runtimes", service.name)
    # One instance is meant to serve so many requests a minute at 60 % of its CPU.
    capacity = max(service.part.rpm, 1) / random.uniform(4, 14)
    limit = int(2 ** random.integers(1, 4)) * 1024 * _MB
    base_heap, pause = random.uniform(0.38, 0.62), random.uniform(0.008, 0.022)
    threads = int(random.integers(48, 220)) if service.is_jvm else int(random.integers(12, 60))
    random = random_for(plan.seed, "runtimes", service.name, region)
    line = maker.character.timelines[region]
    place, versions, served = line.served(starts, 60)
    rate = averaged(maker.character.background.rates[region], starts, 60)
    wanted = np.maximum(np.ceil(rate * 1.45 / capacity), 2 if service.tier <= 2 else 1)
    instances = np.maximum(np.ceil(wanted[place] * served), 1).astype(np.int64)
    busy = 0.6 * rate / (wanted * capacity) + 0.03
    cpu = (busy * np.exp(noise(random, len(starts), 0.06, 8)))[place]
    leak = _leak(maker, starts)[place]
    heap = base_heap + 0.1 * cpu + noise(random, len(starts), 0.03, 5)[place]
    heap = np.clip(heap + leak * (0.96 - base_heap), 0.05, 0.985)
    names = maker.words.numbers(line.names)
    known = [plan.releases[service.name].versions[name] for name in line.names]
    runtimes = maker.words.numbers([version.runtime for version in known])
    frameworks = maker.words.numbers([version.framework_version for version in known])
    better = np.array([version.framework_version in ("1.20.0",) for version in known])
    pauses, total = _pauses(
        service.is_jvm, instances, cpu, leak, np.where(better[versions], 0.8, 1.0) * pause, random
    )
    count = len(place)
    columns: dict[str, Ints | Floats | Bools] = {
        "time": starts[place].astype(np.int32),
        "service": maker.words.same(service.name, count),
        "version": names[versions],
        "region": maker.words.same(region, count),
        "runtime": runtimes[versions],
        "framework": maker.words.same(service.framework, count),
        "framework_version": frameworks[versions],
        "instance_count": instances,
        "cpu_utilization": np.round(cpu, 4),
        "heap_used_bytes": np.rint(heap * limit).astype(np.int64),
        "heap_limit_bytes": np.full(count, limit),
        "gc_pause_sum_s": total,
        "thread_count": np.rint(threads * (0.7 + 0.5 * cpu)).astype(np.int64),
    }
    return Rows(columns, _WORDS, "gc_pause", pauses)


def _leak(maker: ServiceMaker, starts: Ints) -> Floats:
    """Return how far a leak has got in each hour, 0 to 1."""
    level = np.zeros(len(starts))
    for effect in maker.effects:
        if effect.mechanism == "a deployment that leaks memory":
            level = np.maximum(level, effect.strength(starts + 30))
    return level


def _pauses(
    is_jvm: bool,
    instances: Ints,
    cpu: Floats,
    leak: Floats,
    usual_s: Floats,
    random: np.random.Generator,
) -> tuple[Histograms, Floats]:
    """Return the pauses of all instances of each row, and their sum in seconds."""
    if not is_jvm:
        nothing = np.zeros(len(instances), dtype=np.int64)
        return Histograms.of_running(nothing[:, None], 0), np.zeros(len(instances))
    count = random.poisson(instances * (40 + 190 * cpu) * (1 + 2.5 * leak**2))
    ends = _FIRST_PAUSE + np.arange(1, _PAUSE_BUCKETS + 1, dtype=np.float64)
    middle = np.log2(usual_s * (1 + 5 * leak**2)) * 16
    # Young collections, and now and then a long one.
    young = ndtr((ends - middle[:, None]) / 7.5)
    old = ndtr((ends - middle[:, None] - 44) / 11)
    shares = young + 0.012 * (1 + 8 * leak[:, None]) * (old - young)
    shares = shares / shares[:, -1:]
    totals = spread_counts(count, shares, places_for_rounding(random, len(count), shares))
    made = Histograms.of_running(totals, _FIRST_PAUSE)
    return made, exact(made.sums(2.0 ** ((ends - 0.5) / 16), _FIRST_PAUSE))


def sli_rows(maker: ServiceMaker, name: str, per_minute: int, spent: float) -> Rows:
    """Return the rows of ``sli_events`` of a service's other indicator, and count them."""
    random = random_for(maker.plan.seed, "sli", maker.service.name)
    start = LENGTH - maker.plan.size.slo_minutes * DAY
    minutes = maker.service.covered(np.arange(start, LENGTH))
    rate = sum(averaged(it, minutes, 10) for it in maker.character.background.rates.values())
    load = np.asarray(rate) / max(maker.service.part.rpm, 1e-9)
    valid = random.poisson(per_minute * load)
    lost = np.exp(noise(random, len(minutes), 1.1, 45))
    lost = spent * 0.01 * lost / lost.mean()
    for effect in maker.effects:
        if effect.sli:
            rows = np.flatnonzero((minutes >= effect.start) & (minutes < effect.end))
            lost[rows] += effect.strength(minutes[rows]) * effect.error_rate
    bad = random.binomial(valid, np.minimum(lost, 0.99))
    for effect in maker.effects:
        if effect.sli:
            rows = np.flatnonzero((minutes >= effect.start) & (minutes < effect.end))
            maker.made.planted.append(
                Planted(effect, minutes[rows], bad[rows], np.zeros(len(rows)))
            )
    places = maker.tallies.places(minutes)
    for tally in maker.tallies.tallies:
        if tally.measure.sli == name:
            tally.add(places, valid - bad, valid, np.zeros_like(valid))
    columns: dict[str, Ints | Floats | Bools] = {
        "time": minutes.astype(np.int32),
        "service": maker.words.same(maker.service.name, len(minutes)),
        "sli": maker.words.same(name, len(minutes)),
        "good_count": valid - bad,
        "valid_count": valid,
    }
    return Rows(columns, ("service", "sli"))
