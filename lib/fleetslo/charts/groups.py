"""The fleet by squad and by tier, and how much of it is watched at all."""

from datetime import timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import events, theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.charts.timeline import plotly_text
from fleetslo.periods import Period
from fleetslo.reliability.judging import RANK

Rows = list[dict[str, Any]]
_NAMED = 4  # services drawn apart in the chart of failed requests; the rest are one colour
_LIVE = timedelta(hours=3)


def by_squad(rows: Rows, incidents: pl.DataFrame) -> Table:
    """Return one row per squad: its services by verdict, and its incidents."""
    return _grouped(rows, incidents, "squad", "Squad", "without a squad")


def by_tier(rows: Rows, incidents: pl.DataFrame) -> Table:
    """Return one row per tier: its services by verdict, and its incidents."""
    return _grouped(rows, incidents, "tier", "Tier", "without a tier")


def _grouped(rows: Rows, incidents: pl.DataFrame, key: str, label: str, unnamed: str) -> Table:
    troubles = incidents["service"].to_list()
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        value = row[key]
        name = unnamed if value is None else f"Tier {value}" if key == "tier" else str(value)
        group = groups.setdefault(
            name,
            {key: name, "page": None, "services": 0, "incidents": 0, **dict.fromkeys(RANK, 0)},
        )
        if key == "squad" and value is not None:
            group["page"] = f"page:squad_review/{value}"
        group["services"] += 1
        group["incidents"] += troubles.count(row["service"])
        if row["verdict"] is not None:
            group[row["verdict"]] += 1
    listed = sorted(
        groups.values(),
        key=lambda one: (-one["missed"], -one["at_risk"], -one["services"], one[key]),
    )
    if key == "tier":
        listed.sort(key=lambda one: one[key])
    missed = [one for one in listed if one["missed"]]
    if not missed:
        title = f"No {label.lower()} missed an objective"
    else:
        most = max(missed, key=lambda one: one["missed"])
        noun = words.plural(most["missed"], "service", spelled=True)
        whose = "its" if most["missed"] == 1 else "their"
        title = f"{most[key]} has {noun} that missed {whose} objectives"
    return Table(
        title=title,
        says=f"Services by verdict, and incidents, of each {label.lower()}.",
        columns=[
            Col(key, label, "link", page="page"),
            Col("services", "Services", "number"),
            Col("missed", "Missed", "number"),
            Col("at_risk", "At risk", "number"),
            Col("met", "Met", "number", priority=2),
            Col("unjudged", "Not judged", "number", priority=3),
            Col("incidents", "Incidents", "number", priority=2),
        ],
        rows=listed,
        made=Made(
            "a service counts by the worst of its judged objectives",
            {"Services": len(rows)},
            ["fleet/services", "slo/days", "oncall/incidents"],
        ),
        width="half",
        most=10,
    )


def watched(rows: Rows, period: Period) -> Table:
    """Return how much of each tier has an objective, and telemetry up to the period's end."""
    found = []
    for tier in sorted({row["tier"] for row in rows if row["tier"] is not None}):
        mine = [row for row in rows if row["tier"] == tier]
        bound = sum(row["verdict"] is not None for row in mine)
        live = [
            row["last_hour"] is not None and row["last_hour"] >= period.end - _LIVE for row in mine
        ]
        missing = [
            row["service"]
            for row, alive in zip(mine, live, strict=True)
            if not alive or row["verdict"] is None
        ]
        found.append(
            {
                "tier": f"Tier {tier}",
                "services": len(mine),
                "objectives": bound / len(mine),
                "telemetry": sum(live) / len(mine),
                "missing": words.listed(sorted(missing), most=5) or "–",
                "first": tier <= 2,
                "gap": len(missing),
            }
        )
    top = [row for row in found if row["first"]]
    blind = sum(row["gap"] for row in top)
    if not top:
        title = "No service of tier 1 or 2 is in the catalogue"
    elif blind:
        noun = words.plural(blind, "service", spelled=True)
        lack = "lacks" if blind == 1 else "lack"
        title = f"{words.capital(noun)} of tier 1 and 2 {lack} an objective or live telemetry"
    else:
        title = "Every service of tier 1 and 2 has objectives and live telemetry"
    return Table(
        title=title,
        says="Services with an objective, and services that reported in the last three hours "
        "of the period.",
        columns=[
            Col("tier", "Tier", width="4rem"),
            Col("objectives", "Objectives", "bar"),
            Col("telemetry", "Live telemetry", "bar"),
            Col("missing", "Lacking either", priority=2),
        ],
        rows=found,
        made=Made(
            "services ÷ services catalogued in the tier", {}, ["fleet/services", "fleet/seen"]
        ),
        empty="The catalogue gives no service a tier.",
        width="half",
    )


def failed_by_day(
    days: pl.DataFrame, period: Period, deployments: pl.DataFrame, incidents: pl.DataFrame
) -> Chart:
    """Return the failed requests of the fleet by day and service.

    ``days`` are rows of ``requests/days``; the services with most of them are drawn apart.
    """
    total = int(days["error_count"].sum())
    most = (
        days.group_by("service").agg(pl.col("error_count").sum())
        .sort("error_count", "service", descending=[True, False]).head(_NAMED)
    )  # fmt: skip
    names = most["service"].to_list()
    shades = [theme.BLUE, theme.SLATE, theme.BLUE_SOFT, theme.GREY]
    axis = sorted(days["day"].unique())
    fig = theme.figure(height=280, y_title="failed requests")
    fig.add_traces(
        [
            go.Bar(
                **theme.regular(axis[0], timedelta(days=1)) if axis else {},
                y=theme.floats(_daily(days.filter(pl.col("service") == name), axis)),
                name=plotly_text(name), marker={"color": shade}, offset=0,
                hovertemplate="%{y:,.0f}<extra>" + plotly_text(name) + "</extra>",
            )
            for name, shade in zip(names, shades, strict=False)
        ]
    )  # fmt: skip
    others = days.filter(~pl.col("service").is_in(names))
    fig.add_bar(
        **theme.regular(axis[0], timedelta(days=1)) if axis else {},
        y=theme.floats(_daily(others, axis)), name="all others",
        marker={"color": theme.GREY_FAINT}, offset=0,
        hovertemplate="%{y:,.0f}<extra>all others</extra>",
    )  # fmt: skip
    fig.update_layout(barmode="stack", bargap=0.1)
    theme.mark_time(fig, deployments, incidents, start=period.start, end=period.end)
    # Below, where it may take as many lines as a telephone needs; above stand the incidents.
    fig.update_layout(showlegend=True, legend={"y": -0.2, "yanchor": "top"}, height=310)
    numbers = (
        days.group_by("day").agg(pl.col("error_count", "request_count").sum()).sort("day")
        .with_columns(
            pl.col("day").cast(pl.Date),
            failed=pl.when(pl.col("request_count") > 0).then(
                pl.col("error_count") / pl.col("request_count")
            ),
        )
    )  # fmt: skip
    return Chart(
        title=_day_title(numbers, most, total),
        says="Failed requests of every service by day, with deployments (ticks) and incidents "
        "(bands) of the whole fleet.",
        figure=fig,
        numbers=numbers,
        made=Made(
            "failed: faults of the server (5xx, exceptions, dropped), never the caller's mistakes",
            {"Failed requests": total, "Rollouts": events.rollouts(deployments).height},
            ["requests/days", "delivery/deployments", "oncall/incidents"],
        ),
        columns=[
            Col("day", "Day", "time", format="day"),
            Col("request_count", "Requests", "number"),
            Col("error_count", "Failed", "number"),
            Col("failed", "Share", "percent"),
        ],
    )


def _daily(days: pl.DataFrame, axis: list[Any]) -> pl.Series:
    sums = dict(days.group_by("day").agg(pl.col("error_count").sum()).iter_rows())
    return pl.Series([sums.get(day) for day in axis], dtype=pl.Float64)


def _day_title(numbers: pl.DataFrame, most: pl.DataFrame, total: int) -> str:
    if not total:
        return "No request of the fleet failed"
    worst = numbers.sort("error_count", descending=True).row(0, named=True)
    share = worst["error_count"] / total
    top = most.row(0, named=True)
    if share > 3 / numbers.height:
        return f"{words.day(worst['day'])} alone had {words.share(share)} of the failed requests"
    return f"{top['service']} had {words.share(top['error_count'] / total)} of the failed requests"


def deployments_by_service(deployments: pl.DataFrame, incidents: pl.DataFrame) -> Table:
    """Return the rollouts of the period by service, those most often undone first."""
    shipped = events.rollouts(deployments)
    caused = incidents["caused_by"].drop_nulls().to_list()
    listed = (
        shipped.group_by("service")
        .agg(
            rollouts=pl.len(),
            undone=pl.col("outcome").is_in(["rolled_back", "failed"]).sum(),
            caused=pl.col("rollout_id").is_in(caused).sum(),
            last=pl.col("started_at").max(),
        )
        .with_columns(page=pl.lit("page:service_slo/") + pl.col("service"))
        .sort("undone", "caused", "rollouts", "service", descending=[True, True, True, False])
    )
    undone, total = int(listed["undone"].sum()), shipped.height
    if not total:
        title = "Nothing was deployed"
    elif undone:
        title = f"{undone:,} of {total:,} rollouts were undone or failed"
    else:
        title = f"All {total:,} rollouts went through"
    return Table(
        title=title,
        says="Rollouts of each service; regions and canary steps of one change are one.",
        columns=[
            Col("service", "Service", "link", page="page"),
            Col("rollouts", "Rollouts", "number"),
            Col("undone", "Undone or failed", "number"),
            Col("caused", "Caused an incident", "number", priority=2),
            Col("last", "Last started (UTC)", "time", priority=3),
        ],
        rows=listed,
        made=Made(
            "a rollout is undone when it was rolled back, and caused an incident when one names it",
            {"Rollouts": total, "Undone or failed": undone},
            ["delivery/deployments", "oncall/incidents"],
        ),
        empty="No deployment started in this period.",
        most=12,
    )
