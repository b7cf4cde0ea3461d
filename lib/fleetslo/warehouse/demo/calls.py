"""Calls of a demo service to its dependencies, as the caller saw them."""

from functools import lru_cache

import numpy as np

from fleetslo.warehouse.demo.catalogue import Edge, Service, random_for
from fleetslo.warehouse.demo.clock import Bools, Floats, Ints
from fleetslo.warehouse.demo.latency import (
    LatencyModel,
    Pace,
    latency_model,
    places_for_rounding,
    spread_counts,
)
from fleetslo.warehouse.demo.rows import Histograms, Rows, exact
from fleetslo.warehouse.demo.service import ServiceMaker, kept_minutes
from fleetslo.warehouse.demo.traffic import noise

_ROWS_AT_ONCE = 4096


def add_calls(maker: ServiceMaker) -> None:
    """Add the rows of ``calls`` and ``calls_hourly`` to what a service has sent."""
    known = {service.name: service for service in maker.plan.services}
    for edge in maker.service.edges:
        upstream = known.get(edge.upstream, maker.service)
        model = _model(upstream, maker.plan.seed)
        for (region, unit), (starts, requests) in maker.made.regions.items():
            if unit in (1, -1, 60):
                _Calls(maker, edge, model, region).add(starts, requests, unit)


@lru_cache(maxsize=64)
def _model(service: Service, seed: int) -> LatencyModel:
    """Return a service's distributions as its callers see them; many call the same few."""
    return latency_model(service, seed)


class _Calls:
    """One dependency, called from one region."""

    def __init__(self, maker: ServiceMaker, edge: Edge, model: LatencyModel, region: str) -> None:
        self.maker, self.edge, self.model, self.region = maker, edge, model, region
        self.keep = kept_minutes(maker.service, maker.plan, maker.plan.size.calls)
        self.random = random_for(
            maker.plan.seed, "calls", maker.service.name, edge.upstream, region
        )

    def add(self, starts: Ints, requests: Floats, unit: int) -> None:
        """Add the calls made for so many requests in each unit of time."""
        if unit == 60:
            usual = np.full(len(starts), self._usual())
            self._hours(self._rows(starts, requests, usual, np.zeros(len(starts)), 60))
            return
        failing, shift = self._trouble(starts)
        # Hours are all that is left of minutes that are not kept.
        keep = self.keep[starts] if unit == 1 else np.zeros(len(starts), dtype=bool)
        if keep.any():
            rows = self._rows(starts[keep], requests[keep], failing[keep], shift[keep], 1)
            self.maker.made.add("calls", rows)
            self._hours(self._by_hour(rows))
        if not keep.all():
            hours, groups = np.unique(starts[~keep] // 60 * 60, return_inverse=True)
            minutes = np.bincount(groups)
            self._hours(
                self._rows(
                    hours,
                    np.bincount(groups, requests[~keep]),
                    np.bincount(groups, failing[~keep]) / minutes,
                    np.bincount(groups, shift[~keep]) / minutes,
                    60,
                )
            )

    def _hours(self, rows: Rows) -> None:
        starts = rows.columns["time"]
        kept = (starts >= self.maker.hours_from) | self.keep[starts]
        self.maker.made.add("calls_hourly", rows.where(kept))

    def _usual(self) -> float:
        part = self.maker.service.part.errors * self.maker.service.allowed_bad
        return 0.6 * part / max(self.edge.passes, 0.2)

    def _trouble(self, starts: Ints) -> tuple[Floats, Floats]:
        """Return the share of calls that fail, and how much slower the others are."""
        failing = self._usual() * np.exp(noise(self.random, len(starts), 0.5, 90))
        shift = noise(self.random, len(starts), 0.5, 30)
        for effect in self.maker.effects:
            if effect.upstream != self.edge.upstream or effect.sli:
                continue
            if effect.regions and self.region not in effect.regions:
                continue
            rows = np.flatnonzero((starts >= effect.start) & (starts < effect.end))
            strength = effect.strength(starts[rows])
            reach = max(min(self.edge.calls, 1.0) * self.edge.passes, 0.05)
            failing[rows] += strength * effect.error_rate / reach
            shift[rows] += strength * effect.shift
        return np.minimum(failing, 0.97), shift

    def _rows(
        self, starts: Ints, requests: Floats, failing: Floats, shift: Floats, unit: int
    ) -> Rows:
        random, model = self.random, self.model
        first_try = random.poisson(requests * self.edge.calls)
        wanted = first_try * np.minimum(failing * 0.85 + 0.0004, 1)
        retries = np.minimum(random.poisson(wanted), first_try)
        calls = first_try + retries
        errors = np.minimum(random.poisson(calls * failing), calls)
        served = calls - errors
        sums, parts = np.zeros(len(starts)), list[Histograms]()
        # The network between them costs about a bucket.
        count = len(starts)
        pace = Pace(shift + 1.0, np.full(count, 0.2), np.full(count, model.tail_share))
        for begin in range(0, len(starts), _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            shares = model.cumulative(pace.at(some))
            if unit > 1:
                shares = shares.astype(np.float64)
            at = places_for_rounding(random, len(shares), shares)
            totals = spread_counts(served[some], shares, at)
            part = Histograms.of_running(totals, model.first_bucket)
            sums[some] = part.sums(model.middles_s, model.first_bucket)
            parts.append(part)
        columns: dict[str, Ints | Floats | Bools] = {
            "time": starts.astype(np.int32),
            **self._names(len(starts)),
            "call_count": calls,
            "error_count": errors,
            "retry_count": retries,
            "duration_sum_s": exact(sums),
        }
        words = ("service", "upstream", "region")
        return Rows(columns, words, "latency", Histograms.joined(parts))

    def _names(self, length: int) -> dict[str, Ints]:
        same = self.maker.words.same
        return {
            "service": same(self.maker.service.name, length),
            "upstream": same(self.edge.upstream, length),
            "region": same(self.region, length),
        }

    def _by_hour(self, rows: Rows) -> Rows:
        hours, groups = np.unique(rows.columns["time"] // 60 * 60, return_inverse=True)
        size = len(hours)
        dense = rows.histograms.dense(groups, size, self.model.first_bucket, self.model.size)
        columns: dict[str, Ints | Floats | Bools] = {"time": hours, **self._names(size)}
        for name in ("call_count", "error_count", "retry_count"):
            sums = np.bincount(groups, rows.columns[name], size)
            columns[name] = np.rint(sums).astype(np.int64)
        columns["duration_sum_s"] = np.bincount(groups, rows.columns["duration_sum_s"], size)
        made = Histograms.of_dense(dense, self.model.first_bucket)
        return Rows(columns, rows.words, "latency", made)
