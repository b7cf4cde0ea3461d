"""The head of a service's page: its verdict sentence, its four numbers, what changed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from fleetslo.charts import events, objectives, words
from fleetslo.charts.blocks import Changes, Made, Tile, Tiles, Verdict
from fleetslo.charts.changes import restated_line, worst_endpoint
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period
from fleetslo.reliability.judging import worst
from fleetslo.reliability.restatements import published_numbers

Judgements = pl.DataFrame

_MUCH = 0.2
_MOST_RESTATED = 3  # windows that the line of what changed names
"""A cause that spent this share of the budget is named in the verdict sentence."""

NO_OBJECTIVE: dict[str, Any] = {
    "objective": "",
    "label": "No objective",
    "verdict": "unjudged",
    "reason": "no objective names this service",
    "window_days": 28.0,
    "target": 0.0,
    "good_count": 0,
    "valid_count": 0,
    "uncertain_count": 0,
    "bad_count": 0,
    "budget_count": 0.0,
    "budget_spent": None,
    "budget_left": None,
    "unit": "requests",
    "method": "Occurrences",
    "is_running": False,
    "is_estimated": False,
    "excluded_minutes": 0,
}
"""Stands in for the judgement of a service that has none, so that its page can say so."""


def head(
    about: Mapping[str, Any],
    judgements: Judgements,
    period: Period,
    complete_until: datetime,
    causes: pl.DataFrame | None = None,
) -> Verdict:
    """Return the head of a service's page.

    Args:
        about: the service's row of ``Fleet.services``.
        judgements: ``Fleet.judgements`` of the service.
        period: what the page covers.
        complete_until: how far the fleet's data reaches.
        causes: ``ServiceView.explanation`` of the objective that needs attention most; the
            sentence names a cause that spent much.
    """
    rows = ordered(judgements)
    name = about["service"]
    squad = about["squad"]
    known = "no tier" if about["catalogued"] else "not in the catalogue"
    tier = f"tier {about['tier']}" if about["tier"] else known
    coverage = rows[0]["coverage"] if rows else None  # of what the sentence speaks of
    facts = [f"{period.label}, UTC, {words.window(period.length)}", tier]
    facts.append(events.complete(complete_until, period))
    if coverage is not None:
        # Cut, not rounded, as the reason of a verdict cuts it: 89.9 % is not yet 90 %.
        facts.append(f"coverage {words.share(math.floor(coverage * 100) / 100)}")
    return Verdict(
        path=[
            ("Fleet", "page:fleet_overview"),
            *([(f"{squad} squad", f"page:squad_review/{squad}")] if squad else []),
            (name, None),
        ],
        name=name,
        verdict=worst([row["verdict"] for row in rows]),
        sentence=sentence(name, rows, about) + _culprit(rows, causes),
        covers=facts,
        headline={"service": name, **headline(rows, about)},
        published=published_numbers(judgements),
    )


def headline(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the index shows of a service: squad, tier, verdict, SLI, budget left, burn."""
    first = rows[0] if rows else {}
    return {
        "squad": about["squad"],
        "tier": about["tier"],
        "verdict": worst([row["verdict"] for row in rows]),
        "objective": first.get("label"),
        "sli": first.get("sli"),
        "target": first.get("target"),
        "budget_left": first.get("budget_left"),
        "burn_1h": first.get("burn_1h"),
    }


def sentence(name: str, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """Return the verdict of a service in one sentence that a manager can repeat."""
    if not rows:
        why = (
            "is not in the catalogue, and no objective names it"
            if not about["catalogued"]
            else "has no objective"
        )
        return f"`{name}` {why}, so there is nothing to hold it to."
    first = rows[0]
    label = first["label"].lower()
    if first["verdict"] == "unjudged":
        return f"`{name}` cannot be judged yet: {first['reason']}."
    judged = [row for row in rows if row["verdict"] != "unjudged"]
    missed = [row for row in judged if row["verdict"] == "missed"]
    if missed:
        names = words.listed([row["label"].lower() for row in missed])
        noun = "objective" if len(missed) == 1 else "objectives"
        over = words.share((first["budget_spent"] or 0) - 1)
        return f"`{name}` missed its {names} {noun}: {label} overspent its budget by **{over}**."
    left = words.share(first["budget_left"])
    several = "both" if len(judged) == 2 else f"all {words.numeral(len(judged))}"
    kept = "its objective" if len(judged) == 1 else f"{several} objectives"
    if first["page_firing"]:
        return (
            f"`{name}` met {kept} so far and has **{left}** of its {label} budget left, "
            f"but it is burning fast now ({first['alerts']})."
        )
    only = "only " if first["verdict"] == "at_risk" else ""
    rest = len(rows) - len(judged)
    open_ = f"; {words.numeral(rest)} cannot be judged yet" if rest else ""
    return f"`{name}` met {kept} and has {only}**{left}** of its {label} budget left{open_}."


def _culprit(rows: Sequence[Mapping[str, Any]], causes: pl.DataFrame | None) -> str:
    """Return a sentence about the cause that spent most, when it spent a lot of the budget."""
    if causes is None or not rows or rows[0]["verdict"] == "unjudged":
        return ""
    named = causes.filter(~pl.col("kind").is_in(["background", "unattributed"]))
    if named.is_empty():
        return ""
    first = named.sort("bad_count", descending=True).row(0, named=True)
    if (first["spent"] or 0.0) < _MUCH:
        return ""
    return f" `{first['cause']}` alone spent **{words.share(first['spent'])}** of it."


def tiles(judgements: Judgements, latency: Mapping[str, Any]) -> Tiles:
    """Return the four numbers that the verdict rests on.

    ``latency`` is one row with ``p50_s, p95_s, p99_s`` of the whole service over the period.
    """
    rows = ordered(judgements)
    if not rows:
        return Tiles([_latency_tile(latency), Tile("Objectives", "–", "none names this service")])
    found: list[Tile] = []
    for kind in ("availability", "latency", "events"):
        found += [_sli_tile(row, latency) for row in rows if row["kind"] == kind][:2]
    tight = rows[0]
    return Tiles(
        [
            *found[:2],
            *([_latency_tile(latency)] if len(found) < 2 else []),
            _budget_tile(tight),
            _burn_tile(tight),
        ]
    )


def _sli_tile(row: Mapping[str, Any], latency: Mapping[str, Any]) -> Tile:
    target = words.target(row["target"])
    if row["kind"] == "latency" and row["unit"] != "slices":
        label = f"{row['label']}, {target} within {words.latency(row['within_s'])}"
    else:
        label = f"{row['label']}, target {target}"
    made = objectives.made_of(row)
    if row["sli"] is None:
        return Tile(label, "–", row["reason"], row["verdict"], made)
    unit = " slices" if row["unit"] == "slices" else ""
    detail = f"{words.count(row['bad_count'])} bad of {words.count(row['valid_count'])}{unit}"
    if row["uncertain_count"]:
        between = words.bounds(
            words.percent(row["sli_low"], against=row["target"]),
            words.percent(row["sli_high"], against=row["target"]),
        )
        detail = f"{between} · {detail}"
    if row["excluded_minutes"]:
        with_all = words.percent(row["sli_with_excluded"], against=row["target"])
        out = words.duration(row["excluded_minutes"] * 60)
        detail += f" · {out} excluded, {with_all} with them"
    value = words.percent(row["sli"], against=row["target"])
    return Tile(label, value, detail, row["verdict"], made)


def _latency_tile(latency: Mapping[str, Any]) -> Tile:
    return Tile(
        "Latency, p99",
        words.latency(latency.get("p99_s")),
        f"p50 {words.latency(latency.get('p50_s'))} · p95 {words.latency(latency.get('p95_s'))}",
        made=Made(
            "quantiles of the merged histogram of the period's requests that were no faults; "
            "known to their bucket, which is 4.43 % wide",
            {"p50, in s": latency.get("p50_s"), "p99, in s": latency.get("p99_s")},
            ["latency/endpoints"],
        ),
    )


def _budget_tile(row: Mapping[str, Any]) -> Tile:
    label = f"{row['label']} budget left"
    if row["budget_left"] is None:
        return Tile(label, "–", f"{row['reason']}, so no budget", made=objectives.made_of(row))
    outage = words.duration(row["outage_s"])
    left = words.duration(row["outage_left_s"])
    made = objectives.made_of(row)
    estimated = " (estimated)" if row["is_estimated"] else ""
    return Tile(
        label,
        words.share(row["budget_left"]),
        f"{left} of {outage} of total outage{estimated}",
        row["verdict"],
        replace(made, formula=f"{made.formula}; in time: × (1 − target) × the window"),
    )


def _burn_tile(row: Mapping[str, Any]) -> Tile:
    made = Made(
        "burn rate = (bad ÷ valid) ÷ (1 − target), over the last hour; 1 × lasts exactly the "
        "window; the budget lasts left × window ÷ burn",
        {
            "Burn rate, last hour": row.get("burn_1h"),
            "Burn rate, last six hours": row.get("burn_6h"),
            "Budget left": row["budget_left"],
            "Window, in days": row["window_days"],
        },
        ["slo/window_totals"],
    )
    value, detail = _burning(row)
    return Tile(f"{row['label']} burn, last hour", value, detail, made=made)


def _burning(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the burn of the last hour, and what it means."""
    burn, left = row["burn_1h"], row["budget_left"]
    if burn is None:
        return "–", "nothing was counted in the last hour"
    if row["alerts"]:
        return words.burn(burn), f"alerts firing: {row['alerts']}"
    if left is not None and left <= 0:
        return words.burn(burn), "the budget is spent already"
    if burn <= 0 or left is None:
        return words.burn(burn), "nothing bad in the last hour"
    window = timedelta(days=row["window_days"])
    lasts = window * left / burn
    if lasts >= window:
        return words.burn(burn), "at this rate the budget lasts beyond the window"
    return words.burn(burn), f"at this rate it lasts {words.duration(lasts.total_seconds())}"


def changes(
    now: Judgements,
    before: Judgements,
    restated: Sequence[Mapping[str, Any]] = (),
    spent: Mapping[str, float] | None = None,
    endpoints: tuple[pl.DataFrame, pl.DataFrame] | None = None,
) -> Changes:
    """Return what changed in a week, in one line, restatements included.

    Args:
        now: ``Fleet.judgements`` of the service.
        before: the same a week earlier.
        restated: ``ServiceView.restated``.
        spent: ``ServiceView.week_spent``.
        endpoints: ``requests/endpoints`` of the period, and of the one a week earlier.
    """
    earlier = {row["objective"]: row for row in before.to_dicts()}
    parts = []
    counts: dict[str, float | None] = {}
    for row in ordered(now):
        old = earlier.get(row["objective"])
        if old is None or "unjudged" in (old["verdict"], row["verdict"]):
            continue
        counts[f"{row['label']}: budget left now"] = row["budget_left"]
        counts[f"{row['label']}: a week ago"] = old["budget_left"]
        lately = (spent or {}).get(row["objective"])
        if lately is not None:
            counts[f"{row['label']}: spent in between"] = lately
        parts += _moved(row, old, lately)
    if counts:
        worst = worst_endpoint(*endpoints) if endpoints else None
        parts += [worst] if worst else []
        text = "; ".join(parts) or "nothing changed"
    else:
        text = "there is no earlier verdict to compare with"
    return Changes(
        f"**Since a week ago:** {text}.{restated_line(restated, most=_MOST_RESTATED)}",
        Made(
            "both are judged over the objective's own window, ending now and a week ago; spent in "
            "between is what was bad in the last seven days ÷ the budget; restated is what was "
            "published with other counts than the data has now",
            counts,
            ["slo/days", "slo/minutes", "latency/endpoints", "requests/endpoints"],
        ),
    )


def _moved(row: Mapping[str, Any], old: Mapping[str, Any], spent: float | None) -> list[str]:
    """Return what is another thing about an objective: its verdict, its budget."""
    label = row["label"].lower()
    left, was = words.share(row["budget_left"]), words.share(old["budget_left"])
    parts = []
    if old["verdict"] != row["verdict"]:
        mark, past = words.verdict_mark(row["verdict"]), words.verdict_mark(old["verdict"])
        parts.append(f"{label} went from {past.word.lower()} to **{mark.word.lower()}**")
    between = f" ({words.share(spent)} of it spent in between)" if spent else ""
    if left != was:
        verb = "fell" if row["budget_left"] < old["budget_left"] else "rose"
        parts.append(f"{label} budget left {verb} from {was} to {left}{between}")
    elif between:
        parts.append(f"{label} budget left is still {left}{between}")
    return parts
