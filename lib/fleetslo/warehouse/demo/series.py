"""Requests of one endpoint in one region of a demo service: counts, faults, durations."""

from dataclasses import dataclass

import numpy as np

from fleetslo.warehouse.demo.background import Background
from fleetslo.warehouse.demo.catalogue import Endpoint, Service
from fleetslo.warehouse.demo.clock import Floats, Ints
from fleetslo.warehouse.demo.events import Effect
from fleetslo.warehouse.demo.faults import ErrorCounts, Kinds
from fleetslo.warehouse.demo.latency import (
    LatencyModel,
    Pace,
    places_for_rounding,
    region_shift,
    spread_counts,
)
from fleetslo.warehouse.demo.rows import Histograms, exact
from fleetslo.warehouse.demo.timeline import Timeline
from fleetslo.warehouse.demo.traffic import noise

_ROWS_AT_ONCE = 4096


@dataclass
class Character:
    """All that the rows of a service are drawn from."""

    service: Service
    background: Background
    model: LatencyModel
    kinds: Kinds
    effects: tuple[Effect, ...]
    paces: dict[str, tuple[float, float]]
    timelines: dict[str, Timeline]
    random: np.random.Generator


@dataclass
class Planted:
    """Bad requests that one effect added to a series, by row."""

    effect: Effect
    minutes: Ints
    faults: Ints
    slow: Floats


@dataclass
class Series:
    """Rows of one endpoint and region: one per unit of time and version, in that order.

    Counts are of observed requests.
    """

    region: str
    endpoint: Endpoint
    unit: int
    minutes: Ints
    versions: Ints
    requests: Ints
    faults: Ints
    errors: ErrorCounts
    pace: Pace
    planted: list[Planted]

    @property
    def served(self) -> Ints:
        """How many requests of each row were no faults."""
        return self.requests - self.faults

    def groups(self, unit: int) -> tuple[Ints, Ints, Ints]:
        """Return (group of each row, start of each group, its version) in longer units."""
        start = self.minutes // unit * unit
        keys = start.astype(np.int64) * 100_000 + self.versions
        unique, inverse = np.unique(keys, return_inverse=True)
        return inverse, unique // 100_000, (unique % 100_000).astype(np.int64)


def draw_series(
    character: Character,
    region: str,
    endpoint: Endpoint,
    starts: Ints,
    unit: int,
    rates: Floats,
    crowd: Floats,
) -> Series:
    """Return the requests and faults of an endpoint in a region.

    Args:
        character: the service's.
        region: one of its regions.
        endpoint: one of its endpoints.
        starts: the units of time, by their first minute.
        unit: their length in minutes.
        rates: observed requests of the region in each unit.
        crowd: how many times as many come because of effects.
    """
    random = character.random
    wobble = noise(random, len(starts), 0.03 if unit == 1 else 0.01, 4)
    requests = random.poisson(rates * crowd * endpoint.share * np.exp(wobble))
    timeline = character.timelines[region]
    place, versions, shares = timeline.served(starts, unit)
    counts = _split(requests, place, shares, random)
    minutes = starts[place]
    pace, fragility = _version_traits(character, timeline, versions)
    share = character.background.fault_share(starts, unit)[place]
    share = np.minimum(share * endpoint.fragility * fragility, 0.5)
    faults = np.minimum(random.poisson(counts * share), counts)
    paced = character.background.pace(starts, unit).at(place)
    paced.shift += pace + endpoint.pace + region_shift(region)
    paced.tail = np.clip(character.model.tail_share * paced.tail, 0, 0.4)
    if unit == 1:
        _start_up(paced, timeline.ages(minutes, versions), is_jvm=character.service.is_jvm)
        paced.shift += noise(random, len(starts), 0.45, 12)[place]
        # The fewer requests, the less their median is that of the distribution.
        few = np.minimum(5.0 / np.sqrt(counts + 1.0), 1.4)
        paced.shift += few * random.standard_normal(len(counts))
    series = Series(
        region, endpoint, unit, minutes, versions, counts, faults, ErrorCounts(), paced, []
    )
    series.errors.split(faults, character.kinds.usual, character.kinds.usual_shares, random)
    if unit == 1:
        for effect in character.effects:
            if effect.touches(region, endpoint.name) and not effect.sli:
                _suffer(series, effect, character, timeline)
    factor = np.exp(noise(random, len(starts), 0.2, 60 if unit == 1 else 6))[place]
    series.errors.mistakes(series.served, character.kinds, factor, random)
    return series


def _start_up(pace: Pace, ages: Ints, *, is_jvm: bool) -> None:
    """Let a version begin with an empty cache, and with code that is not compiled yet."""
    young = np.flatnonzero(ages < 180)
    fading = np.exp(-ages[young] / 25)
    pace.cold[young] = np.minimum(pace.cold[young] + 0.8 * fading, 1)
    if is_jvm:
        pace.shift[young] += 3 * np.exp(-ages[young] / 5)


def _split(requests: Ints, place: Ints, shares: Floats, random: np.random.Generator) -> Ints:
    """Return the requests of each version; those of a unit add up to its requests."""
    if len(place) == len(requests):
        return requests
    running = np.cumsum(shares)
    first = np.flatnonzero(np.diff(place, prepend=-1))
    before = np.concatenate([[0.0], running])[first]
    group = np.cumsum(np.diff(place, prepend=-1) > 0) - 1
    within = running - before[group]
    is_last = np.concatenate([np.diff(place) > 0, [True]])
    at = random.random(len(requests))
    upto = np.floor(requests[place] * within + at[place]).astype(np.int64)
    upto = np.where(is_last, requests[place], np.minimum(upto, requests[place]))
    is_first = np.zeros(len(place), dtype=bool)
    is_first[first] = True
    before_it = np.where(is_first, 0, np.concatenate([[0], upto[:-1]]))
    return upto - before_it


def _version_traits(
    character: Character, timeline: Timeline, versions: Ints
) -> tuple[Floats, Floats]:
    traits = np.array([character.paces[name] for name in timeline.names])
    return traits[versions, 0], traits[versions, 1]


def _sway(series: Series, rows: Ints, random: np.random.Generator) -> Floats:
    """Return how harm sways about its strength: worse under load, and never quite the same."""
    served = series.served[rows]
    busy = served / max(float(served.mean()), 1e-9)
    drift = np.exp(noise(random, len(rows), 0.22, 90 if series.unit == 1 else 3))
    swayed: Floats = (0.7 + 0.3 * np.minimum(busy, 2.0)) * drift
    return swayed


def _suffer(series: Series, effect: Effect, character: Character, timeline: Timeline) -> None:
    """Let an effect harm the rows it reaches, and note what it added."""
    rows = np.flatnonzero((series.minutes >= effect.start) & (series.minutes < effect.end))
    if effect.version is not None:
        rows = rows[series.versions[rows] == timeline.names.index(effect.version)]
    if not len(rows):
        return
    random = character.random
    strength = effect.strength(series.minutes[rows]) * _sway(series, rows, random)
    if effect.mistake is not None:
        share = np.minimum(strength * effect.mistake_rate, 0.9)
        kind = character.kinds.number(effect.mistake, None, is_fault=False)
        wrong = np.zeros(len(series.minutes), dtype=np.int64)
        wrong[rows] = random.binomial(series.served[rows] // 2, share)
        series.errors.single(wrong, kind)
        return
    failed = random.binomial(series.served[rows], np.minimum(strength * effect.error_rate, 0.98))
    more = np.zeros(len(series.minutes), dtype=np.int64)
    more[rows] = failed
    series.faults = series.faults + more
    series.errors.split(more, *character.kinds.of_effect(effect), random)
    model = character.model
    pace = series.pace
    usual = model.slow_share(pace.at(rows))
    pace.shift[rows] += strength * effect.shift
    tail = strength * effect.slow / max(model.tail_slow, 0.1)
    pace.tail[rows] = np.minimum(pace.tail[rows] + tail, 0.95)
    now = model.slow_share(pace.at(rows))
    slow: Floats = series.served[rows] * np.maximum(now - usual, 0.0)
    series.planted.append(Planted(effect, series.minutes[rows], failed, slow))


@dataclass
class Durations:
    """Durations of a series' rows: histograms, their sums, and running totals at ``edges``."""

    histograms: Histograms
    sums_s: Floats
    running: Ints


def draw_durations(
    series: Series, model: LatencyModel, edges: Ints, random: np.random.Generator
) -> Durations:
    """Return the durations of every row."""
    served = series.served
    rows = np.flatnonzero(served)
    running = np.zeros((len(served), len(edges)), dtype=np.int64)
    sums = np.zeros(len(served))
    lengths = np.zeros(len(served), dtype=np.int32)
    parts: list[Histograms] = []
    middles = model.middles_s * np.exp(random.normal(0, 0.004, model.size))
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[begin : begin + _ROWS_AT_ONCE]
        shares = model.cumulative(series.pace.at(some))
        if series.unit > 1:
            shares = shares.astype(np.float64)
        at = places_for_rounding(random, len(some), shares)
        totals = spread_counts(served[some], shares, at)
        running[some] = totals[:, edges]
        part = Histograms.of_running(totals, model.first_bucket)
        sums[some] = part.sums(middles, model.first_bucket)
        lengths[some] = part.lengths
        parts.append(part)
    joined = Histograms.joined(parts)
    histograms = Histograms(lengths, joined.buckets, joined.counts)
    return Durations(histograms, exact(sums), running)


def draw_edges(
    series: Series, model: LatencyModel, edges: Ints, random: np.random.Generator
) -> Ints:
    """Return only how many requests of each row took no longer than each edge."""
    shares = model.at_edges(edges, series.pace)
    at = places_for_rounding(random, len(shares), shares)
    return spread_counts(series.served, shares, at)


def fit_hours(
    series: Series, running: Ints, edges: Ints, model: LatencyModel, random: np.random.Generator
) -> Ints:
    """Return dense counts per hour and version that agree with the minutes' totals at ``edges``."""
    groups, starts, _ = series.groups(60)
    size = len(starts)
    totals = np.stack(
        [
            np.bincount(groups, running[:, k].astype(np.float64), minlength=size)
            for k in range(len(edges))
        ],
        axis=1,
    )
    weights = series.served + 1e-6
    whole = np.bincount(groups, weights, minlength=size)
    pace = Pace(
        *(
            np.bincount(groups, values * weights, minlength=size) / whole
            for values in (series.pace.shift, series.pace.cold, series.pace.tail)
        )
    )
    shares = model.cumulative(pace).astype(np.float64)
    fitted = np.zeros((size, model.size))
    at = random.random(size)[:, None]
    low_total: Floats = np.zeros((size, 1))
    low_share: Floats = np.zeros((size, 1))
    first = 0
    for k, edge in enumerate(edges):
        cell = shares[:, first : edge + 1]
        high_total, high_share = totals[:, k : k + 1], cell[:, -1:]
        width = np.maximum(high_share - low_share, 1e-12)
        part = np.clip((cell - low_share) / width, 0, 1)
        inside = np.floor((high_total - low_total) * part + at)
        fitted[:, first : edge + 1] = np.minimum(low_total + inside, high_total)
        fitted[:, edge] = high_total[:, 0]
        low_total, low_share, first = high_total, high_share, int(edge) + 1
    return np.rint(np.diff(fitted, axis=1, prepend=0)).astype(np.int64)


def fold(values: Ints | Floats, groups: Ints, size: int) -> Ints | Floats:
    """Return sums of values by group."""
    sums = np.bincount(groups, weights=values, minlength=size)
    return sums if values.dtype.kind == "f" else np.rint(sums).astype(np.int64)
