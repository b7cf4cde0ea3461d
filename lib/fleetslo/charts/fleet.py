"""The head of the fleet's page and the table of every service."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from fleetslo.charts import events, words
from fleetslo.charts.blocks import Changes, Col, Made, Table, Tile, Tiles, Verdict
from fleetslo.charts.changes import (
    most_spent,
    moves,
    rank_moved,
    restated_line,
    worst_endpoint,
)
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period
from fleetslo.reliability.judging import RANK, worst
from fleetslo.reliability.latency import quantile_frame

Rows = list[dict[str, Any]]
_MOST_MOVES = 4  # objectives with another verdict that are named in the line of what changed


def every_service(
    services: pl.DataFrame,
    judgements: pl.DataFrame,
    days: pl.DataFrame,
    latency: pl.DataFrame,
    deployments: pl.DataFrame,
) -> Rows:
    """Return one row per service, the one that needs attention most first.

    Args:
        services: ``Fleet.services``.
        judgements: ``Fleet.judgements``.
        days: ``slo/days`` over the period.
        latency: ``latency/services``.
        deployments: ``delivery/deployments``.

    Each row has the service's catalogue entry, the objective nearest to being missed (``label,
    sli, target, budget_left, burn_1h, alerts``), its ``verdict`` (the worst of all its
    objectives), ``spent``: bad requests of that objective per day, ``p99_s``, ``rollouts``,
    ``day_count`` and ``error_count``: requests of the period's whole days, and its faults.
    """
    of = {name: ordered(frame) for (name,), frame in judgements.group_by("service")}
    spark = {
        (name, objective): dict(zip(frame["day"], frame["bad"], strict=True))
        for (name, objective), frame in days.with_columns(
            bad=pl.col("valid_count") - pl.col("good_count"), day=pl.col("day").cast(pl.Date)
        ).group_by("service", "objective")
    }
    axis = sorted(set(days["day"].cast(pl.Date)))
    p99 = dict(quantile_frame(latency, ["service"], [0.99]).select("service", "p99_s").iter_rows())
    counted = {
        name: (requests, faults)
        for name, requests, faults in latency.select(
            "service", "request_count", "error_count"
        ).iter_rows()
    }
    counts = events.rollouts(deployments)["service"].value_counts()
    shipped = dict(counts.iter_rows())
    rows = []
    for about in services.iter_rows(named=True):
        name = about["service"]
        found = of.get(name, [])
        first: Mapping[str, Any] = found[0] if found else {}
        series = spark.get((name, first.get("objective", "")), {})
        rows.append(
            {
                **about,
                "page": f"page:service_slo/{name}",
                "verdict": worst([row["verdict"] for row in found]),
                "label": first.get("label", "none"),
                "sli": first.get("sli"),
                "target": first.get("target"),
                "budget_left": first.get("budget_left"),
                "reason": first.get("reason"),
                "burn_1h": first.get("burn_1h"),
                "alerts": first.get("alerts") or "",
                "page_firing": first.get("page_firing", False),
                "spent": [series.get(day) for day in axis] if series else None,
                "p99_s": p99.get(name),
                "rollouts": shipped.get(name, 0),
                "day_count": counted.get(name, (0, 0))[0],
                "error_count": counted.get(name, (0, 0))[1],
            }
        )
    rows.sort(key=_attention)
    return rows


_ORDER = ("missed", "at_risk", "unjudged", "met", None)
"""Who is listed first: what nobody can judge needs more attention than what is met."""


def _attention(row: Mapping[str, Any]) -> tuple[int, float, str]:
    rank = _ORDER.index(row["verdict"])
    left = row["budget_left"]
    return rank, left if left is not None else 9.0, row["service"]


def head(rows: Rows, judgements: pl.DataFrame, period: Period, complete_until: datetime) -> Verdict:
    """Return the head of the fleet's page; the rows are those of ``every_service``."""
    squads = len({row["squad"] for row in rows if row["squad"]})
    requests = sum(row["request_count"] or 0 for row in rows)
    counted = {key: sum(row["verdict"] == key for row in rows) for key in RANK}
    return Verdict(
        path=[("Fleet", None)],
        name="Fleet overview",
        verdict=None,
        sentence=_sentence(rows, counted),
        covers=[
            f"{period.label}, UTC, {words.window(period.length)}",
            words.plural(squads, "squad"),
            f"{words.count(requests)} requests",
            events.complete(complete_until, period),
        ],
        headline={
            "services": len(rows),
            **counted,
            "objectives": judgements.height,
            "requests": requests,
        },
    )


def _sentence(rows: Rows, counted: Mapping[str, int]) -> str:
    judged = counted["met"] + counted["at_risk"] + counted["missed"]
    if not rows:
        return "The fleet is empty."
    if not any(row["verdict"] for row in rows):
        return f"No objective names any of {words.plural(len(rows), 'service')}."
    if not judged:
        return f"None of {words.plural(len(rows), 'service')} can be judged yet."
    kept = counted["met"] + counted["at_risk"]
    parts = []
    if counted["missed"]:
        parts.append(f"{words.numeral(counted['missed'])} missed")
    if counted["at_risk"]:
        verb = "is" if counted["at_risk"] == 1 else "are"
        parts.append(f"{words.numeral(counted['at_risk'])} {verb} at risk")
    if counted["unjudged"]:
        parts.append(f"{words.numeral(counted['unjudged'])} cannot be judged yet")
    text = f"**{kept} of {judged}** services met their objectives"
    text += f"; {', '.join(parts)}." if parts else "."
    burning = [row["service"] for row in rows if row["page_firing"]]
    if burning:
        verb = "is" if len(burning) == 1 else "are"
        text += f" {words.listed([f'**{name}**' for name in burning])} {verb} burning fast now."
    return text


def tiles(
    rows: Rows, judgements: pl.DataFrame, deployments: pl.DataFrame, incidents: pl.DataFrame
) -> Tiles:
    """Return the fleet's four numbers: objectives met, failed requests, rollouts, incidents."""
    judged = judgements.filter(pl.col("verdict") != "unjudged")
    met = judged.filter(pl.col("verdict") != "missed").height
    failed = [row["error_count"] for row in rows]
    requests = sum(row["day_count"] for row in rows)
    shipped = events.rollouts(deployments)
    undone = shipped.filter(pl.col("outcome").is_in(["rolled_back", "failed"])).height
    lasted = (incidents["resolved_at"] - incidents["started_at"]).drop_nulls().dt.total_seconds()
    by_deployment = int((incidents["cause"] == "deployment").fill_null(value=False).sum())
    unjudged = judgements.height - judged.height
    return Tiles(
        [
            Tile(
                "Objectives met",
                words.share(met / judged.height) if judged.height else "–",
                f"{met:,} of {judged.height:,} judged"
                + (f"; {unjudged:,} cannot be judged yet" if unjudged else ""),
                made=Made(
                    "met ÷ judged; an objective at risk is met so far",
                    {"Met": met, "Judged": judged.height, "Not judged": unjudged},
                    ["slo/days", "slo/window_totals"],
                ),
            ),
            Tile(
                "Failed requests",
                words.percent(sum(failed) / requests) if requests else "–",
                _half(failed),
                made=Made(
                    "faults of the servers ÷ requests, over the period's whole days",
                    {"Faults": sum(failed), "Requests": requests},
                    ["latency/services"],
                ),
            ),
            Tile(
                "Rollouts",
                words.count(shipped.height),
                f"{words.count(undone)} undone or failed"
                + (f" · {words.percent(undone / shipped.height, 1)}" if shipped.height else ""),
                made=Made(
                    "regions and canary steps of one change are one rollout",
                    {"Rollouts": shipped.height, "Undone or failed": undone},
                    ["delivery/deployments"],
                ),
            ),
            Tile(
                "Incidents",
                words.count(incidents.height),
                _recovered(lasted) + f"{by_deployment:,} by a deployment",
                made=Made(
                    "incidents that overlap the period; resolved − started, of those resolved",
                    {
                        "Incidents": incidents.height,
                        "Resolved": len(lasted),
                        "Caused by a deployment": by_deployment,
                    },
                    ["oncall/incidents"],
                ),
            ),
        ]
    )


def changes(
    now: pl.DataFrame,
    before: pl.DataFrame,
    restated: Sequence[Mapping[str, Any]],
    spent: pl.DataFrame | None = None,
    endpoints: tuple[pl.DataFrame, pl.DataFrame] | None = None,
) -> Changes:
    """Return what is another thing than a week ago, in one line, restatements included.

    Args:
        now: ``Fleet.judgements``.
        before: the same a week earlier.
        restated: ``Overview.restated``.
        spent: ``Overview.week_spending``.
        endpoints: ``requests/endpoints`` of the period, and of the one a week earlier.
    """
    found = moves(now, before)
    known = before.filter(pl.col("verdict") != "unjudged").height
    if not known:
        text = "there is no verdict to compare with"
    else:
        text = words.listed(found, most=_MOST_MOVES) or "every verdict is the same"
        more = [
            most_spent(now, spent) if spent is not None else None,
            rank_moved(now, before),
            worst_endpoint(*endpoints, named=True) if endpoints else None,
        ]
        text = "; ".join([text, *filter(None, more)])
    return Changes(
        f"**Since a week ago:** {text}.{restated_line(restated)}",
        Made(
            "verdicts of the same objectives, each over its own window, now and a week ago; spent "
            "in between is what was bad in the last seven days ÷ the budget; the first by budget "
            "spent has the least left; restated is what was published with other counts than the "
            "data has now",
            {
                "Objectives": now.height,
                "Judged a week ago": known,
                "With another verdict": len(found),
                "Restated windows": len(restated),
            },
            ["slo/days", "requests/endpoints"],
        ),
    )


def _recovered(lasted: pl.Series) -> str:
    """Return how long half of the incidents took at most; ``lasted`` in seconds."""
    if lasted.is_empty():
        return ""
    return f"half resolved within {words.duration(float(np.median(lasted.to_numpy())))} · "


def half_of(counts: Sequence[int]) -> int:
    """Return how many of these counts, the greatest first, make up half of their sum."""
    total, so_far = sum(counts), 0
    for place, value in enumerate(sorted(counts, reverse=True), start=1):
        so_far += value
        if 2 * so_far >= total:
            return place
    return 0


def _half(counts: Sequence[int]) -> str:
    if not sum(counts):
        return "none in any service"
    return f"half of them in {words.plural(half_of(counts), 'service')}"


def table(rows: Rows) -> Table:
    """Return every service at a glance, sortable and searchable; each opens its report."""
    failed = [row["error_count"] for row in rows]
    few = half_of(failed)
    if not rows:
        title = "There are no services"
    elif not sum(failed):
        title = "No request of the fleet failed"
    else:
        noun = "service" if few == 1 else "services"
        title = f"{words.capital(words.numeral(few))} {noun} had half of the failed requests"
    return Table(
        title=title,
        says="The objective nearest to being missed of each service, the least budget first. "
        "Each service opens its own report.",
        columns=[
            Col("service", "Service", "link", page="page"),
            Col("squad", "Squad", priority=2),
            Col("tier", "Tier", "number", priority=3),
            Col("verdict", "Verdict", "verdict"),
            Col("label", "Objective", priority=3),
            Col("sli", "SLI", "percent", against="target", priority=2),
            Col("budget_left", "Budget left", "bar", verdict="verdict"),
            Col("burn_1h", "Burn 1 h", "number", format="burn", priority=3),
            Col("spent", "Bad per day", "spark", priority=3),
            Col("p99_s", "p99", "number", unit="ms", format="ms", priority=3),
            Col("rollouts", "Rollouts", "number", priority=3),
        ],
        rows=rows,
        search=True,
        filters=["squad", "tier", "verdict"],
        made=Made(
            "SLI = good ÷ valid; budget left = 1 − bad ÷ ((1 − target) × valid), over the "
            "objective's own window",
            {"Services": len(rows), "Failed requests": sum(failed)},
            ["slo/days", "slo/window_totals", "latency/services", "fleet/services"],
        ),
        empty="Neither the catalogue nor the data names a service in this period.",
    )


def burners(rows: Rows) -> Table:
    """Return the services that burn fastest at the end of the period."""
    fast = [row for row in rows if (row["burn_1h"] or 0) > 1 or row["alerts"]]
    fast.sort(key=lambda row: -(row["burn_1h"] or 0))
    if fast:
        top = fast[0]
        title = f"{top['service']} burned fastest in the last hour: {words.burn(top['burn_1h'])}"
    else:
        title = "No service burns faster than its budget allows"
    return Table(
        title=title,
        says="Burn rate over the last hour of the period; 1 × lasts exactly the window.",
        columns=[
            Col("service", "Service", "link", page="page"),
            Col("squad", "Squad", priority=2),
            Col("label", "Objective", priority=3),
            Col("burn_1h", "Burn 1 h", "number", format="burn"),
            Col("alerts", "Alerts that fire"),
        ],
        rows=[{**row, "alerts": row["alerts"] or "–"} for row in fast],
        made=Made("burn rate = (bad ÷ valid) ÷ (1 − target)", {}, ["slo/window_totals"]),
        empty="Every service burned at 1 × or less in the last hour.",
        width="half",
        most=8,
    )
