"""What a fleet's objectives count: few questions for many objectives, put together for each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.counts import Counted, Stretch
from fleetslo.reliability.exclusions import Exclusion, excluded, without
from fleetslo.reliability.expected import earlier_stretches, expected_rest, expected_whole
from fleetslo.reliability.judging import Asked, burn_minutes, counted_of
from fleetslo.reliability.lookback import UNSEEN, Look, look, looks_of_minutes
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.slices import (
    Key,
    cut,
    finished_slices,
    judged_slices,
    slice_counts,
    slice_minutes,
    whole_slices,
)
from fleetslo.reliability.versions import Version

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

_MINUTE = timedelta(minutes=1)
_COUNTS = ("good_count", "valid_count", "uncertain_count", "covered_minutes")

_SLICES_AT_ONCE = 2_000_000
"""Slices that are judged together: some 300 MB, and few enough questions for a large fleet."""

Unit = tuple[Objective, Stretch]
Totals = Mapping[tuple[str, str, str], tuple[int, int, int, int]]
"""Good, valid and uncertain count and covered minutes by service, objective and definition."""


def asked_of(
    version: Version,
    window: Period,
    until: datetime,
    services: Mapping[str, Mapping[str, Any]],
    exclusions: Sequence[Exclusion],
) -> Asked:
    """Return what is to be judged of a version of an objective within a window, so far.

    Args:
        version: it must hold within the window before ``until``.
        window: the whole window.
        until: as far as is counted.
        services: by name, the rows of ``Fleet.services``.
        exclusions: all that there are.
    """
    start = max(window.start, version.since or window.start)
    end = min(window.end, version.until or window.end)

    def stretch(objective: Objective) -> Stretch:
        row = services[objective.service]
        left_out = excluded(exclusions, objective, row, Period(start, end))
        return Stretch(start, end, min(until, end), tuple(left_out))

    parts = tuple(stretch(part) for part in counted_of(version.objective))
    return Asked(version.objective, window, stretch(version.objective), parts)


def counts_of(
    fleet: "Fleet", asked: Sequence[Asked], services: Sequence[str] = ()
) -> dict[Key, Counted]:
    """Return the counts of everything that is counted for these objectives, by their names.

    ``services`` are those that the fleet's questions are limited to; empty means all.
    """
    units = {(part.service, part.name): (part, of) for one in asked for part, of in one.counted}
    plain = [unit for unit in units.values() if unit[0].method == "Occurrences"]
    sliced = [unit for unit in units.values() if unit[0].method != "Occurrences"]
    everyone = {service for service, _ in units}
    scope = _Scope(tuple(services), len(everyone))
    return _occurrences(fleet, plain, scope) | _slices(fleet, sliced, scope)


class _Scope:
    """Which services a question names: none of them, which means all, when most are wanted."""

    def __init__(self, services: tuple[str, ...], known: int) -> None:
        self.services = services
        self.known = known

    def of(self, units: Iterable[Unit]) -> tuple[str, ...]:
        if self.services:
            return self.services
        names = sorted({objective.service for objective, _ in units})
        return () if 2 * len(names) > self.known else tuple(names)


def _occurrences(fleet: "Fleet", units: Sequence[Unit], scope: _Scope) -> dict[Key, Counted]:
    left_out = _excluded(fleet, units)
    rests = _rests(fleet, units, scope)
    found: dict[Key, Counted] = {}
    groups: dict[Period, list[Unit]] = {}
    for objective, stretch in units:
        groups.setdefault(Period(stretch.start, stretch.until), []).append((objective, stretch))
    for period, alike in groups.items():
        totals = _totals(fleet.slo_days(period, scope.of(alike)))
        for objective, stretch in alike:
            key = (objective.service, objective.name)
            all_ = totals.get((*key, objective.selector.definition), (0, 0, 0, 0))
            good, valid, uncertain, minutes = (
                count - less for count, less in zip(all_, left_out.get(key, _NONE), strict=True)
            )
            to_come = stretch.whole_minutes - stretch.minutes
            whole = (
                expected_whole(valid, stretch.minutes, to_come, rests[key])
                if stretch.is_running
                else valid
            )
            found[key] = Counted(
                good, valid, uncertain, minutes, stretch.minutes, whole, stretch.is_running
            )
    return found


_NONE = (0, 0, 0, 0)


def _totals(frame: pl.DataFrame) -> Totals:
    summed = frame.group_by("service", "objective", "definition").agg(pl.col(*_COUNTS).sum())
    return {row[:3]: row[3:] for row in summed.rows()}


def _excluded(fleet: "Fleet", units: Sequence[Unit]) -> dict[Key, tuple[int, int, int, int]]:
    """Return what the excluded minutes so far hold, for the objectives that have some."""
    places: dict[tuple[str, Period], int] = {}
    wanted: dict[tuple[str, str, str], list[int]] = {}
    for objective, stretch in units:
        for one in stretch.excluded:
            if one.start < stretch.until:
                part = (objective.service, Period(one.start, min(one.end, stretch.until)))
                key = (objective.service, objective.name, objective.selector.definition)
                wanted.setdefault(key, []).append(places.setdefault(part, len(places)))
    if not places:
        return {}
    periods = [period for _, period in places]
    frame = fleet.query(
        "slo/stretches",
        period=Period(min(one.start for one in periods), max(one.end for one in periods)),
        services=sorted({service for service, _ in places}),
        stretch_services=[service for service, _ in places],
        stretch_starts=[one.start for one in periods],
        stretch_ends=[one.end for one in periods],
    )
    sums = {
        (row["service"], row["objective"], row["definition"], row["stretch"]): tuple(
            row[name] for name in _COUNTS
        )
        for row in frame.iter_rows(named=True)
    }
    found = {}
    for key, stretches in wanted.items():
        parts = [sums.get((*key, place), _NONE) for place in stretches]
        good, valid, uncertain, minutes = (sum(column) for column in zip(*parts, strict=True))
        found[key[:2]] = (good, valid, uncertain, minutes)
    return found


def _rests(fleet: "Fleet", units: Sequence[Unit], scope: _Scope) -> dict[Key, Fraction | None]:
    """Return what the rest of each window that runs is expected to hold, excluded minutes less."""
    groups: dict[Period, list[Unit]] = {}
    for objective, stretch in units:
        if stretch.is_running:
            rest = Period(stretch.until, stretch.end)
            groups.setdefault(rest, []).append((objective, stretch))
    found: dict[Key, Fraction | None] = {}
    for rest, alike in groups.items():
        earlier = [
            _totals(fleet.query("slo/days", period=tile, services=scope.of(alike)))
            for tile in earlier_stretches(rest.start, rest.end)
        ]
        for objective, stretch in alike:
            key = (objective.service, objective.name, objective.selector.definition)
            counts = [totals.get(key, _NONE) for totals in earlier]
            expected = expected_rest(
                [(valid, minutes) for _, valid, _, minutes in counts],
                rest.start,
                rest.end,
                fleet.settings.coverage_minimum,
            )
            to_come = stretch.whole_minutes - stretch.minutes
            share = Fraction(to_come, max(rest.minutes, 1))
            found[key[:2]] = None if expected is None else expected * share
    return found


def _slices(fleet: "Fleet", units: Sequence[Unit], scope: _Scope) -> dict[Key, Counted]:
    groups: dict[tuple[Stretch, int], list[Unit]] = {}
    for objective, stretch in units:
        group = (stretch, slice_minutes(objective))
        groups.setdefault(group, []).append((objective, stretch))
    found: dict[Key, Counted] = {}
    for (stretch, length), alike in groups.items():
        grid, whole = finished_slices(stretch, length), whole_slices(stretch, length)
        at_once = max(1, _SLICES_AT_ONCE // max(1, grid.height))
        for first in range(0, len(alike), at_once):
            part = alike[first : first + at_once]
            objectives = [objective for objective, _ in part]
            rows = _slice_rows(fleet, objectives, stretch, length, scope.of(part))
            slices = judged_slices(rows, grid, objectives)
            found |= slice_counts(slices, objectives, int(grid["minutes"].sum()), whole)
    return found


def _slice_rows(
    fleet: "Fleet",
    objectives: Sequence[Objective],
    stretch: Stretch,
    length: int,
    services: Sequence[str],
) -> pl.DataFrame:
    period = Period(stretch.start, stretch.until)
    if stretch.excluded_minutes:
        minutes = fleet.query("slo/minutes", period=period, services=services)
        return cut(without(minutes, stretch.excluded), stretch.start, length)
    return fleet.query(
        "slo/slices",
        period=period,
        services=services,
        objectives=sorted({part.name for one in objectives for part in one.measured}),
        slice_minutes=length,
    )


def looks_of(
    fleet: "Fleet", asked: Sequence[Asked], until: datetime, services: Sequence[str] = ()
) -> dict[str, dict[int, dict[str, Look]]]:
    """Return what the last minutes hold: by service, length in minutes, and what is counted."""
    lengths = burn_minutes([one.objective for one in asked])
    period = Period(until - max(lengths) * _MINUTE, until)
    found: dict[str, dict[int, dict[str, Look]]] = {
        one.objective.service: {length: {} for length in lengths} for one in asked
    }
    totals = fleet.query(
        "slo/window_totals", period=period, services=services, window_minutes=lengths
    )
    seen_of = {
        row[:4]: look(*row[4:])
        for row in totals.select(
            "service", "objective", "definition", "window_minutes", *_COUNTS
        ).rows()
    }
    for one in asked:
        for objective, _ in one.counted:
            key = (objective.service, objective.name, objective.selector.definition)
            for length in lengths:
                found[objective.service][length][objective.name] = seen_of.get(
                    (*key, length), UNSEEN
                )
    # Slices, and minutes that are excluded, are counted from the minutes themselves.
    groups: dict[tuple[Period, ...], list[Unit]] = {}
    for one in asked:
        for objective, stretch in one.counted:
            recent = tuple(part for part in stretch.excluded if part.end > period.start)
            if objective.method != "Occurrences" or recent:
                groups.setdefault(recent, []).append((objective, stretch))
    for left_out, alike in groups.items():
        scope = _Scope(tuple(services), len(found))
        minutes = fleet.query("slo/minutes", period=period, services=scope.of(alike))
        objectives = [objective for objective, _ in alike]
        for (service, name), of in looks_of_minutes(
            minutes, objectives, until, lengths, left_out
        ).items():
            for length, seen in of.items():
                found[service][length][name] = seen
    return found
