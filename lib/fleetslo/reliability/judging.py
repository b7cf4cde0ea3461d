"""Judging many objectives at once: counts of a whole fleet in, one verdict per objective out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta

import polars as pl

from fleetslo.reliability.alerts import AlertWindow, firing
from fleetslo.reliability.budgets import Judgement, burn_rate, judge
from fleetslo.reliability.objectives import Objective

_SHOWN_MINUTES = (60, 360)
"""Burn rates that a page shows, whatever the alert policy: the last hour and the last six."""

RANK = {"missed": 0, "at_risk": 1, "met": 2, "unjudged": 3}
"""From what needs attention most; a service is as good as its worst judged objective."""

_MINUTE = timedelta(minutes=1)
_TEXT = {"service", "objective", "label", "kind", "verdict", "reason"}


def kind_of(objective: Objective) -> str:
    """Return what an objective is about: ``availability``, ``latency`` or ``events``."""
    if objective.selector.sli is not None:
        return "events"
    return "availability" if objective.selector.within_s is None else "latency"


def burn_minutes(objectives: Sequence[Objective]) -> list[int]:
    """Return the lengths, in minutes, of every window that burn rates and alerts look back over."""
    found = set(_SHOWN_MINUTES)
    for objective in objectives:
        for window in objective.alerts:
            found |= {int(length / _MINUTE) for length in (window.long, window.short)}
    return sorted(found)


def worst(verdicts: Sequence[str]) -> str | None:
    """Return the verdict that stands for several: the worst judged one, None for none."""
    return min(verdicts, key=RANK.__getitem__, default=None)


def _spoken(window: AlertWindow) -> str:
    hours = int(window.long.total_seconds() // 3600)
    return f"{window.severity} {hours} h" if hours < 24 else f"{window.severity} {hours // 24} d"


def judged(
    objectives: Sequence[Objective],
    totals: Mapping[timedelta, pl.DataFrame],
    recent: pl.DataFrame,
    *,
    coverage_minimum: float = 0.9,
    at_risk_budget_left: float = 0.25,
    least_bad: int = 5,
) -> pl.DataFrame:
    """Return one row per objective: its counts, budget, burn and verdict.

    Args:
        objectives: each written out for one service.
        totals: for each length of window, rows of ``service, objective, definition, good_count,
            valid_count, uncertain_count, covered_minutes``; several rows of an objective add up.
            Rows counted under another definition than the objective's are left out.
        recent: rows of ``service, objective, window_minutes, good_count, uncertain_count,
            valid_count`` over the last minutes of the period.
        coverage_minimum: share of covered minutes under which nothing is judged.
        at_risk_budget_left: share of budget left at which Met becomes At risk.
        least_bad: bad requests a window needs before an alert fires.

    Columns: ``service, objective, label, kind, window_days, within_s``, the fields of
    ``Judgement``, ``burn_1h`` and ``burn_6h`` (null without traffic), ``alerts`` (text such as
    "page 1 h", empty when nothing fires) and ``page_firing``.
    """
    counts = {window: _by_objective(frame) for window, frame in totals.items()}
    windows = {
        (row["service"], row["objective"], row["window_minutes"]): (
            row["good_count"],
            row["uncertain_count"],
            row["valid_count"],
        )
        for row in recent.iter_rows(named=True)
    }
    looked_back = burn_minutes(objectives)
    rows = []
    for objective in objectives:
        key = (objective.service, objective.name)
        good, valid, uncertain, minutes = counts[objective.window.nominal].get(
            (*key, objective.selector.definition), (0, 0, 0, 0)
        )
        last = {m: windows.get((*key, m), (0, 0, 0)) for m in looked_back}
        # Nobody is woken for requests that may have been good.
        certain = {m: (valid - good - maybe, valid) for m, (good, maybe, valid) in last.items()}
        alerts = firing(
            certain,
            objective.target,
            objective.alerts,
            least_bad=least_bad,
        )
        page_firing = any(alert.severity == "page" for alert in alerts)
        judgement = judge(
            good,
            valid,
            uncertain,
            target=objective.target,
            window=objective.window.nominal,
            coverage=min(1.0, minutes / (objective.window.nominal / timedelta(minutes=1))),
            page_firing=page_firing,
            coverage_minimum=coverage_minimum,
            at_risk_budget_left=at_risk_budget_left,
        )
        rows.append(
            {
                "service": objective.service,
                "objective": objective.name,
                "label": objective.label[:1].upper() + objective.label[1:],
                "kind": kind_of(objective),
                "window_days": objective.window.nominal / timedelta(days=1),
                "within_s": objective.selector.within_s,
                **asdict(judgement),
                "burn_1h": burn_rate(last[60][0], last[60][2], objective.target),
                "burn_6h": burn_rate(last[360][0], last[360][2], objective.target),
                "alerts": ", ".join(_spoken(alert) for alert in alerts),
                "page_firing": page_firing,
            }
        )
    return pl.DataFrame(rows, schema=_schema())


def _by_objective(frame: pl.DataFrame) -> dict[tuple[str, str, str], tuple[int, int, int, int]]:
    summed = frame.group_by("service", "objective", "definition").agg(
        pl.col("good_count", "valid_count", "uncertain_count", "covered_minutes").sum()
    )
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5], row[6]) for row in summed.rows()}


def _schema() -> dict[str, pl.DataType]:
    names = ["service", "objective", "label", "kind", "window_days", "within_s"]
    names += [field.name for field in fields(Judgement)]
    names += ["burn_1h", "burn_6h", "alerts", "page_firing"]
    types: dict[str, pl.DataType] = {}
    for name in names:
        if name in _TEXT or name == "alerts":
            types[name] = pl.String()
        elif name == "page_firing":
            types[name] = pl.Boolean()
        elif name in {"good_count", "valid_count", "uncertain_count", "bad_count", "bad_low"}:
            types[name] = pl.Int64()
        else:
            types[name] = pl.Float64()
    return types
