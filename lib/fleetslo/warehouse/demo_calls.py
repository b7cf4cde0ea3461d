"""Calls of a demo service to its dependencies, as the caller saw them."""

import numpy as np

from fleetslo.warehouse.demo_catalogue import Edge, random_for
from fleetslo.warehouse.demo_clock import Bools, Floats, Ints
from fleetslo.warehouse.demo_latency import LatencyModel, latency_model, spread_counts
from fleetslo.warehouse.demo_rows import Histograms, Rows, exact
from fleetslo.warehouse.demo_service import ServiceMaker
from fleetslo.warehouse.demo_traffic import noise

_ROWS_AT_ONCE = 4096


def add_calls(maker: ServiceMaker) -> None:
    """Add the rows of ``calls`` and ``calls_hourly`` to what a service has sent."""
    known = {service.name: service for service in maker.plan.services}
    for edge in maker.service.edges:
        upstream = known.get(edge.upstream, maker.service)
        model = latency_model(upstream, maker.plan.seed)
        for (region, unit), (starts, requests) in maker.made.regions.items():
            if unit in (1, -1, 60):
                _Calls(maker, edge, model, region).add(starts, requests, unit)


class _Calls:
    """One dependency, called from one region."""

    def __init__(self, maker: ServiceMaker, edge: Edge, model: LatencyModel, region: str) -> None:
        self.maker, self.edge, self.model, self.region = maker, edge, model, region
        self.random = random_for(
            maker.plan.seed, "calls", maker.service.name, edge.upstream, region
        )

    def add(self, starts: Ints, requests: Floats, unit: int) -> None:
        """Add the calls made for so many requests in each unit of time."""
        maker = self.maker
        failing, shift = self._trouble(starts) if abs(unit) == 1 else self._calm(starts)
        if unit == -1:
            # Minutes that are not kept: hours are all that is left of them.
            hours, groups = np.unique(starts // 60 * 60, return_inverse=True)
            requests = np.bincount(groups, requests)
            failing = np.bincount(groups, failing) / np.bincount(groups)
            starts, shift = hours, np.zeros(len(hours))
        rows = self._rows(starts, requests, failing, shift, abs(unit))
        if unit == 1:
            maker.made.add("calls", rows.where(maker.keep[starts]))
            rows = self._by_hour(rows)
        kept = rows.columns["time"] >= maker.hours_from
        maker.made.add("calls_hourly", rows.where(np.asarray(kept)))

    def _calm(self, starts: Ints) -> tuple[Floats, Floats]:
        return np.full(len(starts), self._usual()), np.zeros(len(starts))

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
        tail = np.full(len(starts), model.tail_share)
        for begin in range(0, len(starts), _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            # The network between them costs about a bucket.
            shares = model.cumulative(shift[some] + 1.0, tail[some])
            if unit > 1:
                shares = shares.astype(np.float64)
            totals = spread_counts(
                served[some], shares, random.random(len(shares)).astype(shares.dtype)
            )
            totals[:, 1:] -= totals[:, :-1].copy()
            sums[some] = totals @ model.middles_s
            parts.append(Histograms.of_dense(totals, model.first_bucket))
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
        number = self.maker.words.number
        return {
            "service": np.full(length, number(self.maker.service.name), dtype=np.int32),
            "upstream": np.full(length, number(self.edge.upstream), dtype=np.int32),
            "region": np.full(length, number(self.region), dtype=np.int32),
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
