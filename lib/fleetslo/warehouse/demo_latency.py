"""How long the demo's requests take: mixtures of cache hits, misses, retries and pauses.

A service has one body of two bumps (hits and misses of a cache) and one tail (slow dependencies,
retries after a timeout, garbage collection). What changes from minute to minute is how far the
body is shifted, in quarters of a bucket, and how much of the tail there is; so the distribution
of every minute is looked up, not computed. Counts are drawn by systematic sampling: each bucket
gets its expected share, rounded at a random place, and the whole adds up exactly.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from fleetslo.warehouse.demo_catalogue import Service, random_for
from fleetslo.warehouse.demo_clock import REGIONS, Floats, Ints
from fleetslo.warehouse.measures import edges

SUBSTEPS = 4
_LOWEST_SHIFT, _HIGHEST_SHIFT = -14 * SUBSTEPS, 44 * SUBSTEPS


@dataclass(frozen=True)
class LatencyModel:
    """The distributions of one service, on its own stretch of buckets.

    ``bodies[s]`` is the cumulative share of each bucket's upper end when the body is shifted by
    ``s + _LOWEST_SHIFT`` quarters of a bucket; ``tail`` is that of the tail. ``middles_s`` are
    durations in the middle of each bucket. ``tail_share`` is the usual share of the tail, and
    ``tail_slow`` how much of the tail is slower than the threshold.
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

    def cumulative(self, shift: Floats, tail_share: Floats) -> Floats:
        """Return cumulative shares: one row per (shift in buckets, share of the tail)."""
        body: Floats = self.bodies[shift_index(shift)]
        tail = tail_share[:, None].astype(body.dtype)
        mixed: Floats = body + tail * (self.tail - body)
        return mixed

    def at_edges(self, edges: Ints, shift: Floats, tail_share: Floats) -> Floats:
        """Return the same at a few buckets only, given by their place in the stretch."""
        index = shift_index(shift)
        body: Floats = np.stack([self.bodies[index, edge] for edge in edges], axis=1)
        mixed: Floats = body + tail_share[:, None] * (self.tail[edges] - body)
        return mixed

    def slow_share(self, shift: Floats, tail_share: Floats) -> Floats:
        """Return the share of requests slower than the service's threshold."""
        share: Floats = 1 - self.at_edges(np.array([self.cut]), shift, tail_share)[:, 0]
        return share

    def places(self, within_s: float) -> tuple[int, int]:
        """Return the places of the last bucket certainly within, and of the one it reaches.

        They are equal where the threshold is a bound, and may lie outside of the stretch.
        """
        fast, cut = edges(within_s)
        return fast - self.first_bucket, cut - self.first_bucket


def shift_index(shift: Floats) -> Ints:
    """Return the row of ``bodies`` for each shift in buckets."""
    quarters = np.rint(shift * SUBSTEPS).astype(np.int32)
    index: Ints = np.clip(quarters, _LOWEST_SHIFT, _HIGHEST_SHIFT) - _LOWEST_SHIFT
    return index


def region_shift(region: str) -> float:
    """Return how many buckets slower a region answers."""
    return REGIONS[region][1]


def latency_model(service: Service, seed: int) -> LatencyModel:
    """Return a service's distributions, set so that the usual week spends its share of budget."""
    random = random_for(seed, "latency", service.name)
    threshold = service.threshold_s
    # Callers give up after a while; what is faster is given less.
    patience = [1.0, 1.5, 2.5] if service.part.median_ms < 25 else [2.5, 3.0, 4.0]
    deadline = float(random.choice(patience)) * (1 if service.tier <= 2 else 2)
    miss_share = float(random.uniform(0.08, 0.34))
    miss_ratio = float(random.uniform(2.6, 6.0))
    spreads = float(random.uniform(0.24, 0.42)), float(random.uniform(0.30, 0.46))
    aim = service.part.slow * 0.01
    shifts, weights = _places(service)
    log_median = np.log2(service.part.median_ms / 1000) * 16
    while True:
        bumps = [
            (1 - miss_share, log_median, spreads[0]),
            (miss_share, log_median + 16 * np.log2(miss_ratio), spreads[1]),
        ]
        body_slow = sum(
            weight * (1 - _mixture(np.array([np.log2(threshold) * 16 - shift]), bumps)[0])
            for shift, weight in zip(shifts, weights, strict=True)
        )
        if body_slow < aim * 0.45:
            break
        log_median -= 1.0
    tail = [
        (0.62, log_median + 16 * np.log2(7), 0.95),
        (0.22, np.log2(threshold * random.uniform(1.25, 2.2)) * 16, 0.10),
        (0.16, np.log2(0.18) * 16, 0.5) if service.is_jvm else (0.16, log_median + 30, 0.4),
    ]
    first = int(np.floor(log_median - 16 * np.log2(4.2)))
    last = int(np.ceil(np.log2(deadline) * 16))
    return _tables(first, last, bumps, tail, aim, float(body_slow), threshold)


def _places(service: Service) -> tuple[list[float], list[float]]:
    shifts, weights = [], []
    for region, share in service.regions:
        for endpoint in service.endpoints:
            shifts.append(endpoint.pace + region_shift(region))
            weights.append(share * endpoint.share)
    return shifts, weights


def _mixture(places: Floats, bumps: list[tuple[float, float, float]]) -> Floats:
    """Return the cumulative share at places in buckets; spreads are in natural logarithms."""
    whole: Floats = np.zeros(len(places))
    for weight, middle, spread in bumps:
        whole = whole + weight * ndtr((places - middle) / (spread * 16 / np.log(2)))
    return whole


def _tables(
    first: int,
    last: int,
    bumps: list[tuple[float, float, float]],
    tail: list[tuple[float, float, float]],
    aim: float,
    body_slow: float,
    threshold: float,
) -> LatencyModel:
    size = last - first
    ends = first + np.arange(1, size + 1, dtype=np.float64)
    shifts = np.arange(_LOWEST_SHIFT, _HIGHEST_SHIFT + 1) / SUBSTEPS
    bodies = np.stack([_mixture(ends - shift, bumps) for shift in shifts])
    bodies = bodies / bodies[:, -1:]
    tails = _mixture(ends, tail)
    tails = tails / tails[-1]
    cut = int(np.floor(np.log2(threshold) * 16)) - first - 1
    tail_slow = float(1 - tails[cut])
    return LatencyModel(
        first_bucket=first,
        bodies=bodies.astype(np.float32),
        tail=tails.astype(np.float32),
        middles_s=2.0 ** ((ends - 0.5) / 16),
        tail_share=max(1e-5, (aim - body_slow) / max(tail_slow - body_slow, 0.05)),
        tail_slow=tail_slow,
        cut=cut,
    )


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
