"""Judging many objectives at once: counts of a whole fleet in, one verdict per objective out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta

import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.alerts import ABOVE, AlertWindow, firing
from fleetslo.reliability.budgets import Judgement, Rules, burn_rate, judge
from fleetslo.reliability.composites import added, composed_sli, judge_added
from fleetslo.reliability.counts import Counted, Stretch, is_added, unit_of
from fleetslo.reliability.lookback import Look, look_of
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.slices import Key

_SHOWN_MINUTES = (60, 360)
"""Burn rates that a page shows, whatever the alert policy: the last hour and the last six."""

RANK = {"missed": 0, "at_risk": 1, "met": 2, "unjudged": 3}
"""From what needs attention most; a service is as good as its worst judged objective."""

_MINUTE = timedelta(minutes=1)

Looks = Mapping[str, Mapping[int, Mapping[str, Look]]]
"""By service, length in minutes and objective: what was counted over the last minutes."""


def kind_of(objective: Objective) -> str:
    """Return what it is about: ``availability``, ``latency``, ``events`` or ``composite``."""
    if objective.members:
        return "composite"
    if objective.selector.sli is not None:
        return "events"
    return "availability" if objective.selector.within_s is None else "latency"


def label_of(objective: Objective) -> str:
    """Return an objective's label as it begins a line."""
    return objective.label[:1].upper() + objective.label[1:]


def burn_minutes(objectives: Sequence[Objective]) -> list[int]:
    """Return the lengths, in minutes, of every window that burn rates and alerts look back over."""
    found = set(_SHOWN_MINUTES)
    for objective in objectives:
        for window in objective.alerts:
            found |= {window.long_minutes, window.short_minutes}
    return sorted(found)


def worst(verdicts: Sequence[str]) -> str | None:
    """Return the verdict that stands for several: the worst judged one, None for none."""
    return min(verdicts, key=RANK.__getitem__, default=None)


@dataclass(frozen=True)
class Asked:
    """An objective to be judged.

    Attributes:
        objective: written out for one service; measured, or a composite of measured ones.
        window: its whole window.
        stretch: the part of it that is judged.
        parts: the same for each of ``members_of``, whose exclusions may be others.
    """

    objective: Objective
    window: Period
    stretch: Stretch
    parts: tuple[Stretch, ...]

    @property
    def counted(self) -> tuple[tuple[Objective, Stretch], ...]:
        """Return what is counted for it, each with its stretch: itself, or what adds up."""
        return tuple(zip(counted_of(self.objective), self.parts, strict=True))

    def whole(self) -> "Asked":
        """Return the same with nothing excluded."""
        parts = tuple(replace(part, excluded=()) for part in self.parts)
        return replace(self, stretch=replace(self.stretch, excluded=()), parts=parts)

    @property
    def is_excluded(self) -> bool:
        """Return whether anything of it so far is excluded."""
        return any(part.excluded_minutes for part in (self.stretch, *self.parts))


def counted_of(objective: Objective) -> tuple[Objective, ...]:
    """Return what is counted for an objective: the members of one that adds up, else itself."""
    return objective.members if is_added(objective) else (objective,)


def judged(
    asked: Sequence[Asked],
    counts: Mapping[Key, Counted],
    looks: Looks,
    rules: Rules,
    *,
    with_excluded: Mapping[Key, Counted] | None = None,
    least_bad: int = 5,
) -> pl.DataFrame:
    """Return one row per objective: its counts, budget, burn and verdict.

    Args:
        asked: the objectives; no two of one name for one service.
        counts: of each of ``Asked.counted``.
        looks: what the last minutes hold, for every length of ``burn_minutes``.
        rules: what a verdict depends on beside the counts; ``page_firing`` is found here.
        with_excluded: the counts with excluded minutes, of the objectives that have some.
        least_bad: bad requests that a window needs before an alert fires.

    The columns are those of ``Fleet.judgements``.
    """
    rows = []
    for one in asked:
        objective = one.objective
        mine = [counts[part.service, part.name] for part, _ in one.counted]
        last = {
            minutes: look_of(objective, of)
            for minutes, of in looks.get(objective.service, {}).items()
        }
        alerts = _firing(objective, last, least_bad)
        page_firing = any(alert.severity == "page" for alert in alerts)
        fired = replace(rules, page_firing=True) if page_firing else rules
        judgement = _judgement(one, mine, fired)
        rows.append(
            {
                "service": objective.service,
                "objective": objective.name,
                "label": label_of(objective),
                "kind": kind_of(objective),
                "method": objective.method,
                "unit": unit_of(objective),
                "window_days": objective.window.nominal / timedelta(days=1),
                "window_start": one.window.start,
                "window_end": one.window.end,
                "judged_from": one.stretch.start,
                "is_running": one.stretch.is_running,
                "is_estimated": any(count.is_estimated for count in mine),
                "within_s": objective.selector.within_s,
                **vars(judgement),
                "burn_1h": _burn(objective, last.get(60)),
                "burn_6h": _burn(objective, last.get(360)),
                "alerts": ", ".join(_spoken(alert) for alert in alerts),
                "page_firing": page_firing,
                **_excluded(one, with_excluded or {}),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def _judgement(one: Asked, counts: Sequence[Counted], rules: Rules) -> Judgement:
    """Return the verdict on an objective; of one that is wholly excluded so far it says so."""
    found = _counted_judgement(one, counts, rules)
    if any(part.minutes for part in one.parts):
        return found
    outage_s = found.outage_s if one.stretch.whole_minutes else 0.0
    return replace(found, reason="every minute so far is excluded", outage_s=outage_s)


def _counted_judgement(one: Asked, counts: Sequence[Counted], rules: Rules) -> Judgement:
    window = max(one.stretch.whole_minutes * _MINUTE, _MINUTE)
    if is_added(one.objective):
        return judge_added(one.objective, counts, window=window, rules=rules)
    (count,) = counts
    return judge(
        count.good,
        count.valid,
        count.uncertain,
        target=one.objective.target,
        window=window,
        coverage=count.coverage,
        whole_count=count.whole,
        unit=unit_of(one.objective),
        page_firing=rules.page_firing,
        coverage_minimum=rules.coverage_minimum,
        at_risk_budget_left=rules.at_risk_budget_left,
    )


def _firing(
    objective: Objective, last: Mapping[int, Look], least_bad: int
) -> tuple[AlertWindow, ...]:
    """Return the alerts that fire; the least count is of requests, whatever the unit."""
    if not last:
        return ()
    totals = {minutes: seen.burned for minutes, seen in last.items()}
    return tuple(
        alert
        for alert in firing(totals, objective.target, objective.alerts, least_bad=0)
        if last[alert.long_minutes].bad_events >= least_bad
        or alert.op not in ABOVE
        or not last[alert.long_minutes].covered_minutes
    )


def _burn(objective: Objective, seen: Look | None) -> float | None:
    if seen is None or not seen.counted.valid:
        return None
    if is_added(objective):
        return float(seen.counted.bad)
    return burn_rate(seen.counted.good, seen.counted.valid, objective.target)


def _spoken(window: AlertWindow) -> str:
    hours = int(window.long.total_seconds() // 3600)
    return f"{window.severity} {hours} h" if hours < 24 else f"{window.severity} {hours // 24} d"


def _excluded(one: Asked, with_excluded: Mapping[Key, Counted]) -> dict[str, float | int | None]:
    """Return how much is excluded, and the numbers with it; null where nothing is."""
    if not one.is_excluded:
        return {"excluded_minutes": 0, "sli_with_excluded": None, "bad_with_excluded": None}
    counts = [with_excluded[part.service, part.name] for part, _ in one.counted]
    return {
        "excluded_minutes": max(part.excluded_minutes for part in one.parts),
        "sli_with_excluded": sli_of(one.objective, counts),
        "bad_with_excluded": float(combined(one.objective, counts).bad),
    }


def combined(objective: Objective, counts: Sequence[Counted]) -> Counted:
    """Return the counts of an objective in its own unit, from those of ``counted_of``."""
    return added(objective, counts) if is_added(objective) else counts[0]


def sli_of(objective: Objective, counts: Sequence[Counted]) -> float | None:
    """Return an objective's SLI from the counts of ``counted_of``; None where it has none."""
    if is_added(objective):
        return composed_sli(objective, counts)
    return float(counts[0].good / counts[0].valid) if counts[0].valid else None


_INSTANT = pl.Datetime("us", "UTC")
SCHEMA: dict[str, pl.DataType] = {
    "service": pl.String(),
    "objective": pl.String(),
    "label": pl.String(),
    "kind": pl.String(),
    "method": pl.String(),
    "unit": pl.String(),
    "window_days": pl.Float64(),
    "window_start": _INSTANT,
    "window_end": _INSTANT,
    "judged_from": _INSTANT,
    "is_running": pl.Boolean(),
    "is_estimated": pl.Boolean(),
    "within_s": pl.Float64(),
    **{
        field.name: pl.String() if field.name in ("verdict", "reason") else pl.Float64()
        for field in fields(Judgement)
    },
    "burn_1h": pl.Float64(),
    "burn_6h": pl.Float64(),
    "alerts": pl.String(),
    "page_firing": pl.Boolean(),
    "excluded_minutes": pl.Int64(),
    "sli_with_excluded": pl.Float64(),
    "bad_with_excluded": pl.Float64(),
}
