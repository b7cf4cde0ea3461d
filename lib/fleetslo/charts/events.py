"""Deployments and incidents as tables, and the sources at the end of a page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Sources, Table
from fleetslo.periods import Period
from fleetslo.reliability.replaying.detection import Detection

_NEAR_S = 3600
"""An incident that begins within an hour after a rollout is shown beside it: near, not proven."""


def rollouts(deployments: pl.DataFrame) -> pl.DataFrame:
    """Return one row per rollout: regions and canary steps of one change together.

    Columns: ``rollout_id, service, version, previous_version, started_at, finished_at, outcome,
    regions``. The outcome is the worst of its parts; ``finished_at`` null while one runs.
    """
    order = {"rolled_back": 0, "failed": 1, "in_progress": 2, "succeeded": 3}
    return (
        deployments.with_columns(rank=pl.col("outcome").replace_strict(order, default=3))
        .sort("rank", "started_at")
        .group_by("rollout_id", "service", maintain_order=True)
        .agg(
            pl.col("version").first(),
            pl.col("previous_version").first(),
            pl.col("started_at").min(),
            finished_at=pl.when(pl.col("finished_at").is_null().any())
            .then(None)
            .otherwise(pl.col("finished_at").max()),
            outcome=pl.col("outcome").first(),
            regions=pl.col("region").unique().sort().str.join(", "),
        )
        .sort("started_at", descending=True)
    )


def deployment_table(deployments: pl.DataFrame, incidents: pl.DataFrame) -> Table:
    """Return the rollouts of a period, the newest first, with incidents that began soon after."""
    rows = []
    for row in rollouts(deployments).iter_rows(named=True):
        found = _incidents_of(row, incidents)
        lasted = row["finished_at"] and (row["finished_at"] - row["started_at"]).total_seconds()
        rows.append(
            {
                **row,
                "short": _short(row["version"]),
                "before": _short(row["previous_version"]),
                "lasted_s": lasted,
                "incidents": ", ".join(found) or "–",
            }
        )
    undone = sum(row["outcome"] in ("rolled_back", "failed") for row in rows)
    if not rows:
        title = "Nothing was deployed"
    elif undone:
        verb = "was" if undone == 1 else "were"
        counted = words.capital(words.numeral(undone))
        title = f"{counted} of {len(rows)} rollouts {verb} undone or failed"
    else:
        title = (
            f"All {len(rows)} rollouts went through"
            if len(rows) > 1
            else "One rollout went through"
        )
    return Table(
        title=title,
        says="One row per rollout; its regions and canary steps are one.",
        columns=[
            Col("short", "Version", "code", head=True),
            Col("started_at", "Started (UTC)", "time"),
            Col("outcome", "Outcome", "badge", words=_OUTCOMES),
            Col("before", "Replaced", "code", priority=3),
            Col("lasted_s", "Took", "number", format="duration", priority=3),
            Col("regions", "Regions", priority=3),
            Col("incidents", "Incidents", priority=2),
        ],
        rows=rows,
        made=Made(
            "an incident is shown when it names the rollout as its cause, or began in the hour "
            "after it started; the second is nearness, not proof",
            {"Rollouts": len(rows), "Undone or failed": undone},
            ["delivery/deployments", "oncall/incidents"],
        ),
        empty="No deployment started in this period.",
        most=12,
    )


_COST = (
    "; of the budget: bad between its recorded times, beyond the usual, ÷ the budget; the "
    "service's own page follows the harm itself"
)
_OUTCOMES = {
    "succeeded": "Succeeded",
    "failed": "Failed",
    "rolled_back": "Rolled back",
    "in_progress": "In progress",
}


def _short(version: str | None) -> str:
    """Return a version as it fits a table: a long hash is cut to twelve letters."""
    return "–" if version is None else version[:12] if len(version) > 24 else version


def _incidents_of(rollout: dict[str, Any], incidents: pl.DataFrame) -> list[str]:
    found = []
    for row in incidents.sort("started_at").iter_rows(named=True):
        seconds = (row["started_at"] - rollout["started_at"]).total_seconds()
        near = row["service"] == rollout["service"] and 0 <= seconds <= _NEAR_S
        if row["caused_by"] == rollout["rollout_id"]:
            found.append(f"{row['incident_id']} (its cause)")
        elif near and row["caused_by"] is None:
            found.append(f"{row['incident_id']} (soon after)")
    return found


def incident_table(
    incidents: pl.DataFrame,
    *,
    services: bool = False,
    found: Detection | None = None,
    spent: pl.DataFrame | None = None,
) -> Table:
    """Return the incidents of a period, the longest first.

    Args:
        incidents: ``oncall/incidents``.
        services: whether to say whose they were.
        found: ``ServiceView.detection`` of an objective, to say when it would have paged.
        spent: ``Overview.incident_costs``, to say what each took of its service's budget.
    """
    rows = []
    pages = _first_pages(found)
    taken = dict(spent.select("incident_id", "spent").iter_rows()) if spent is not None else {}
    for row in incidents.iter_rows(named=True):
        ended = row["resolved_at"]
        rows.append(
            {
                **row,
                "what": f"{row['incident_id']}: {row['title']}",
                "lasted_s": (ended - row["started_at"]).total_seconds() if ended else None,
                "page": f"page:service_slo/{row['service']}",
                "reason": _cause(row),
                "paged": pages.get(row["incident_id"], "before the period"),
                "spent": taken.get(row["incident_id"]),
            }
        )
    rows.sort(key=lambda row: (row["lasted_s"] is not None, -(row["lasted_s"] or 0)))
    whose = [Col("service", "Service", "link", page="page")] if services else []
    return Table(
        title=_incident_title(rows),
        says="Started, and how long until it was resolved; an open one has no length yet.",
        columns=[
            Col("what", "Incident", head=True),
            *whose,
            Col("severity", "Severity", "badge", priority=2),
            Col("started_at", "Started (UTC)", "time", priority=2),
            Col("lasted_s", "Lasted", "number", format="duration"),
            *([Col("spent", "Of the budget, about", "percent", format="share")] if taken else []),
            *([Col("paged", "Paged after", align="right", priority=2)] if found else []),
            Col("reason", "Cause", priority=3),
        ],
        rows=rows,
        made=Made(
            "lasted = resolved − started"
            + (_COST if taken else "")
            + ("; paged after = the objective's first page − started" if found else ""),
            {"Incidents": len(rows)},
            ["oncall/incidents", *(["slo/stretches"] if taken else [])],
        ),
        empty="No incident was recorded in this period.",
        most=12,
    )


def _first_pages(found: Detection | None) -> dict[str, str]:
    """Return how long after its start each incident would have paged, as a reader says it."""
    if found is None:
        return {}
    return {
        row["incident_id"]: "never" if row["is_missed"] else words.duration(row["time_to_detect_s"])
        for row in found.incidents.iter_rows(named=True)
    }


def _cause(row: dict[str, Any]) -> str:
    cause = str(row["cause"] or "unknown")
    return f"{cause}: {row['caused_by']}" if row["caused_by"] else cause


def _incident_title(rows: Sequence[dict[str, Any]]) -> str:
    still = sum(row["lasted_s"] is None for row in rows)
    lasted = sorted(row["lasted_s"] for row in rows if row["lasted_s"] is not None)
    if not rows:
        return "No incidents"
    title = words.plural(len(rows), "incident", spelled=True)
    if lasted:
        middle = len(lasted) // 2
        median = lasted[middle] if len(lasted) % 2 else (lasted[middle - 1] + lasted[middle]) / 2
        ending = "it lasted" if len(rows) == 1 else "half of them lasted under"
        title += f"; {ending} {words.duration(median)}"
    if still:
        title += f"; {words.numeral(still)} still open"
    return words.capital(title)


def sources(
    freshness: pl.DataFrame, period: Period, warehouse: str, *, lab: str | None = None
) -> Sources:
    """Return where a page's numbers come from and how fresh each source is.

    ``freshness`` are rows of ``fleet/freshness``: ``table_name, complete_until``.
    """
    rows = [
        {
            "name": row["table_name"],
            "says": _USED.get(row["table_name"], "–"),
            "complete_until": row["complete_until"],
        }
        for row in freshness.sort("table_name").iter_rows(named=True)
    ]
    return Sources(
        rows=rows,
        lab=lab,
        run={"Period": f"{period.label}, UTC, end exclusive", "Warehouse": _told(warehouse)},
    )


_USED = {
    "requests_hourly": "traffic, latency, endpoints",
    "requests_daily": "traffic, latency, endpoints",
    "slo_minutes": "objectives, budgets, burn rates, coverage",
    "errors_hourly": "errors by kind and upstream",
    "deployments": "rollouts",
    "incidents": "incidents",
}


def _told(warehouse: str) -> str:
    """Return a warehouse's address as a page may show it: no path of the machine that ran it."""
    return "Parquet files, read by DuckDB" if warehouse.startswith("duckdb:") else warehouse


def complete(until: datetime | None, period: Period) -> str:
    """Return how far the data reaches, as a page says it; the year where it is another one."""
    if until is None:
        return "no data yet"
    return f"data complete to {words.moment(until, year=until.year != period.end.year)}"
