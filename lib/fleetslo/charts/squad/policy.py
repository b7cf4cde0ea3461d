"""What the error-budget policy asks of a squad, whose objectives they are, and how old."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period
from fleetslo.reliability.policies import PolicyState
from fleetslo.reliability.slo import Objective

Key = tuple[str, str]
STATES = {"freeze": "Freeze", "slow_down": "Slow down", "normal": "Normal"}
"""What the policy may ask for, the hardest first."""

REVIEW_WITHIN = timedelta(days=183)
"""The SRE Workbook (chapter 2) would have objectives reviewed quarterly once they have settled; two
quarters without one are told."""


def hardest(states: Mapping[Key, str | None]) -> str:
    """Return the hardest state among those of several objectives; empty when none is known."""
    return next((state for state in STATES if state in states.values()), "")


def policy_table(
    judgements: pl.DataFrame,
    policies: Mapping[Key, PolicyState],
    postmortems: Mapping[Key, str],
    objectives: Mapping[Key, Objective],
    period: Period,
) -> Table:
    """Return one row per objective: what the policy asks, why, whose it is, when it was reviewed.

    Args:
        judgements: ``Fleet.judgements`` of the squad's services.
        policies: ``SquadView.policies``.
        postmortems: ``SquadView.postmortems``.
        objectives: ``SquadView.objectives``.
        period: ages of reviews are counted to its end.
    """
    rows = []
    for row in ordered(judgements):
        key = (row["service"], row["objective"])
        policy, objective = policies[key], objectives.get(key)
        owner = objective.owner if objective else None
        rows.append(
            {
                "service": row["service"],
                "page": f"page:service_slo/{row['service']}",
                "label": row["label"],
                "state": policy.state,
                "reason": words.capital(policy.reason),
                "owner": owner,
                "reviewed": objective.reviewed if objective else None,
                "review": review(objective.reviewed if objective else None, period),
                "postmortem": postmortems.get(key),
            }
        )
    rows.sort(key=lambda row: list(STATES).index(row["state"]) if row["state"] else len(STATES))
    unowned = sum(row["owner"] is None for row in rows)
    columns = [
        Col("service", "Service", "link", page="page"),
        Col("label", "Objective"),
        Col("state", "The policy asks", "badge", words=STATES),
        Col("reason", "Why", priority=3),
        Col("postmortem", "Postmortem due", priority=2),
        Col("owner", "Whose objective", priority=3),
        Col("review", "Last reviewed", priority=2),
    ]
    return Table(
        title=_title(rows),
        says=_says(rows, unowned),
        columns=columns,
        rows=rows,
        made=Made(
            "freeze: budget overspent; slow down: a quarter of it or less is left, or the "
            "objective is at risk; postmortem: one incident took over 20 % of the budget. After "
            "the SRE Workbook, appendix B. Owner and review stand in the objective's document "
            "(`fleetslo/owner`, `fleetslo/reviewed`)",
            {"Objectives": len(rows), "Without an owner": unowned},
            ["slo/days", "oncall/incidents"],
        ),
        empty="No objective names a service of the squad.",
        most=12,
    )


def review(reviewed: date | None, period: Period) -> str:
    """Return when an objective was last reviewed, with a remark where that is long ago."""
    if reviewed is None:
        return "Not said"
    told = words.day(reviewed, year=reviewed.year != period.end.year)
    return f"{told}, long ago" if overdue(reviewed, period) else told


def overdue(reviewed: date | None, period: Period) -> bool:
    """Return whether an objective was not reviewed for too long before the period's end."""
    return reviewed is None or period.end.date() - reviewed > REVIEW_WITHIN


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    asked = {state: [row for row in rows if row["state"] == state] for state in STATES}
    if not rows:
        return "There is no objective, so no policy applies"
    if asked["freeze"]:
        names = list(dict.fromkeys(row["service"] for row in asked["freeze"]))
        verb = "halts" if len(names) == 1 else "halt"
        return f"{words.listed(names)} {verb} releases until back within budget"
    if asked["slow_down"]:
        names = list(dict.fromkeys(row["service"] for row in asked["slow_down"]))
        verb = "slows" if len(names) == 1 else "slow"
        return f"{words.listed(names)} {verb} down: little budget is left"
    if asked["normal"]:
        return "Releases proceed as usual"
    return "No objective can be judged, so the policy asks for nothing"


def _says(rows: Sequence[Mapping[str, Any]], unowned: int) -> str:
    late = [row for row in rows if row["review"].endswith("long ago")]
    unsaid = [row for row in rows if row["reviewed"] is None]
    text = "What the error-budget policy asks for each objective, whose it is, when last reviewed."
    remarks = []
    if unsaid:
        remarks.append(f"{words.numeral(len(unsaid))} without a date of review")
    if late:
        remarks.append(f"{words.numeral(len(late))} not for half a year")
    if unowned:
        remarks.append(f"{words.numeral(unowned)} without a named owner")
    return f"{text} {words.capital(', '.join(remarks))}." if remarks else text
