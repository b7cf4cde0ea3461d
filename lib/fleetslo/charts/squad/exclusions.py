"""What a squad's objectives do not count, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import Exclusion, excluded
from fleetslo.reliability.slo import Objective

Key = tuple[str, str]


def exclusion_table(
    exclusions: Sequence[Exclusion],
    judgements: pl.DataFrame,
    objectives: Mapping[Key, Objective],
    services: pl.DataFrame,
) -> Table:
    """Return what the squad's objectives do not count, why, and their SLI with and without it.

    Args:
        exclusions: ``Fleet.exclusions``.
        judgements: ``Fleet.judgements`` of the squad's services.
        objectives: ``SquadView.objectives``.
        services: the squad's rows of ``Fleet.services``.
    """
    about = {row["service"]: row for row in services.iter_rows(named=True)}
    rows = []
    for row in ordered(judgements):
        objective = objectives.get((row["service"], row["objective"]))
        if objective is None or not row["excluded_minutes"]:
            continue
        window = Period(row["window_start"], row["window_end"])
        applied = [
            one
            for one in exclusions
            if any(
                excluded([one], member, about[row["service"]], window)
                for member in objective.measured
            )
        ]
        rows.append(
            {
                **row,
                "page": f"page:service_slo/{row['service']}",
                "excluded_s": row["excluded_minutes"] * 60,
                # Shares of a budget are no count.
                "bad": None if row["unit"] == "burn" else row["bad_count"],
                "bad_with": None if row["unit"] == "burn" else row["bad_with_excluded"],
                "why": "; ".join(f"{one.label}: {one.reason}" for one in applied),
            }
        )
    return Table(
        title=_exclusion_title(rows),
        says="Minutes that leave both counts, and what was bad and the SLI with and without them.",
        columns=[
            Col("service", "Service", "link", page="page"),
            Col("label", "Objective"),
            Col("excluded_s", "Excluded", "number", format="duration"),
            Col("bad", "Bad", "number", priority=2),
            Col("bad_with", "Bad with them", "number", priority=2),
            Col("sli", "SLI", "percent", against="target", priority=2),
            Col("sli_with_excluded", "SLI with them", "percent", against="target", priority=2),
            Col("why", "Why", priority=3),
        ],
        rows=rows,
        made=Made(
            "an excluded minute is in neither good nor valid; with them, it is in both as counted",
            {"Objectives with excluded minutes": len(rows)},
            ["slo/days", "slo/stretches"],
        ),
        empty="Every minute of every window counts.",
    )


def _exclusion_title(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "Nothing is excluded"
    turned = [
        row
        for row in rows
        if row["sli_with_excluded"] is not None
        and row["sli"] is not None
        and row["sli_with_excluded"] < row["target"] <= row["sli"]
    ]
    if turned:
        row = turned[0]
        return f"{row['service']} met its {row['label'].lower()} objective only by what is excluded"
    longest = max(rows, key=lambda row: row["excluded_s"])
    told = words.duration(longest["excluded_s"])
    return f"{told} of {longest['service']}'s {longest['label'].lower()} window are not counted"
