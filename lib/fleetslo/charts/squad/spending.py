"""When a squad's budgets were spent, and by what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.charts.objectives import ordered
from fleetslo.charts.squad.page import spoken
from fleetslo.charts.timeline import plotly_text
from fleetslo.periods import Period

_MOST_ROWS = 16  # objectives drawn; the names of more would not be readable
_ROW_PX = 32  # two lines: the service and what of it
_AROUND_PX = 70
_FULL = 0.25
"""A day that took this share of a budget is as dark as it gets: at that pace 28 days last four."""
_NOTABLE = 0.1  # of a budget in one day: worth a title
_DAY = timedelta(days=1)
_KINDS = {
    "incident": "Incident",
    "deployment": "Deployment",
    "upstream": "Upstream",
    "overlap": "Several at once",
    "background": "Background",
    "unattributed": "Unattributed",
}


def spent_by_day(
    days: pl.DataFrame,
    judgements: pl.DataFrame,
    period: Period,
    deployments: pl.DataFrame,
    incidents: pl.DataFrame,
) -> Chart:
    """Return what each objective spent of its budget, day by day.

    Args:
        days: ``SquadView.days``.
        judgements: ``Fleet.judgements``; the rows have their order.
        period: what is drawn.
        deployments: ``delivery/deployments`` of the squad's services.
        incidents: ``oncall/incidents`` of the squad's services.
    """
    known = {(row[0], row[1]) for row in days.select("service", "objective").unique().iter_rows()}
    rows = [row for row in ordered(judgements) if (row["service"], row["objective"]) in known]
    shown, axis = rows[:_MOST_ROWS], _days_of(period)
    spent = {
        (service, objective, day): value
        for service, objective, day, value in days.select(
            "service", "objective", "day", "spent"
        ).iter_rows()
    }
    grid = np.array(
        [
            [_number(spent.get((row["service"], row["objective"], at.date()))) for at in axis]
            for row in shown
        ],
        dtype=np.float32,
    ).reshape(len(shown), len(axis))
    fig = theme.figure(
        go.Heatmap(
            z=grid,
            **theme.regular(axis[0] + _DAY / 2, _DAY),
            y=[
                f"{plotly_text(row['service'])}<br>{plotly_text(row['label'].lower())}"
                for row in shown
            ],
            zmin=0,
            zmax=_FULL,
            xgap=2,
            ygap=2,
            hovertemplate="%{x|%-d %b}, %{y}<br><b>%{z:.1%} of the budget</b><extra></extra>",
        ),
        height=_AROUND_PX + _ROW_PX * max(len(shown), 1),
    )
    fig.update_yaxes(autorange="reversed", type="category", showgrid=False, tickfont_size=11)
    fig.update_layout(hovermode="closest")
    theme.mark_time(fig, deployments, incidents, start=period.start, end=period.end)
    cut = f" The first {_MOST_ROWS} of {len(rows)} objectives." if len(rows) > len(shown) else ""
    return Chart(
        title=_day_title(days),
        says=f"Share of each objective's budget that went on each day; strongest from "
        f"{words.share(_FULL)} on, the faintest is nothing, a gap no telemetry. Deployments are "
        f"ticks, incidents bands. Objectives that cannot be judged are left out.{cut}",
        figure=fig,
        numbers=days.filter(pl.col("bad_count") > 0)
        .sort("spent", descending=True)
        .select("day", "service", "label", "bad_count", "spent"),
        made=Made(
            "spent on a day = bad of that day ÷ the budget of the objective's whole window; "
            "excluded minutes are left out",
            {"Objectives": len(rows), "Days": len(axis)},
            ["slo/minutes", "delivery/deployments", "oncall/incidents"],
        ),
        columns=[
            Col("day", "Day", "time", format="day"),
            Col("service", "Service"),
            Col("label", "Objective"),
            Col("bad_count", "Bad", "number"),
            Col("spent", "Of the budget", "percent", format="share"),
        ],
    )


def _days_of(period: Period) -> list[datetime]:
    first = period.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return [first + _DAY * i for i in range(-((first - period.end) // _DAY))]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _day_title(days: pl.DataFrame) -> str:
    spending = days.filter(pl.col("spent") > 0).sort("spent", descending=True)
    if days.is_empty():
        return "No objective of the squad can be judged"
    if spending.is_empty():
        return "No day spent anything of a budget"
    top = spending.row(0, named=True)
    name = f"{top['service']}'s {top['label'].lower()} budget"
    if top["spent"] < _NOTABLE:
        most = words.share(top["spent"])
        return f"No day stands out: none took more than {most} of a budget"
    return f"{words.day(top['day'])} alone took {words.share(top['spent'])} of {name}"


def top_causes(causes: pl.DataFrame) -> Table:
    """Return what spent the squad's budgets, the cause that took most of one first.

    ``causes`` is ``SquadView.causes``.
    """
    shown = causes.filter((pl.col("bad_count") > 0) | (pl.col("kind") != "unattributed"))
    rows = [
        {
            **row,
            "page": f"page:service_slo/{row['service']}",
            "what": _what(row),
            "whose": f"{row['service']} {row['label'].lower()}",
        }
        for row in shown.filter(pl.col("bad_count") > 0).iter_rows(named=True)
    ]
    return Table(
        title=_cause_title(causes),
        says="Each objective's bad ones by cause; the causes of one objective exclude each other "
        "and add up to all of them.",
        columns=[
            Col("what", "Cause", head=True),
            Col("kind", "Kind", "badge", priority=3, words=_KINDS),
            Col("whose", "Objective", "link", page="page"),
            Col("spent", "Of the budget", "bar", scale="column"),
            Col("share", "Share of bad", "percent", format="share", priority=3),
            Col("bad_count", "Bad", "number", priority=3),
        ],
        rows=rows,
        made=Made(
            "a cause owns what was bad in its minutes beyond the usual background; where two "
            "overlap they are named together; what nothing explains is unattributed",
            {
                "Bad, over all objectives": float(causes["bad_count"].sum()),
                "Unattributed": float(
                    causes.filter(pl.col("kind") == "unattributed")["bad_count"].sum()
                ),
            },
            ["slo/minutes", "oncall/incidents", "delivery/deployments", "errors/hours"],
        ),
        empty="Nothing bad was counted.",
        most=10,
    )


def _what(row: Mapping[str, Any]) -> str:
    named = row["kind"] not in ("background", "unattributed")
    return f"{row['cause']}: {row['title']}" if named and row["title"] else str(row["cause"])


def _cause_title(causes: pl.DataFrame) -> str:
    named = causes.filter(
        ~pl.col("kind").is_in(["background", "unattributed"]) & (pl.col("bad_count") > 0)
    )
    if not causes["bad_count"].sum():
        return "Nothing was spent"
    if named.is_empty():
        return "No single cause stands out: the usual background spent the budgets"
    top = named.row(0, named=True)
    text = spoken(top).replace("`", "")
    share, label = words.share(top["spent"]), top["label"].lower()
    return f"{words.capital(text)} spent {share} of {top['service']}'s {label} budget"
