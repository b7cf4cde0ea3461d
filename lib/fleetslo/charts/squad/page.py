"""The head of a squad's page: its verdict sentence, its four numbers, what changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from fleetslo.charts import events, words
from fleetslo.charts.blocks import Changes, Made, Tile, Tiles, Verdict
from fleetslo.charts.changes import (
    most_spent,
    moves,
    rank_moved,
    restated_line,
    worst_endpoint,
)
from fleetslo.charts.objectives import ordered
from fleetslo.charts.squad.policy import STATES, hardest
from fleetslo.periods import Period
from fleetslo.reliability.combined import Combined, combine
from fleetslo.reliability.judging import RANK, worst
from fleetslo.reliability.policies import PolicyState
from fleetslo.reliability.restatements import published_numbers

Key = tuple[str, str]
Row = Mapping[str, Any]

_MUCH = 0.2
"""A cause that spent this share of the budget is named in the verdict sentence."""
_MOST_TOLD = 2
"""Changes and restatements named in the line of what changed; the tables have all."""


def head(
    services: pl.DataFrame,
    judgements: pl.DataFrame,
    period: Period,
    complete_until: datetime,
    contributions: pl.DataFrame,
    causes: pl.DataFrame,
) -> Verdict:
    """Return the head of a squad's page.

    Args:
        services: its rows of ``Fleet.services``, all of the one squad.
        judgements: ``Fleet.judgements`` of its services.
        period: what the page covers.
        complete_until: how far the fleet's data reaches.
        contributions: ``SquadView.contributions``.
        causes: ``SquadView.causes``; the sentence names one that spent much.
    """
    squad = services["squad"][0]
    rows = ordered(judgements)
    requests = sum(services["request_count"].drop_nulls())
    verdict = worst([row["verdict"] for row in rows])
    errors = combine(contributions, "availability")
    return Verdict(
        path=[("Fleet", "page:fleet_overview"), (f"{squad} squad", None)],
        name=squad,
        verdict=verdict,
        sentence=sentence(squad, services.height, rows, causes),
        covers=[
            f"{period.label}, UTC, {words.window(period.length)}",
            words.plural(services.height, "service"),
            f"{words.count(requests)} requests",
            events.complete(complete_until, period),
        ],
        headline={
            "squad": squad,
            "services": services.height,
            "objectives": len(rows),
            **{key: sum(row["verdict"] == key for row in rows) for key in RANK},
            "sli": errors.sli,
            "budget_left": errors.budget_left,
        },
        published=published_numbers(judgements),
    )


def sentence(squad: str, services: int, rows: Sequence[Row], causes: pl.DataFrame) -> str:
    """Return the verdict on a squad in one sentence that a manager can repeat.

    ``rows`` are the judgements as ``objectives.ordered`` returns them.
    """
    judged = [row for row in rows if row["verdict"] != "unjudged"]
    missed = [row for row in judged if row["verdict"] == "missed"]
    open_ = len(rows) - len(judged)
    if not rows:
        noun = "its service" if services == 1 else f"any of its {words.numeral(services)} services"
        return f"**{squad}** has no objective for {noun}, so there is nothing to hold it to."
    if not judged:
        return f"**{squad}** cannot be judged yet: {rows[0]['reason']}."
    kept = len(judged) - len(missed)
    if len(judged) == 1:
        text = f"**{squad}** {'missed' if missed else 'met'} its only judged objective"
    elif missed:
        text = f"**{squad}** met **{kept} of {len(judged)}** objectives"
    else:
        both = "both" if kept == 2 else f"all {words.numeral(kept)}"
        text = f"**{squad}** met **{both}** objectives"
    text += f"; {_tightest(judged[0], causes)}"
    others = [f"`{row['service']}` {row['label'].lower()}" for row in missed[1:]]
    if others:
        text += f"; {words.listed(others)} {'was' if len(others) == 1 else 'were'} missed, too"
    if open_:
        text += f"; {words.numeral(open_)} cannot be judged yet"
    return text + "."


def _tightest(row: Row, causes: pl.DataFrame) -> str:
    """Return what the sentence says of the objective that needs attention most."""
    service, label = f"`{row['service']}`", row["label"].lower()
    if row["verdict"] == "missed":
        over = words.share((row["budget_spent"] or 0) - 1)
        return f"{service} overspent its {label} budget by **{over}**{_culprit(row, causes)}"
    left = words.share(row["budget_left"])
    if row["page_firing"]:
        return (
            f"{service} has **{left}** of its {label} budget left, but it is burning fast now "
            f"({row['alerts']})"
        )
    if row["verdict"] == "at_risk":
        return f"{service} has only **{left}** of its {label} budget left{_culprit(row, causes)}"
    return f"the least budget left is **{left}**, of {service} {label}"


def _culprit(row: Row, causes: pl.DataFrame) -> str:
    """Return a clause about the cause that spent most, when it spent a lot of the budget."""
    mine = causes.filter(
        (pl.col("service") == row["service"])
        & (pl.col("objective") == row["objective"])
        & (pl.col("kind") != "unattributed")
        & (pl.col("spent") >= _MUCH)
    )
    if mine.is_empty():
        return ""
    top = mine.row(0, named=True)
    return f": {spoken(top)} spent **{words.share(top['spent'])}** of the budget"


_SPOKEN = {
    "incident": "incident `{}`",
    "upstream": "failures of `{}`",
    "overlap": "`{}` together",
}


def spoken(cause: Row) -> str:
    """Return a cause as a sentence says it."""
    if cause["kind"] == "background":
        return "the usual background"
    return _SPOKEN.get(cause["kind"], "`{}`").format(cause["cause"])


def tiles(
    judgements: pl.DataFrame,
    contributions: pl.DataFrame,
    week_contributions: pl.DataFrame,
    policies: Mapping[Key, PolicyState],
    postmortems: Mapping[Key, str],
    incidents: pl.DataFrame,
) -> Tiles:
    """Return the squad's four numbers: objectives met, combined SLI, tightest budget, policy.

    All but the incidents (``oncall/incidents``) are what ``SquadView`` calls by the same names.
    """
    rows = ordered(judgements)
    return Tiles(
        [
            _met_tile(rows),
            _sli_tile(
                combine(contributions, "availability"),
                combine(contributions, "latency"),
                combine(week_contributions, "availability"),
            ),
            _budget_tile([row for row in rows if row["verdict"] != "unjudged"]),
            _policy_tile(policies, len(set(postmortems.values())), incidents.height),
        ]
    )


def _met_tile(rows: Sequence[Row]) -> Tile:
    counted = {key: sum(row["verdict"] == key for row in rows) for key in RANK}
    judged = len(rows) - counted["unjudged"]
    said = {"missed": "missed", "at_risk": "at risk", "unjudged": "cannot be judged yet"}
    parts = [f"{counted[key]:,} {text}" for key, text in said.items() if counted[key]]
    made = Made(
        "an objective is met when its whole budget is not spent over its own window",
        {"Objectives": len(rows), "Judged": judged, "Missed": counted["missed"]},
        ["slo/days", "slo/window_totals"],
    )
    return Tile(
        "Objectives met",
        f"{judged - counted['missed']:,} of {judged:,}" if judged else words.NOTHING,
        " · ".join(parts) or ("none missed or at risk" if rows else "none names its services"),
        worst([row["verdict"] for row in rows]),
        made,
    )


def _sli_tile(errors: Combined, slowness: Combined, week: Combined) -> Tile:
    label = "Combined SLI"
    if errors.sli is None:
        return Tile(label, words.NOTHING, "no objective counts failed requests")
    assert errors.target is not None  # noqa: S101 -- with an SLI there is a target
    parts = [
        f"{words.count(errors.bad_count)} failed of {words.count(errors.valid_count)}",
        f"last 7 days {words.percent(week.sli, against=errors.target)}",
    ]
    if slowness.sli is not None:
        parts.append(f"in time {words.percent(slowness.sli, against=slowness.target)}")
    made = Made(
        "good ÷ valid of all services together, so that each weighs what its traffic weighs; "
        "combined budget = the sum of (1 − target) × valid. Slow requests are counted apart",
        {
            "Requests": errors.valid_count,
            "Failed": errors.bad_count,
            "Combined budget, in requests": errors.budget_count,
            "Combined target": errors.target,
            "Requests of latency objectives": slowness.valid_count,
            "Too slow": slowness.bad_count,
        },
        ["slo/stretches"],
    )
    return Tile(
        label, words.percent(errors.sli, against=errors.target), " · ".join(parts), made=made
    )


def _budget_tile(judged: Sequence[Row]) -> Tile:
    label = "Budget most at risk"
    if not judged:
        return Tile(label, words.NOTHING, "no objective can be judged yet")
    row = judged[0]
    spent = f"{words.count(row['bad_count'])} bad of {words.count(row['budget_count'])} allowed"
    made = Made(
        "budget left = 1 − bad ÷ ((1 − target) × valid), over the objective's own window",
        {
            "Valid": row["valid_count"],
            "Bad": row["bad_count"],
            "Target": row["target"],
            "Budget": row["budget_count"],
        },
        ["slo/days"],
    )
    detail = f"`{row['service']}` {row['label'].lower()}"
    if row["budget_count"]:
        detail += f" · {spent}"
    return Tile(label, words.share(row["budget_left"]), detail, row["verdict"], made)


def _policy_tile(policies: Mapping[Key, PolicyState], due: int, incidents: int) -> Tile:
    label = "Error-budget policy"
    asked = hardest({key: one.state for key, one in policies.items()})
    frozen = sorted({key[0] for key, one in policies.items() if one.state == asked})
    parts = []
    if asked in ("freeze", "slow_down"):
        parts.append(words.listed([f"`{name}`" for name in frozen], most=2))
    parts.append(words.plural(incidents, "incident"))
    if due:
        parts.append(f"{words.plural(due, 'postmortem')} due")
    made = Made(
        "freeze: the budget is overspent; slow down: a quarter of it or less is left, or the "
        "objective is at risk; a postmortem is due when one incident took over 20 % of a budget. "
        "After the SRE Workbook's example policy",
        {
            state: sum(one.state == key for one in policies.values())
            for key, state in STATES.items()
        },
        ["slo/days", "oncall/incidents"],
    )
    return Tile(label, STATES.get(asked, words.NOTHING), " · ".join(parts), made=made)


def changes(
    now: pl.DataFrame,
    before: pl.DataFrame,
    period: Period,
    restated: Sequence[Row],
    spent: pl.DataFrame | None = None,
    endpoints: tuple[pl.DataFrame, pl.DataFrame] | None = None,
) -> Changes:
    """Return what changed since the period before, in one line, restatements included.

    Args:
        now: ``Fleet.judgements`` of the squad's services.
        before: the same at the end of the period before.
        period: what the page covers.
        restated: ``SquadView.restated``.
        spent: ``SquadView.counts``.
        endpoints: ``requests/endpoints`` of the period, and of the one before.
    """
    parts = moves(now, before)
    when = f"the period before ({period.previous().label})"
    if not before.filter(pl.col("verdict") != "unjudged").height:
        why = f": {before['reason'][0]}" if before.height else ""
        text = f"**Since {when}:** there is no verdict of it to compare with{why}."
    else:
        more = [
            most_spent(now, spent) if spent is not None else None,
            rank_moved(now, before),
            worst_endpoint(*endpoints, named=True) if endpoints else None,
        ]
        moved = words.listed(parts, most=_MOST_TOLD + 1) or "every verdict is the same"
        text = f"**Since {when}:** {'; '.join([moved, *filter(None, more)])}."
    text += restated_line(restated, most=_MOST_TOLD)
    made = Made(
        "verdicts of the same objectives, each over its own window, at the end of both periods; "
        "spent in between is what was bad in the period ÷ the budget; the first by budget spent "
        "has the least left; restated is what was published with other counts than the data has "
        "now",
        {"Objectives": now.height, "Restated windows": len(restated)},
        ["slo/days"],
    )
    return Changes(text, made)
