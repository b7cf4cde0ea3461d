"""The fleet's objectives judged, and what they counted over any stretch."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from fleetslo.counting import asked_of, counts_of, looks_of
from fleetslo.periods import Period
from fleetslo.reliability.budgets import Rules
from fleetslo.reliability.counts import unit_of
from fleetslo.reliability.judging import (
    SCHEMA,
    Asked,
    burn_minutes,
    combined,
    judged,
    kind_of,
    label_of,
    sli_of,
)
from fleetslo.reliability.versions import Version, versions

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

_INSTANT = pl.Datetime("us", "UTC")


def judgements(
    fleet: "Fleet", until: datetime, known: pl.DataFrame, services: Sequence[str]
) -> pl.DataFrame:
    """Return the rows of ``Fleet.judgements`` as of an instant, for these rows of services."""
    rows = _rows(known)
    asked = [
        asked_of(version, version.objective.window.at(until), until, rows, fleet.exclusions)
        for version in _measured(fleet, known)
        if version.holds_before(until)
    ]
    if not asked:
        return pl.DataFrame(schema=SCHEMA)
    excluded = [one.whole() for one in asked if one.is_excluded]
    return judged(
        asked,
        counts_of(fleet, asked, services),
        looks_of(fleet, asked, until, services),
        _rules(fleet),
        with_excluded=counts_of(fleet, excluded, services),
        least_bad=fleet.settings.alert_least_bad,
    )


def earlier_judgements(
    fleet: "Fleet", until: datetime, known: pl.DataFrame, services: Sequence[str]
) -> pl.DataFrame:
    """Return the rows of ``Fleet.earlier_judgements`` as of an instant."""
    rows = _rows(known)
    found = [pl.DataFrame(schema={**SCHEMA, "judged_until": _INSTANT})]
    for version in _measured(fleet, known):
        window, change = version.objective.window.at(until), version.until
        if change is None or not window.start < change < until:
            continue
        one = asked_of(version, window, change, rows, fleet.exclusions)
        counts = counts_of(fleet, [one], services)
        excluded = counts_of(fleet, [one.whole()], services)
        row = judged([one], counts, {}, _rules(fleet), with_excluded=excluded)
        found.append(row.with_columns(judged_until=pl.lit(change, _INSTANT)))
    return pl.concat(found)


def spending(
    fleet: "Fleet", period: Period, known: pl.DataFrame, services: Sequence[str]
) -> pl.DataFrame:
    """Return the rows of ``Fleet.spending`` over a period."""
    rows = _rows(known)
    asked = [
        asked_of(version, period, period.end, rows, fleet.exclusions)
        for version in _measured(fleet, known)
        if version.holds_before(period.end)
    ]
    return pl.DataFrame(
        list(_spent(asked, fleet, services)),
        schema={
            name: SCHEMA[name]
            for name in (
                *("service", "objective", "label", "kind", "unit", "target"),
                *("good_count", "valid_count", "uncertain_count", "bad_count", "sli", "coverage"),
            )
        },
    )


def _spent(
    asked: Sequence[Asked], fleet: "Fleet", services: Sequence[str]
) -> Iterator[dict[str, object]]:
    counts = counts_of(fleet, asked, services)
    for one in asked:
        objective = one.objective
        mine = [counts[part.service, part.name] for part, _ in one.counted]
        whole = combined(objective, mine)
        yield {
            "service": objective.service,
            "objective": objective.name,
            "label": label_of(objective),
            "kind": kind_of(objective),
            "unit": unit_of(objective),
            "target": objective.target,
            "good_count": None if unit_of(objective) == "burn" else float(whole.good),
            "valid_count": float(whole.valid),
            "uncertain_count": float(whole.uncertain),
            "bad_count": float(whole.bad),
            "sli": sli_of(objective, mine),
            "coverage": whole.coverage,
        }


def reach(fleet: "Fleet", period: Period) -> tuple[datetime, datetime]:
    """Return how far back the objectives in force at a period's end look.

    The first instant is where the earliest of the period and their windows begins, the second is
    as much earlier as their alerts look back.
    """
    until = fleet.until(period)
    versions_ = _measured(fleet, fleet.services(period))
    judged_by = [one.objective for one in versions_ if one.holds_before(until)]
    starts = [one.window.at(until).start for one in judged_by]
    first = min([period.start, *starts, *(until - one.window.nominal for one in judged_by)])
    alerts = max(burn_minutes(judged_by), default=0)
    return first, first - timedelta(minutes=alerts)


def _measured(fleet: "Fleet", known: pl.DataFrame) -> list[Version]:
    found = versions(fleet.objectives_of(known))
    return [version for version in found if version.objective.measured]


def _rows(known: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["service"]: row for row in known.iter_rows(named=True)}


def _rules(fleet: "Fleet") -> Rules:
    return Rules(
        coverage_minimum=fleet.settings.coverage_minimum,
        at_risk_budget_left=fleet.settings.at_risk_budget_left,
    )
