"""How an objective's budget was spent: what is left over time, how fast it burned, in what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Made
from fleetslo.charts.objectives import made_of
from fleetslo.periods import Period
from fleetslo.reliability.history import (
    burn_by_hour,
    spent_over_time,
    worst_stretch,
)

_AFTERNOON = timedelta(hours=6)
_NOTABLE = 0.2  # a stretch of hours is named when it took this share of all that was bad
_PAGE_BURN = 14.4  # SRE Workbook, table 5-8, for 30 days; scaled below


def budget_left(
    hours: pl.DataFrame,
    judgement: Mapping[str, Any],
    period: Period,
    deployments: pl.DataFrame,
    incidents: pl.DataFrame,
) -> Chart:
    """Return what was left of an objective's budget, hour by hour over its window.

    Args:
        hours: ``history.spent_by_hour`` of the objective over its window.
        judgement: a row of ``Fleet.judgements``.
        period: what is drawn where there are no hours.
        deployments: ``delivery/deployments`` of the service.
        incidents: ``oncall/incidents`` of the service.
    """
    window = timedelta(days=judgement["window_days"])
    start, end = period.start, period.end
    if not hours.is_empty():
        start, end = hours["hour"][0], hours["hour"][-1] + timedelta(hours=1)
    left = spent_over_time(hours, judgement["budget_count"] or 0.0)
    drawn = theme.floats(left["budget_left"])
    fig = theme.figure(
        go.Scatter(
            x=[_stamp(start), _stamp(end)], y=[1, 0], mode="lines", name="Even spending",
            line={"color": theme.GREY, "width": 1, "dash": "3px,3px"}, hoverinfo="skip",
        ),
        go.Scatter(
            **theme.regular(start + timedelta(hours=1), timedelta(hours=1)), y=drawn,
            **theme.lone_points(left["budget_left"].to_list()),
            name="Budget left", line={"color": theme.BLUE},
            hovertemplate="%{y:.1%}<extra>Budget left</extra>",
        ),
        height=300,
        y_format=".0%",
    )  # fmt: skip
    lowest = left["budget_left"].min()
    fig.update_yaxes(range=[min(0.0, float(lowest or 0)) * 1.05 - 0.02, 1.04])  # type: ignore[arg-type]
    if lowest is not None and float(lowest) < 0:  # type: ignore[arg-type]
        theme.level(fig, 0.0, "all spent")
    theme.mark_time(fig, deployments, incidents, start=start, end=end)
    days = (
        left.group_by(pl.col("hour").dt.date().alias("day"), maintain_order=True)
        .agg(pl.col("valid_count", "bad_count").sum(), pl.col("budget_left").last())
        .select("day", "valid_count", "bad_count", "budget_left")
    )
    return Chart(
        title=_left_title(left, judgement),
        says=f"{judgement['label']}: budget left over the {words.window(window)} that are judged, "
        "with deployments (ticks) and incidents (bands). Dashed: even spending.",
        figure=fig,
        numbers=days,
        made=made_of(judgement, ["slo/days", "slo/minutes"]),
    )


def _left_title(left: pl.DataFrame, judgement: Mapping[str, Any]) -> str:
    label = judgement["label"]
    remaining = judgement["budget_left"]
    if not judgement["objective"]:
        return "No objective names this service, so there is no budget to spend"
    if judgement["valid_count"] == 0:
        return f"{label}: no requests were counted, so nothing is known of its budget"
    if judgement["verdict"] == "unjudged":
        return f"{label} cannot be judged yet: {judgement['reason']}"
    if remaining is None:
        return f"{label}: there is no budget to speak of"
    gone = left.filter(pl.col("budget_left") <= 0)
    stretch = worst_stretch(left, _AFTERNOON)
    spent = words.share(judgement["budget_spent"])
    if stretch and stretch[1] >= _NOTABLE and (judgement["budget_spent"] or 0) >= 0.1:
        took = words.share(stretch[1] * (judgement["budget_spent"] or 0))
        when = words.moment(stretch[0])
        if not gone.is_empty():
            return (
                f"{label} ran out of budget on {words.day(gone['hour'][0])}; "
                f"six hours from {when} took {took} of it"
            )
        return f"Six hours from {when} took {took} of the {label.lower()} budget"
    if not gone.is_empty():
        return f"{label} ran out of budget on {words.day(gone['hour'][0])}, little by little"
    if not judgement["bad_count"] or stretch is None:
        return f"{label} spent none of its budget"
    most = words.share(stretch[1] * (judgement["budget_spent"] or 0))
    return f"{label} spent {spent} of its budget, at most {most} in any six hours"


def burn(
    hours: pl.DataFrame,
    judgement: Mapping[str, Any],
    period: Period,
    deployments: pl.DataFrame,
    incidents: pl.DataFrame,
) -> Chart:
    """Return how fast an objective's budget burned, hour by hour over the period.

    Arguments as for ``budget_left``. 1 × spends exactly the budget over the window.
    """
    hours = hours.filter(pl.col("hour").is_between(period.start, period.end, closed="left"))
    first = hours["hour"][0] if hours.height else period.start
    burned = burn_by_hour(hours, judgement["target"])
    fig = theme.figure(
        go.Bar(
            **theme.regular(first, timedelta(hours=1)), y=theme.floats(burned["burn"]),
            name="Burn rate", marker={"color": theme.BLUE}, offset=0,
            hovertemplate="%{y:.2~f} ×<extra>Burn rate</extra>",
        ),
        height=220,
    )  # fmt: skip
    factor = _PAGE_BURN * judgement["window_days"] / 30
    peak = float(burned["burn"].max() or 0)  # type: ignore[arg-type]
    theme.level(fig, 1.0, "1 ×: lasts exactly the window")
    if peak > factor / 3:
        theme.level(fig, factor, f"{factor:.4g} ×: page")
    fig.update_yaxes(range=[0, max(peak * 1.08, 1.6)], ticksuffix=" ×")
    fig.update_layout(bargap=0)
    theme.mark_time(fig, deployments, incidents, start=period.start, end=period.end)
    over = int((burned["burn"].fill_null(0) > 1).sum())
    known = hours["valid_count"].drop_nulls()
    if not judgement["objective"]:
        title = "No objective names this service, so nothing can burn"
    elif not known.sum():
        title = "No requests were counted, so nothing is known of the burn rate"
    elif peak > 1:
        at = burned.sort("burn", descending=True, nulls_last=True)["hour"][0]
        noun = words.plural(over, "hour")
        title = (
            f"{judgement['label']} burned at up to {words.burn(peak)} on {words.moment(at)}; "
            f"{noun} of {known.len():,} were over 1 ×"
        )
    else:
        title = f"{judgement['label']} never burned faster than its budget allows"
    worst = (
        burned.filter(pl.col("burn").is_not_null())
        .sort("burn", descending=True)
        .select("hour", "valid_count", "bad_count", "burn")
        .head(48)
    )
    return Chart(
        title=title,
        says="Burn rate of each hour: the bad share over the share the target allows. "
        "The numbers are the 48 worst hours.",
        figure=fig,
        numbers=worst,
        made=Made(
            "burn rate = (bad ÷ valid) ÷ (1 − target)",
            {"Target": judgement["target"], "Hours over 1 ×": over},
            ["slo/minutes"],
        ),
    )


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")
