"""Objectives as a reader sees them: what each asks, how its numbers are made, where it stands."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.reliability.judging import RANK
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.windows import CalendarWindow

_STALE = timedelta(days=365)
"""An objective that nobody has looked at for a year is told of; the SRE Workbook asks for less."""

_UNITS = {"requests": "requests", "events": "events", "slices": "time slices", "burn": "burn"}


def ordered(judgements: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the judgements as rows, the one that needs attention most first."""
    rows = judgements.to_dicts()
    rows.sort(key=lambda row: (RANK[row["verdict"]], row["budget_left"] or 0.0, row["objective"]))
    return rows


def made_of(row: Mapping[str, Any], queries: Sequence[str] = ("slo/days",)) -> Made:
    """Return how a judgement's SLI and budget are made: the formula and the counts that went in.

    ``row`` is one of ``Fleet.judgements``.
    """
    unit = _UNITS[row["unit"]]
    counts: dict[str, int | float | None] = {
        f"Valid {unit}": row["valid_count"],
        "Good for certain": row["good_count"],
        "Uncertain (good or bad; the data cannot tell)": row["uncertain_count"],
        "Bad, the uncertain ones included": row["bad_count"],
        "Target": row["target"],
        f"Budget, in {unit}": row["budget_count"],
    }
    if row["unit"] == "burn":
        counts = {"Budget spent": row["budget_spent"]}
    if row["excluded_minutes"]:
        counts["Excluded minutes"] = row["excluded_minutes"]
        counts["SLI with them"] = row["sli_with_excluded"]
    return Made(_formula(row), counts, list(queries))


def _formula(row: Mapping[str, Any]) -> str:
    parts = {
        "Occurrences": "SLI = good ÷ valid",
        "Timeslices": "a time slice is good when its own SLI is at or above its target; "
        "SLI = good slices ÷ slices with data",
        "RatioTimeslices": "SLI = the mean of the SLIs of the time slices that have data",
    }
    if row["unit"] == "burn" and (row["method"] != "Occurrences" or row["sli"] is not None):
        return (
            "SLI = 1 − the sum over the members of weight × (1 − its SLI), for a weighted mean ÷ "
            "the sum of the weights; spent = each member's bad part of its whole window, weighted "
            "likewise, ÷ (1 − target); 1 is all of it"
        )
    if row["unit"] == "burn":
        return (
            "spent = the sum over the members of weight × what each spent of its own budget; "
            "1 is all of it"
        )
    whole = "all slices of the window" if row["unit"] == "slices" else "valid"
    if row["is_estimated"]:
        whole = (
            f"{whole} expected in the whole window: those so far, and the rest as in the same "
            "hours of earlier weeks (an estimate)"
        )
    return (
        f"{parts[row['method']]}; budget = (1 − target) × {whole}; spent = bad ÷ budget; "
        "left = 1 − spent"
    )


def window_of(objective: Objective) -> str:
    """Return the window of an objective as a clause: ``28 days``, ``each month, Europe/Paris``."""
    window = objective.window
    if not isinstance(window, CalendarWindow):
        return words.window(window.length)
    each = f"each {window.unit}" if window.count == 1 else f"every {window.count} {window.unit}s"
    return f"{each}, {window.zone}"


def asks(objective: Objective) -> str:
    """Return what an objective asks, as a clause: ``99 % of 5 min slices …``."""
    share = words.target(objective.target)
    if objective.members:
        how = "the mean" if objective.weighted_mean else "all"
        names = words.listed([member.label for member in objective.members], most=4)
        return f"{share}, {how} of {names}"
    what = objective.selector.says if objective.unmeasured is None else "what its source counts"
    if objective.slice_length is None:
        return f"{share} {what}"
    length = words.window(objective.slice_length)
    if objective.method == "RatioTimeslices":
        return f"{share} {what}, as the mean over slices of {length}"
    inside = words.target(objective.slice_target or 0.0)
    return f"{share} of {length} slices with {inside} {what}"


def objective_table(
    objectives: Iterable[Objective], judgements: pl.DataFrame, as_of: date
) -> Table:
    """Return one row per objective of a service: what it asks, its verdict, whose it is.

    Args:
        objectives: ``Fleet.objectives_at`` of the service; those that cannot be measured here are
            listed with the reason.
        judgements: ``Fleet.judgements`` of the service.
        as_of: the day by which a review is long ago.
    """
    judged = {row["objective"]: row for row in ordered(judgements)}
    place = {name: at for at, name in enumerate(judged)}
    listed = sorted(objectives, key=lambda one: place.get(one.name, len(place)))
    rows = [_row(one, judged.get(one.name, {}), as_of) for one in listed]
    return Table(
        title=_title(rows),
        says="What each objective asks of the service, and over which window.",
        columns=[
            Col("label", "Objective", head=True),
            Col("verdict", "Verdict", "verdict"),
            Col("asks", "Asks for", priority=2),
            Col("window", "Window", priority=3),
            Col("sli", "SLI", "percent", against="target", priority=2),
            Col("bad", "Bad", priority=3),
            Col("budget_left", "Budget left", "bar", verdict="verdict"),
            Col("reviewed", "Reviewed", priority=3),
        ],
        rows=rows,
        made=Made(
            "SLI, budget and verdict as under the four numbers above, each over its own window; "
            "reviewed is what the document's annotation fleetslo/reviewed says",
            {row["label"]: row["target"] for row in rows},
            ["slo/days", "slo/window_totals"],
        ),
        empty="No objective names this service.",
    )


def _row(objective: Objective, judged: Mapping[str, Any], as_of: date) -> dict[str, Any]:
    label = words.capital(objective.label)
    window = window_of(objective)
    if judged.get("is_running"):
        window += ", still running"
    return {
        "label": label,
        "verdict": judged.get("verdict"),
        "asks": asks(objective) if judged else f"not measured here: {objective.unmeasured}",
        "window": window,
        "sli": judged.get("sli"),
        "target": objective.target,
        "bad": _bad(judged),
        "budget_left": judged.get("budget_left"),
        "reviewed": _reviewed(objective.reviewed, as_of),
        "measured": bool(judged),
        "stale": objective.reviewed is None or as_of - objective.reviewed > _STALE,
    }


def _bad(judged: Mapping[str, Any]) -> str:
    if not judged or judged["valid_count"] is None or judged["unit"] == "burn":
        return words.NOTHING  # shares of a budget are no count: they stand under budget left
    unit = "" if judged["unit"] != "slices" else " slices"
    return f"{words.count(judged['bad_count'])} of {words.count(judged['valid_count'])}{unit}"


def _reviewed(day: date | None, as_of: date) -> str:
    if day is None:
        return "not said"
    text = words.day(day, year=True)
    return f"{text}, over a year ago" if as_of - day > _STALE else text


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    measured = [row for row in rows if row["measured"]]
    if not rows:
        return "No objective names this service"
    if not measured:
        return "None of its objectives can be measured here"
    kept = [row for row in measured if row["verdict"] in ("met", "at_risk")]
    unjudged = sum(row["verdict"] == "unjudged" for row in measured)
    if unjudged == len(measured):
        counted = f"None of {words.plural(unjudged, 'objective')} can be judged yet"
    else:
        counted = f"{len(kept)} of {words.plural(len(measured), 'objective')} met"
        if risky := sum(row["verdict"] == "at_risk" for row in kept):
            counted += f", {words.numeral(risky)} of them at risk"
        if unjudged:
            counted += f", {words.numeral(unjudged)} cannot be judged yet"
    foreign = len(rows) - len(measured)
    return counted + (f"; {words.numeral(foreign)} not measured here" if foreign else "")
