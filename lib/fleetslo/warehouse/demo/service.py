"""All telemetry of one demo service, at every resolution that the warehouse keeps.

The newest minutes, and those around trouble, are drawn as minutes with whole histograms. Older
minutes that only ``slo_minutes`` remember are drawn without: what objectives count, and hours
that agree with it. Before that, hours and days are drawn at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fleetslo.warehouse.demo.background import background
from fleetslo.warehouse.demo.catalogue import Service, random_for
from fleetslo.warehouse.demo.clock import DAY, LENGTH, Bools, Floats, Ints
from fleetslo.warehouse.demo.faults import kinds_of
from fleetslo.warehouse.demo.latency import latency_model
from fleetslo.warehouse.demo.plan import Plan
from fleetslo.warehouse.demo.rows import Histograms, Rows, Words, exact
from fleetslo.warehouse.demo.series import (
    Character,
    Durations,
    Planted,
    Series,
    draw_durations,
    draw_edges,
    draw_series,
    fit_hours,
    fold,
)
from fleetslo.warehouse.demo.slo import Tallies, chosen
from fleetslo.warehouse.demo.timeline import timeline
from fleetslo.warehouse.demo.traffic import averaged, minute_rate

if TYPE_CHECKING:
    from fleetslo.warehouse.rollups import Measure

_WORDS = ("service", "endpoint", "region", "version", "quality")
_ERROR_WORDS = ("service", "endpoint", "region", "version", "error", "upstream")
_BEFORE, _AFTER = 180, 180


@dataclass
class Telemetry:
    """What one service sent: rows by table, counts of objectives, requests per region."""

    rows: dict[str, list[Rows]] = field(default_factory=dict)
    planted: list[Planted] = field(default_factory=list)
    regions: dict[tuple[str, int], tuple[Ints, Floats]] = field(default_factory=dict)

    def add(self, table: str, rows: Rows) -> None:
        """Add rows of a table."""
        if rows.height:
            self.rows.setdefault(table, []).append(rows)


def kept_minutes(service: Service, plan: Plan, days: int) -> Bools:
    """Return which minutes the warehouse keeps: the newest days, and whole hours around trouble."""
    keep = np.zeros(LENGTH, dtype=bool)
    keep[LENGTH - days * DAY :] = True
    first = LENGTH - plan.size.days * DAY
    for effect in plan.effects_on(service.name):
        ends = [(effect.start, min(effect.end, effect.start + 12 * 60))]
        if effect.end - effect.start > 12 * 60:
            ends.append((effect.end - 180, effect.end))
        for start, end in ends:
            if start >= first:
                begin = (start - _BEFORE) // 60 * 60
                keep[max(begin, first) : -(-(end + _AFTER) // 60) * 60] = True
    return keep


class ServiceMaker:
    """Makes one service's telemetry."""

    def __init__(
        self, service: Service, plan: Plan, measures: "Sequence[Measure]", words: Words
    ) -> None:
        self.service, self.plan, self.words = service, plan, words
        self.made = Telemetry()
        size, seed = plan.size, plan.seed
        releases = plan.releases[service.name]
        self.effects = plan.effects_on(service.name)
        usual = background(service, seed)
        self.character = Character(
            service=service,
            background=usual,
            model=latency_model(service, seed, usual.recent()),
            kinds=kinds_of(service, seed),
            effects=self.effects,
            paces={name: (v.pace, v.errors) for name, v in releases.versions.items()},
            timelines={region: timeline(releases, region) for region, _ in service.regions},
            random=random_for(seed, "requests", service.name),
        )
        self.keep = kept_minutes(service, plan, size.minutes)
        newest = np.arange(LENGTH) >= LENGTH - size.slo_minutes * DAY
        self.tallies = Tallies(service.name, measures, newest | self.keep)
        self.edges = self.tallies.edges(self.character.model)
        self.hours_from = LENGTH - size.hours * DAY

    def make(self) -> Telemetry:
        """Return everything the service sent."""
        for unit, whole, days in self._blocks():
            if not len(days):
                continue
            per_day = DAY // unit
            starts = (days[:, None] * DAY + np.arange(per_day) * unit).ravel()
            starts = self.service.covered(starts)
            for region, _ in self.service.regions:
                self._region(region, starts, unit, whole=whole)
        return self.made

    def _blocks(self) -> list[tuple[int, bool, Ints]]:
        """Return (minutes per unit, with whole histograms, days) of each stretch."""
        size = self.plan.size
        days = np.arange(LENGTH // DAY - size.days, LENGTH // DAY)
        age = LENGTH // DAY - days
        fine = age <= size.minutes
        for effect in self.effects:
            fine |= (days >= effect.start // DAY) & (days <= (effect.end - 1) // DAY)
        slo = age <= size.slo_minutes
        hours = age <= size.hours
        return [
            (1, True, days[fine]),
            (1, False, days[slo & ~fine]),
            (60, True, days[hours & ~slo & ~fine]),
            (DAY, True, days[~hours & ~slo & ~fine]),
        ]

    def _rates(self, region: str, starts: Ints, unit: int, *, whole: bool) -> tuple[Floats, Floats]:
        lattice = self.character.background.rates[region]
        crowd = np.ones(len(starts))
        if unit == 1:
            rates = minute_rate(self.service, lattice, starts, self.plan.seed, f"{region} {whole}")
            for effect in self.effects:
                if effect.lift and (not effect.regions or region in effect.regions):
                    rows = np.flatnonzero((starts >= effect.start) & (starts < effect.end))
                    crowd[rows] += effect.lift * effect.strength(starts[rows])
        else:
            rates = averaged(lattice, starts, unit) * unit
        return rates / self.service.weight, crowd

    def _region(self, region: str, starts: Ints, unit: int, *, whole: bool) -> None:
        rates, crowd = self._rates(region, starts, unit, whole=whole)
        total = np.zeros(len(starts), dtype=np.int64)
        for endpoint in self.service.endpoints:
            series = draw_series(self.character, region, endpoint, starts, unit, rates, crowd)
            places = np.searchsorted(starts, series.minutes)
            total += np.bincount(places, series.requests, len(starts)).astype(np.int64)
            if whole:
                self._whole(series)
            else:
                self._counted(series)
            weight = self.service.weight
            self.made.planted.extend(
                replace(harm, faults=harm.faults * weight, slow=harm.slow * weight)
                for harm in series.planted
            )
        key = (region, unit if whole else -unit)
        self.made.regions[key] = (starts, total * float(self.service.weight))

    def _whole(self, series: Series) -> None:
        model = self.character.model
        durations = draw_durations(series, model, self.edges, self.character.random)
        versions, unit = series.versions, series.unit
        if unit == 1:
            self._tally(series, durations.running)
            keep = self.keep[series.minutes]
            rows = self._rows(series, series.minutes, versions, None, durations)
            self.made.add("requests", rows.where(keep))
            self._errors("errors", series, None, series.minutes, versions, keep)
        if unit <= 60:
            groups, starts, versions = series.groups(60)
            dense = durations.histograms.dense(groups, len(starts), model.first_bucket, model.size)
            sums = np.asarray(fold(durations.sums_s, groups, len(starts)))
            self._hours(series, groups, starts, versions, dense, sums)
            return
        rows = self._rows(series, series.minutes, versions, None, durations)
        self.made.add("requests_daily", rows)
        self._errors("errors_daily", series, None, series.minutes, versions, None)

    def _counted(self, series: Series) -> None:
        model, random = self.character.model, self.character.random
        running = draw_edges(series, model, self.edges, random)
        self._tally(series, running)
        dense = fit_hours(series, running, self.edges, model, random)
        groups, starts, versions = series.groups(60)
        sums = exact(dense @ model.middles_s)
        self._hours(series, groups, starts, versions, dense, sums)

    def _hours(
        self, series: Series, groups: Ints, starts: Ints, versions: Ints, dense: Ints, sums: Floats
    ) -> None:
        """Add hours, and the days that they make."""
        first = self.character.model.first_bucket
        hours = Durations(Histograms.of_dense(dense, first), sums, dense[:, :0])
        rows = self._rows(series, starts, versions, groups, hours)
        kept = (starts >= self.hours_from) | self.keep[starts]
        self.made.add("requests_hourly", rows.where(kept))
        self._errors("errors_hourly", series, groups, starts, versions, kept)
        day_groups, day_starts, day_versions = series.groups(DAY)
        of_hour = np.zeros(len(starts), dtype=np.int64)
        of_hour[groups] = day_groups
        day_dense = np.zeros((len(day_starts), dense.shape[1]), dtype=np.int64)
        np.add.at(day_dense, of_hour, dense)
        day_sums = np.asarray(fold(sums, of_hour, len(day_starts)))
        days = Durations(Histograms.of_dense(day_dense, first), day_sums, dense[:, :0])
        rows = self._rows(series, day_starts, day_versions, day_groups, days)
        self.made.add("requests_daily", rows)
        self._errors("errors_daily", series, day_groups, day_starts, day_versions, None)

    def _rows(
        self,
        series: Series,
        starts: Ints,
        versions: Ints,
        groups: Ints | None,
        durations: Durations,
    ) -> Rows:
        """Return rows of requests: those of the series, or sums of its groups."""
        requests, faults = series.requests, series.faults
        if groups is not None:
            requests = fold(requests, groups, len(starts)).astype(np.int64)
            faults = fold(faults, groups, len(starts)).astype(np.int64)
        weight, found = self.service.weight, durations.histograms
        columns: dict[str, Ints | Floats | Bools] = {
            **self._keys(series, starts, versions),
            "request_count": requests * weight,
            "error_count": faults * weight,
            "duration_sum_s": durations.sums_s * weight,
            "quality": self.words.same(self.service.quality, len(starts)),
            "observed_count": requests,
        }
        found = Histograms(found.lengths, found.buckets, found.counts * weight)
        return Rows(columns, _WORDS, "latency", found)

    def _keys(self, series: Series, starts: Ints, versions: Ints) -> dict[str, Ints]:
        names = self.words.numbers(self.character.timelines[series.region].names)
        return {
            "time": starts.astype(np.int32),
            "service": self.words.same(self.service.name, len(starts)),
            "endpoint": self.words.same(series.endpoint.name, len(starts)),
            "region": self.words.same(series.region, len(starts)),
            "version": names[versions],
        }

    def _errors(
        self,
        table: str,
        series: Series,
        groups: Ints | None,
        starts: Ints,
        versions: Ints,
        keep: Bools | None,
    ) -> None:
        kinds = self.character.kinds.made
        group, kind, counts = series.errors.summed(groups, len(kinds))
        columns: dict[str, Ints | Floats | Bools] = {
            **self._keys(series, starts[group], versions[group]),
            "error": self.words.numbers([error for error, _, _ in kinds])[kind],
            "upstream": np.array([self.words.number(to) for _, to, _ in kinds])[kind],
            "error_count": counts * self.service.weight,
            "is_fault": np.array([is_fault for _, _, is_fault in kinds])[kind],
        }
        rows = Rows(columns, _ERROR_WORDS)
        self.made.add(table, rows if keep is None else rows.where(keep[group]))

    def _tally(self, series: Series, running: Ints) -> None:
        weight = self.service.weight
        names = self.character.timelines[series.region].names
        picked: list[Bools | None] = []
        for tally in self.tallies.of_requests():
            measure = tally.measure
            if chosen(measure.regions, series.region) and chosen(
                measure.endpoints, series.endpoint.name
            ):
                versions = np.array([chosen(measure.versions, name) for name in names])
                picked.append(versions[series.versions])
            else:
                picked.append(None)
        self.tallies.add(
            series.minutes,
            picked,
            series.requests * weight,
            series.faults * weight,
            running * weight,
            self.edges,
            self.character.model,
            is_guess=self.service.quality == "approximate",
        )
