"""What each service of a squad weighs, and what it took from the squad's combined result."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.charts.timeline import plotly_text
from fleetslo.reliability.combined import Combined, combine

_MOST = 10
"""Services with bars of their own; the rest are drawn as one, and all are in the numbers."""
_ROW_PX = 40
_AROUND_PX = 70
_UNLIKE = 1.5
"""A service that took this many times its part of the traffic is a finding."""

_WORDS = {
    "availability": ("failed", "errors", "failed requests", "Failed"),
    "latency": ("were too slow", "slowness", "slow requests", "Too slow"),
}


def errors(contributions: pl.DataFrame, left_out: Sequence[str] = ()) -> Chart:
    """Return each service's part of the requests and of those that failed.

    Args:
        contributions: ``SquadView.contributions``.
        left_out: services that cannot be weighed; named under the title.
    """
    return _chart(contributions, "availability", left_out)


def slowness(contributions: pl.DataFrame, left_out: Sequence[str] = ()) -> Chart:
    """Return each service's part of the requests and of those that were too slow."""
    return _chart(contributions, "latency", left_out)


def _chart(contributions: pl.DataFrame, kind: str, left_out: Sequence[str]) -> Chart:
    mine = contributions.filter(pl.col("kind") == kind)
    whole = combine(contributions, kind)
    drawn = _few(mine)
    names = [plotly_text(name) for name in drawn["service"]]
    _, noun, many, column = _WORDS[kind]
    fig = theme.figure(
        go.Bar(
            y=names, x=theme.floats(drawn["weight"]), orientation="h", name="Of the requests",
            marker={"color": theme.GREY},
            hovertemplate="%{x:.1%}<extra>of the requests</extra>",
        ),
        go.Bar(
            y=names, x=theme.floats(drawn["share"]), orientation="h", name=f"Of the {many}",
            marker={"color": theme.BLUE},
            hovertemplate="%{x:.1%}<extra>of the " + many + "</extra>",
        ),
        height=_AROUND_PX + _ROW_PX * max(len(names), 1),
    )  # fmt: skip
    fig.update_layout(
        barmode="group", bargap=0.3, bargroupgap=0.05, showlegend=True, hovermode="y unified"
    )
    fig.update_xaxes(tickformat=".0%", rangemode="tozero", showgrid=True, nticks=5)
    fig.update_yaxes(autorange="reversed", type="category")
    return Chart(
        title=_title(mine, whole, kind),
        says=_says(whole, noun, left_out),
        figure=fig,
        numbers=mine.select(
            "service", "label", "valid_count", "weight", "sli", "bad_count", "share", "impact"
        ),
        made=Made(
            "weight = valid ÷ all valid; took = bad ÷ all valid, and all that was taken adds up to "
            "1 − combined SLI; share = bad ÷ all bad. Of several objectives of one kind a service "
            "is counted by the one with most requests",
            {
                "Requests": whole.valid_count,
                column: whole.bad_count,
                "Combined budget, in requests": whole.budget_count,
                "Combined target": whole.target,
            },
            ["slo/stretches"],
        ),
        width="half",
        columns=[
            Col("service", "Service"),
            Col("label", "Objective", priority=3),
            Col("valid_count", "Requests", "number", priority=2),
            Col("weight", "Weight", "percent", format="share"),
            Col("sli", "SLI", "percent", priority=2),
            Col("bad_count", column, "number"),
            Col("share", "Share of these", "percent", format="share"),
            Col("impact", "Took", "percent"),
        ],
    )


def _few(mine: pl.DataFrame) -> pl.DataFrame:
    """Return the services to draw, those that took most first; the rest as one."""
    kept = mine.select("service", "weight", "share")
    if kept.height <= _MOST:
        return kept
    rest = kept.tail(-(_MOST - 1)).select(
        service=pl.lit(f"{kept.height - _MOST + 1} others"),
        weight=pl.col("weight").sum(),
        share=pl.col("share").sum(),
    )
    return pl.concat([kept.head(_MOST - 1), rest.head(1)])


def _title(mine: pl.DataFrame, whole: Combined, kind: str) -> str:
    verb, noun, many, _ = _WORDS[kind]
    if mine.is_empty():
        return f"No objective counts {many}"
    if not whole.bad_count:
        return f"No request {verb}"
    top = mine.row(0, named=True)
    took, weight = words.share(top["share"]), words.share(top["weight"])
    if mine.height == 1:
        rate = words.percent(top["impact"])
        return f"{top['service']} is alone: {rate} of its requests {verb}"
    if top["share"] >= _UNLIKE * top["weight"]:
        return f"{top['service']} caused {took} of the {noun} with {weight} of the requests"
    return f"{top['service']} caused {took} of the {noun}, about its part of the requests"


def _says(whole: Combined, noun: str, left_out: Sequence[str]) -> str:
    if whole.sli is None or whole.target is None:
        return "There is nothing to weigh."
    sli = words.percent(whole.sli, against=whole.target)
    text = (
        f"Combined SLI for {noun}: {sli}, where the targets ask for "
        f"{words.percent(whole.target, against=whole.sli)}; "
    )
    if whole.budget_left is None:
        text += "the combined budget is less than one request."
    elif whole.budget_left < 0:
        text += f"the combined budget is overspent by {words.share(-whole.budget_left)}."
    else:
        text += f"{words.share(whole.budget_left)} of the combined budget is left."
    if left_out:
        text += f" Not weighed, as no objective counts requests: {words.listed(list(left_out))}."
    return text


def traffic_table(services: pl.DataFrame, contributions: pl.DataFrame) -> Table:
    """Return each service of the squad with its part of the traffic and what it took.

    Args:
        services: the squad's rows of ``Fleet.services``.
        contributions: ``SquadView.contributions``.
    """
    total = int(services["request_count"].sum() or 0)
    took = {
        (row["service"], row["kind"]): row["impact"] for row in contributions.iter_rows(named=True)
    }
    rows = [
        {
            "service": row["service"],
            "page": f"page:service_slo/{row['service']}",
            "tier": row["tier"],
            "request_count": row["request_count"],
            "traffic": row["request_count"] / total if total and row["request_count"] else None,
            "errors": took.get((row["service"], "availability")),
            "slowness": took.get((row["service"], "latency")),
        }
        for row in services.sort("request_count", descending=True, nulls_last=True).iter_rows(
            named=True
        )
    ]
    silent = [row["service"] for row in rows if row["traffic"] is None]
    bare = sorted(set(services["service"]) - set(contributions["service"]))
    return Table(
        title=_traffic_title(rows, silent),
        says="Every service of the squad: its part of the traffic, and what it took from the "
        "combined SLI, errors and slowness apart."
        + (f" Without an objective that is weighed: {words.listed(bare)}." if bare else ""),
        columns=[
            Col("service", "Service", "link", page="page"),
            Col("tier", "Tier", "number", priority=3),
            Col("request_count", "Requests", "number", priority=2),
            Col("traffic", "Of the traffic", "bar"),
            Col("errors", "Errors took", "percent"),
            Col("slowness", "Slowness took", "percent"),
        ],
        rows=rows,
        made=Made(
            "of the traffic = requests ÷ all requests of the squad; took = bad ÷ all valid "
            "requests of that kind of objective",
            {"Requests": total},
            ["fleet/seen", "slo/stretches"],
        ),
        most=12,
    )


def _traffic_title(rows: Sequence[Mapping[str, Any]], silent: Sequence[str]) -> str:
    if silent:
        return f"{words.listed(list(silent))} sent no telemetry"
    if len(rows) == 1:
        return f"{rows[0]['service']} is the squad's only service"
    return f"{rows[0]['service']} has {words.share(rows[0]['traffic'])} of the squad's traffic"
