"""How long the demo's requests take: mixtures of cache hits, misses, retries and pauses.

A service has one body of two bumps (hits and misses of a cache) and one tail (slow dependencies,
retries after a timeout, garbage collection). What changes from minute to minute is how far the
body is shifted, in quarters of a bucket, and how much of the tail there is; so the distribution
of every minute is looked up, not computed. Counts are drawn by systematic sampling: each bucket
gets its expected share, rounded at a random place, and the whole adds up exactly.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import REGIONS, Floats, Ints
from fleetslo.warehouse.measures import Operator, edges

SUBSTEPS = 4
_LOWEST_SHIFT, _HIGHEST_SHIFT = -18 * SUBSTEPS, 44 * SUBSTEPS
_COLD_LEVELS, _USUALLY_COLD = 8, 0.2


@dataclass
class Pace:
    """Which distribution each row's durations come from.

    ``shift`` of the body in buckets; ``cold`` from 0 (the cache hits as it can) to 1 (just
    started); ``tail``, the share of the tail.
    """

    shift: Floats
    cold: Floats
    tail: Floats

    def at(self, rows: Ints | slice) -> "Pace":
        """Return the pace of some rows."""
        return Pace(self.shift[rows], self.cold[rows], self.tail[rows])


@dataclass(frozen=True)
class LatencyModel:
    """The distributions of one service, on its own stretch of buckets.

    ``bodies[c, s]`` is the cumulative share of each bucket's upper end when the cache is as cold
    as ``c / (_COLD_LEVELS - 1)`` and the body shifted by ``s + _LOWEST_SHIFT`` quarters of a
    bucket; ``tail`` is that of the tail. ``middles_s`` are durations in the middle of each bucket.
    ``tail_share`` is the usual share of the tail, ``tail_slow`` how much of the tail is slower
    than the threshold, which ``cut`` is the last bucket within.
    """

    first_bucket: int
    bodies: Floats
    tail: Floats
    middles_s: Floats
    tail_share: float
    tail_slow: float
    cut: int

    @property
    def size(self) -> int:
        """How many buckets there are."""
        return len(self.tail)

    def cumulative(self, pace: Pace) -> Floats:
        """Return the cumulative share of every bucket, one row per row of ``pace``."""
        body: Floats = self.bodies[_cold_index(pace.cold), _shift_index(pace.shift)]
        tail = pace.tail[:, None].astype(body.dtype)
        mixed: Floats = body + tail * (self.tail - body)
        return mixed

    def at_edges(self, edges: Ints, pace: Pace) -> Floats:
        """Return the same at a few buckets only, given by their place in the stretch."""
        cold, shift = _cold_index(pace.cold), _shift_index(pace.shift)
        body: Floats = np.stack([self.bodies[cold, shift, edge] for edge in edges], axis=1)
        mixed: Floats = body + pace.tail[:, None] * (self.tail[edges] - body)
        return mixed

    def slow_share(self, pace: Pace) -> Floats:
        """Return the share of requests slower than the service's threshold."""
        share: Floats = 1 - self.at_edges(np.array([self.cut]), pace)[:, 0]
        return share

    def places(self, within_s: float, op: Operator = "lte") -> tuple[int, int]:
        """Return the places of the last bucket certainly within, and of the one it reaches.

        They are equal where the threshold cuts no bucket, and may lie outside of the stretch.
        """
        fast, cut = edges(within_s, op)
        return fast - self.first_bucket, cut - self.first_bucket


def _shift_index(shift: Floats) -> Ints:
    quarters = np.rint(shift * SUBSTEPS).astype(np.int32)
    index: Ints = np.clip(quarters, _LOWEST_SHIFT, _HIGHEST_SHIFT) - _LOWEST_SHIFT
    return index


def _cold_index(cold: Floats) -> Ints:
    levels = np.rint(cold * (_COLD_LEVELS - 1)).astype(np.int32)
    index: Ints = np.clip(levels, 0, _COLD_LEVELS - 1)
    return index


def region_shift(region: str) -> float:
    """Return how many buckets slower a region answers."""
    return REGIONS[region][1]


def latency_model(service: Service, seed: int, usual: Pace | None = None) -> LatencyModel:
    """Return a service's distributions.

    Args:
        service: whose they are.
        seed: the fleet's.
        usual: what its pace is over the weeks that budgets are counted in, with factors on the
            usual tail in ``tail``. The tail is set so that these weeks spend the service's share
            of the budget; without it, as if they were all alike.
    """
    random = random_for(seed, "latency", service.name)
    threshold = service.threshold_s
    # Callers give up after a while; what is faster is given less.
    patience = [1.0, 1.5, 2.5] if service.part.median_ms < 25 else [2.5, 3.0, 4.0]
    deadline = float(random.choice(patience)) * (1 if service.tier <= 2 else 2)
    miss_share, miss_ratio = float(random.uniform(0.06, 0.26)), float(random.uniform(2.6, 6.0))
    spreads = float(random.uniform(0.24, 0.42)), float(random.uniform(0.30, 0.46))
    aim = service.part.slow * 0.01
    log_median = np.log2(service.part.median_ms / 1000) * 16
    while True:
        bumps = [
            (1 - miss_share, log_median, spreads[0]),
            (miss_share, log_median + 16 * np.log2(miss_ratio), spreads[1]),
        ]
        # On the busiest hours the body is a few buckets slower, and must still fit.
        places = np.array([np.log2(threshold) * 16 - shift - 2 for shift, _ in _places(service)])
        weights = np.array([weight for _, weight in _places(service)])
        if weights @ (1 - _mixture(places, bumps)) < aim * 0.4:
            break
        log_median -= 1.0
    tail = [
        (0.62, log_median + 16 * np.log2(7), 0.95),
        (0.22, np.log2(threshold * random.uniform(1.3, 2.4)) * 16, 0.24),
        (0.16, np.log2(0.18) * 16, 0.5) if service.is_jvm else (0.16, log_median + 30, 0.4),
    ]
    first = int(np.floor(log_median - 16 * np.log2(4.2)))
    last = int(np.ceil(np.log2(deadline) * 16))
    model = _tables(first, last, bumps, tail, threshold)
    calm = Pace(np.zeros(1), np.full(1, _USUALLY_COLD), np.ones(1))
    return _set_tail(model, service, usual or calm, aim)


def _places(service: Service) -> list[tuple[float, float]]:
    """Return (shift, share of requests) of each endpoint in each region."""
    return [
        (endpoint.pace + region_shift(region), share * endpoint.share)
        for region, share in service.regions
        for endpoint in service.endpoints
    ]


def _mixture(places: Floats, bumps: list[tuple[float, float, float]]) -> Floats:
    """Return the cumulative share at places in buckets; spreads are in natural logarithms."""
    whole: Floats = np.zeros(places.shape)
    for weight, middle, spread in bumps:
        whole = whole + weight * ndtr((places - middle) / (spread * 16 / np.log(2)))
    return whole


def _tables(
    first: int,
    last: int,
    bumps: list[tuple[float, float, float]],
    tail: list[tuple[float, float, float]],
    threshold: float,
) -> LatencyModel:
    ends = first + np.arange(1, last - first + 1, dtype=np.float64)
    shifts = np.arange(_LOWEST_SHIFT, _HIGHEST_SHIFT + 1) / SUBSTEPS
    hits, misses = (_mixture(ends - shifts[:, None], [(1.0, *bump[1:])]) for bump in bumps)
    # A cold cache misses more.
    levels = np.linspace(0.7, 3.1, _COLD_LEVELS)
    missed = np.minimum(0.9, bumps[1][0] * levels)[:, None, None]
    body = hits + missed * (misses - hits)
    body = body / body[:, :, -1:]
    tails = _mixture(ends, tail)
    tails = tails / tails[-1]
    cut = edges(threshold)[0] - first
    return LatencyModel(
        first_bucket=first,
        bodies=body.astype(np.float32),
        tail=tails.astype(np.float32),
        middles_s=2.0 ** ((ends - 0.5) / 16),
        tail_share=0.0,
        tail_slow=float(1 - tails[cut]),
        cut=cut,
    )


def _set_tail(model: LatencyModel, service: Service, usual: Pace, aim: float) -> LatencyModel:
    """Return the model with as much of a tail as spends ``aim`` of the requests on slow ones."""
    body, more = 0.0, 0.0
    for shift, weight in _places(service):
        moved = Pace(usual.shift + shift, usual.cold, np.zeros(len(usual.tail)))
        slow = model.slow_share(moved)
        body += weight * float(slow.mean())
        more += weight * float((usual.tail * (model.tail_slow - slow)).mean())
    return replace(model, tail_share=max(1e-5, (aim - body) / max(more, 0.02)))


def spread_counts(counts: Ints, cumulative: Floats, at: Floats) -> Ints:
    """Return each row's count spread over its buckets, running totals: one row per count.

    Args:
        counts: how many there are in each row.
        cumulative: rows of cumulative shares; the last column is taken as 1.
        at: a number in [0, 1) per row, where rounding happens.
    """
    totals = cumulative * counts[:, None]
    totals += at[:, None]
    running: Ints = totals.astype(np.int32 if counts.max(initial=0) < 2**22 else np.int64)
    running[:, -1] = counts
    return running


def places_for_rounding(random: np.random.Generator, size: int, like: Floats) -> Floats:
    """Return a number in [0, 1) per row, clear of 1 in the precision of ``like``."""
    places: Floats = (random.random(size) * 0.9999).astype(like.dtype)
    return places
