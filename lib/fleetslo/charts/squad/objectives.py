"""A squad's objectives as a table, and what changed in each since the period before."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.charts.changes import both_slis
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period
from fleetslo.reliability.slo import Objective

Key = tuple[str, str]
Row = dict[str, Any]


def objective_rows(
    judgements: pl.DataFrame,
    counts: pl.DataFrame,
    in_a_row: Mapping[Key, tuple[int, bool]],
    week: Period,
) -> list[Row]:
    """Return the judgements as rows, the one that needs attention most first.

    Added to each are ``page``, ``name``, ``spent_week`` (the share of its window's budget that went
    in the last seven days; null in a window that began within them), ``missed_in_a_row`` and
    ``row_says`` (the same in words). A composite that adds burn rates has no bad count.

    Args:
        judgements: ``Fleet.judgements`` of the squad's services.
        counts: ``SquadView.counts``.
        in_a_row: ``SquadView.in_a_row``.
        week: the seven days that ``counts`` tells apart.
    """
    last = {
        (row["service"], row["objective"]): row["week_bad_count"]
        for row in counts.iter_rows(named=True)
    }
    rows = []
    for row in ordered(judgements):
        key = (row["service"], row["objective"])
        bad, budget = last.get(key), row["budget_count"]
        of_this_window = row["window_start"] <= week.start and bad is not None and budget
        times, may_be_longer = in_a_row.get(key, (0, False))
        rows.append(
            {
                **row,
                "page": f"page:service_slo/{row['service']}",
                "name": f"{row['service']} {row['label'].lower()}{_unit(row['unit'])}",
                "spent_week": bad / budget if of_this_window else None,
                "bad_count": None if row["unit"] == "burn" else row["bad_count"],
                "missed_in_a_row": times,
                "row_says": _row_says(times, may_be_longer),
            }
        )
    return rows


def _row_says(times: int, may_be_longer: bool) -> str | None:
    if not times:
        return None
    return f"{times} or more" if may_be_longer else str(times)


def _unit(unit: str) -> str:
    return "" if unit in ("requests", "burn") else f" ({unit})"


def objective_table(rows: Sequence[Row], objectives: Mapping[Key, Objective]) -> Table:
    """Return one row per objective of the squad's services; each opens its service's report.

    Args:
        rows: of ``objective_rows``.
        objectives: ``SquadView.objectives``; those that cannot be measured here are named.
    """
    unmeasured = [one for one in objectives.values() if one.unmeasured is not None]
    return Table(
        title=_title(rows),
        says="Each objective over its own window, the one that needs attention most first. "
        "Overspent in a row counts periods like this one, this one included."
        + _unmeasured(unmeasured),
        columns=[
            Col("name", "Objective", "link", page="page"),
            Col("verdict", "Verdict", "verdict"),
            Col("target", "Target", "percent", priority=3, words=_targets(rows)),
            Col("sli", "SLI", "percent", against="target", priority=2),
            Col("budget_left", "Budget left", "bar", verdict="verdict"),
            Col("spent_week", "Spent in 7 days", "percent", format="share", priority=2),
            Col("bad_count", "Bad", "number", priority=3),
            Col("row_says", "Overspent in a row", align="right", priority=3),
        ],
        rows=rows,
        made=Made(
            "SLI = good ÷ valid; budget left = 1 − bad ÷ ((1 − target) × valid), over the "
            "objective's own window; spent in 7 days = bad of the period's last seven days ÷ the "
            "same budget: an even pace over 28 days spends 25 % in them",
            {
                "Objectives": len(rows),
                "Missed": sum(row["verdict"] == "missed" for row in rows),
                "Not measured here": len(unmeasured),
            },
            ["slo/days", "slo/stretches"],
        ),
        empty="No objective names a service of the squad.",
        most=15,
    )


def _targets(rows: Sequence[Row]) -> dict[str, str]:
    """Return the words for each target: as it was written, not with the digits of an SLI."""
    return {str(row["target"]): words.target(row["target"]) for row in rows}


def _title(rows: Sequence[Row]) -> str:
    missed = [row for row in rows if row["verdict"] == "missed"]
    if not rows:
        return "No objective names a service of the squad"
    if not missed:
        risky = [row for row in rows if row["verdict"] == "at_risk"]
        if risky:
            names = [f"{row['service']} {row['label'].lower()}" for row in risky]
            verb = "is" if len(risky) == 1 else "are"
            return f"None was missed; {words.listed(names)} {verb} at risk"
        return "No objective was missed or is at risk"
    longest = max(missed, key=lambda row: row["missed_in_a_row"])
    times = longest["missed_in_a_row"]
    if times > 1:
        label = longest["label"].lower()
        return f"{longest['service']} overspent its {label} budget {times} periods in a row"
    fresh = [row for row in missed if row["spent_week"] and row["spent_week"] > 1]
    if fresh:
        row = max(fresh, key=lambda one: one["spent_week"])
        share = words.share(row["spent_week"])
        return f"{row['service']} spent {share} of its {row['label'].lower()} budget in seven days"
    names = [f"{row['service']} {row['label'].lower()}" for row in missed]
    return f"{words.listed(names)} {'was' if len(missed) == 1 else 'were'} missed"


def _unmeasured(objectives: Sequence[Objective]) -> str:
    if not objectives:
        return ""
    told = [f"`{one.name}` ({one.unmeasured})" for one in objectives]
    return f" Not measured here: {words.listed(told)}."


def changed_table(
    now: pl.DataFrame,
    before: pl.DataFrame,
    restated: Sequence[Mapping[str, Any]],
    period: Period,
) -> Table:
    """Return one row per objective: verdict and budget left now and in the period before.

    Args:
        now: ``Fleet.judgements`` of the squad's services.
        before: the same at the end of the period before.
        restated: ``SquadView.restated``; the newest of each objective is told in its row.
        period: what the page covers.
    """
    earlier = {(row["service"], row["objective"]): row for row in before.to_dicts()}
    told = {(row["service"], row["objective"]): row for row in reversed(restated)}
    rows = []
    for row in ordered(now):
        key = (row["service"], row["objective"])
        old = earlier.get(key, {})
        known = old.get("verdict") not in (None, "unjudged") and row["verdict"] != "unjudged"
        # What is left of a month on its third day and on its last says when, not how well.
        comparable = known and not (row["is_running"] or old["is_running"])
        rows.append(
            {
                "service": row["service"],
                "page": f"page:service_slo/{row['service']}",
                "label": row["label"],
                "was": old.get("verdict"),
                "verdict": row["verdict"],
                "left_before": old.get("budget_left") if known else None,
                "budget_left": row["budget_left"],
                "moved": row["budget_left"] - old["budget_left"] if comparable else None,
                "restated": _restated(told.get(key)),
            }
        )
    return Table(
        title=_changed_title(rows),
        says=f"At the end of {period.label}, and of the period before. Restated: what an earlier "
        "report said of a window, and what the data says of it now.",
        columns=[
            Col("service", "Service", "link", page="page"),
            Col("label", "Objective"),
            Col("was", "Before", "verdict", priority=3),
            Col("verdict", "Now", "verdict", priority=2),
            Col("left_before", "Left before", "percent", format="share", priority=2),
            Col("budget_left", "Left now", "percent", format="share"),
            Col("restated", "Restated", priority=3),
        ],
        rows=rows,
        made=Made(
            "the same objectives judged at the end of the period before; an objective that could "
            "not be judged then has no number to compare, and one whose window still runs now or "
            "still ran then is not held against itself",
            {"Objectives": len(rows), "Restated windows": len(restated)},
            ["slo/days"],
        ),
        empty="No objective names a service of the squad.",
        most=12,
    )


def _restated(row: Mapping[str, Any] | None) -> str | None:
    if row is None:
        return None
    was, now = both_slis(row)
    return f"{was} → {now}: {row['why']} ({Period(row['window_start'], row['window_end']).label})"


def _changed_title(rows: Sequence[Row]) -> str:
    compared = [row for row in rows if row["moved"] is not None]
    if not compared:
        kind = "window that has ended" if any(row["left_before"] for row in rows) else "verdict"
        return f"There is no earlier {kind} to compare with"
    down = min(compared, key=lambda row: row["moved"])
    up = max(compared, key=lambda row: row["moved"])
    row = down if down["moved"] < 0 else up
    name = f"{row['service']} {row['label'].lower()}"
    was, left = words.share(row["left_before"]), words.share(row["budget_left"])
    if was == left:
        return "Every objective has about as much budget left as before"
    verb = "fell" if row["moved"] < 0 else "rose"
    return f"{name} {verb} most: budget left went from {was} to {left}"
