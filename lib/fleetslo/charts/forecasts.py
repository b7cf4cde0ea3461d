"""What becomes of a budget at the present burn, and which burn it can afford."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made
from fleetslo.reliability.forecast import Forecast

_LIKELY = 0.05
"""A budget that is gone in fewer futures than this is said to last."""


def ahead(found: Forecast, judgement: Mapping[str, Any], until: datetime) -> Chart:
    """Return how much of a budget will be left at the burn of the last day.

    Args:
        found: ``ServiceView.forecast`` of the objective.
        judgement: its row of ``Fleet.judgements``.
        until: as far as was counted.
    """
    path = found.path
    at = path["at"].dt.strftime("%Y-%m-%d %H:%M").to_list()
    fig = theme.figure(height=240, y_format=".0%")
    if path["low"].drop_nulls().len():
        edge = {"width": 0, "color": theme.BLUE_SOFT}
        fig.add_traces(
            [
                go.Scatter(
                    x=at, y=theme.floats(path["high"]), mode="lines", line=edge,
                    name="at best", hovertemplate="%{y:.1%}<extra>95 in 100 are below</extra>",
                ),
                go.Scatter(
                    x=at, y=theme.floats(path["low"]), mode="lines", line=edge, fill="tonexty",
                    fillcolor=theme.BLUE_FAINT, name="at worst",
                    hovertemplate="%{y:.1%}<extra>95 in 100 are above</extra>",
                ),
            ]
        )  # fmt: skip
    fig.add_scatter(
        x=at, y=theme.floats(path["budget_left"]), mode="lines", name="Budget left",
        line={"color": theme.BLUE, "dash": "5px,3px"},
        hovertemplate="%{y:.1%}<extra>At the present burn</extra>",
    )  # fmt: skip
    theme.time_axis(fig, until, found.horizon)
    lines = path.select("budget_left", "low").to_numpy()
    lowest = min((float(value) for value in lines.flatten() if value == value), default=0.0)
    if lowest < 0:
        theme.level(fig, 0.0, "all spent")
    fig.update_yaxes(range=[max(min(0.0, lowest), -2.0) * 1.05 - 0.02, 1.04])
    return Chart(
        title=_title(found, judgement, until),
        says=f"{judgement['label']}: budget left ahead, if the last 24 hours' burn goes on. "
        "The band holds 90 of 100 futures drawn from those hours.",
        figure=fig,
        numbers=path.gather_every(max(path.height // 28, 1)),
        made=_made(found, judgement),
        width="half",
        columns=[
            Col("at", "At (UTC)", "time"),
            Col("budget_left", "Budget left", "percent", format="share"),
            Col("low", "At worst", "percent", format="share"),
            Col("high", "At best", "percent", format="share"),
        ],
    )


def _title(found: Forecast, judgement: Mapping[str, Any], until: datetime) -> str:
    label = judgement["label"]
    if not judgement["objective"]:
        return "No objective names this service, so there is nothing to forecast"
    if found.burn is None:
        return f"{label}: without requests in the last day there is nothing to forecast"
    if found.gone_at is not None and found.gone_at <= until:
        if found.recovers_at is not None:
            when = words.day(found.recovers_at)
            return f"{label} is overspent; at the present burn it is back in budget on {when}"
        return f"{label} is overspent, and stays so at the present burn"
    if found.gone_at is not None:
        return f"At the present burn the {label.lower()} budget is gone by {_between(found)}"
    can = f"it can afford {words.burn(found.affordable_burn)}"
    if found.gone_chance and found.gone_chance >= _LIKELY:
        chance = words.share(found.gone_chance)
        return f"The {label.lower()} budget should last; in {chance} of the futures it does not"
    return f"The {label.lower()} budget lasts at {words.burn(found.burn)}; {can}"


def _between(found: Forecast) -> str:
    """Return when a budget is gone: a day, or the days between which it will be."""
    day = words.day(found.gone_at)
    if found.gone_low is None or found.gone_high is None:
        return day
    first, last = words.day(found.gone_low), words.day(found.gone_high)
    return day if first == last else f"{day} (between {first} and {last})"


def _made(found: Forecast, judgement: Mapping[str, Any]) -> Made:
    return Made(
        "ahead, traffic is that of the same hours of the week and its bad share that of the last "
        "24 hours; old hours leave a rolling window as it moves. The burn it can afford is the "
        "largest constant one that keeps within the budget to the end of the chart. The band is a "
        "bootstrap of the recent hours",
        {
            "Burn of the last 24 hours": found.burn,
            "At least": found.burn_low,
            "At most": found.burn_high,
            "Burn it can afford": found.affordable_burn,
            "Share of futures in which it is gone": found.gone_chance,
            "Budget": judgement["budget_count"],
        },
        ["slo/minutes"],
    )
