"""What an objective's bad requests have in common: one dimension at a time."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.reliability.explaining.breakdown import NOT_BROKEN_DOWN
from fleetslo.reliability.explaining.parts import NO_UPSTREAM, SLOW

_MOST_VALUES = 3
_STANDS_OUT = 0.2  # a value is named when its share of what was bad is so much over its fair one
_ALONE = 0.8  # one hour that had so much of its hour of the week is a day's trouble, no habit
_BUSY = 0.1  # an hour of the week that has a tenth of all bad requests is named
_NO_FINDING = (NO_UPSTREAM, SLOW)  # true, and nothing that a title need say
_WORDS = {"upstream": "dependency"}
_NAMED = {"error": "Error ", "upstream": "Calls to ", "region": "Region "}
# Whatever goes wrong goes wrong under some version: that is no finding. Causes tell of rollouts.
_UNTITLED = ("version",)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def broken_down(
    frames: Mapping[str, pl.DataFrame],
    judgement: Mapping[str, Any],
    *,
    width: Literal["full", "half"] = "full",
) -> Table:
    """Return the worst values of each dimension; those of one dimension add up to all of it.

    Args:
        frames: ``ServiceView.broken_down`` by dimension; the hours of the week have a chart of
            their own.
        judgement: the objective's row of ``Fleet.judgements``.
        width: of the table.
    """
    shown = {name: frame for name, frame in frames.items() if name != "hour of the week"}
    rows = [row for name, frame in shown.items() for row in _values(name, frame)]
    total = max((int(frame["bad_count"].sum()) for frame in shown.values()), default=0)
    return Table(
        title=_stands_out(shown, judgement, total),
        says=f"{judgement['label']}: one dimension at a time; each adds up to all "
        f"{words.count(total)} bad requests.",
        columns=[
            Col("value", "Value", "code"),
            Col("dimension", "Dimension", "badge"),
            Col("share", "Of all bad", "bar"),
            Col("spent", "Of the budget", "percent", format="share", priority=2),
            Col("bad_count", "Bad", "number", priority=3),
            Col("valid_count", "Valid", "number", priority=3),
            Col("known", "Known", priority=3),
        ],
        rows=rows if total else [],
        filters=["dimension"],
        made=Made(
            "counts by the hour, settled against the minutes of the objective; slow requests by "
            "dependency: one per call that was slower than the threshold",
            {"Bad requests": total},
            ["slo/minutes", "latency/hours", "errors/hours", "calls/hours"],
        ),
        empty="No bad request was counted.",
        width=width,
        most=12,
    )


def _values(dimension: str, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the worst values of one dimension, and the others as one."""
    rows = frame.filter(pl.col("bad_count") > 0).to_dicts()
    rest = [row for row in rows if row["value"] == NOT_BROKEN_DOWN]
    named = [row for row in rows if row["value"] != NOT_BROKEN_DOWN]
    few, many = named[:_MOST_VALUES], named[_MOST_VALUES:]
    if len(many) == 1:
        few, many = named, []
    if many:
        few.append(
            {
                "value": f"{len(many)} others",
                "bad_count": sum(row["bad_count"] for row in many),
                "valid_count": None,
                "share": sum(row["share"] for row in many),
                "spent": None if many[0]["spent"] is None else sum(row["spent"] for row in many),
                "is_estimate": any(row["is_estimate"] for row in many),
            }
        )
    return [
        {
            **row,
            "value": row["value"] or f"(no {_WORDS.get(dimension, dimension)} given)",
            "dimension": words.capital(_WORDS.get(dimension, dimension)),
            "known": "estimate" if row["is_estimate"] else "counted",
        }
        for row in [*few, *rest]
    ]


def _stands_out(
    frames: Mapping[str, pl.DataFrame], judgement: Mapping[str, Any], total: int
) -> str:
    if not judgement["objective"]:
        return "No objective names this service, so nothing can be broken down"
    if not judgement["valid_count"]:
        return "No requests were counted, so nothing can be broken down"
    if not total:
        return "Nothing was bad"
    best, found = 0.0, ""
    for dimension, frame in frames.items():
        named = frame.filter(pl.col("value") != NOT_BROKEN_DOWN)
        if named.height < 2 or named["value"][0] in _NO_FINDING or dimension in _UNTITLED:
            continue
        row = named.row(0, named=True)
        valid = named["valid_count"].sum() if named["valid_count"].null_count() == 0 else 0
        fair = row["valid_count"] / valid if valid else 1 / named.height
        lift = row["share"] - fair
        if lift >= _STANDS_OUT and lift > best:
            traffic = f", with {words.share(fair)} of the requests" if valid else ""
            part = ("about " if row["is_estimate"] else "") + words.share(row["share"])
            best = lift
            found = f"{_NAMED.get(dimension, '')}{row['value']} had {part} of what was bad{traffic}"
    if found:
        return found
    if all(set(frame["value"]) <= {NOT_BROKEN_DOWN} for frame in frames.values()):
        return "What the bad ones had in common is not recorded"
    *most, last = [_WORDS.get(dimension, dimension) for dimension in frames]
    return f"No {', '.join(most)} or {last} stands out" if most else f"No {last} stands out"


def by_hour_of_week(
    frame: pl.DataFrame,
    judgement: Mapping[str, Any],
    hours: pl.DataFrame,
    *,
    width: Literal["full", "half"] = "full",
) -> Chart:
    """Return what was bad in each hour of the week (UTC), as a heat map of days and hours.

    Args:
        frame: ``ServiceView.broken_down`` by "hour of the week"; an hour that never reported is
            left blank.
        judgement: the objective's row of ``Fleet.judgements``.
        hours: ``ServiceView.spent_by_hour``, which tells one bad hour from a bad hour every week.
        width: of the chart.
    """
    counts = np.full((7, 24), np.nan)
    valid = np.full((7, 24), np.nan)
    for row in frame.iter_rows(named=True):
        day, hour = _DAYS.index(row["value"][:3]), int(row["value"][4:6])
        counts[day, hour], valid[day, hour] = row["bad_count"], row["valid_count"]
    fig = theme.figure(
        go.Heatmap(
            z=theme.floats(counts),
            x=[f"{hour:02}:00" for hour in range(24)],
            y=list(_DAYS),
            customdata=theme.floats(valid),
            xgap=1,
            ygap=1,
            zmin=0,
            hovertemplate="%{y} %{x}<br><b>%{z:,} bad</b> of %{customdata:,}<extra></extra>",
        ),
        height=250,
    )
    fig.update_yaxes(autorange="reversed", type="category", showgrid=False)
    fig.update_xaxes(type="category", nticks=9)
    fig.update_layout(hovermode="closest")
    return Chart(
        title=_hour_title(frame, judgement, hours),
        says=f"{judgement['label']}: bad requests by hour of the week, in UTC; they add up to all.",
        figure=fig,
        numbers=frame.select("value", "bad_count", "valid_count", "share", "spent").rename(
            {"value": "hour of the week"}
        ),
        made=Made(
            "bad requests of the same hour of each week, added up",
            {"Bad requests": int(frame["bad_count"].sum())},
            ["slo/minutes"],
        ),
        width=width,
    )


def _hour_title(frame: pl.DataFrame, judgement: Mapping[str, Any], hours: pl.DataFrame) -> str:
    if not judgement["objective"]:
        return "No objective names this service, so no hour of the week stands out"
    if frame.is_empty():
        return "No requests were counted, so no hour of the week stands out"
    if not frame["bad_count"].sum():
        return "Nothing was bad at any hour of the week"
    worst = frame.sort("bad_count", descending=True, maintain_order=True).row(0, named=True)
    if worst["share"] < _BUSY:
        return "No hour of the week stands out"
    share = words.share(worst["share"])
    day, hour = _DAYS.index(worst["value"][:3]) + 1, int(worst["value"][4:6])
    alike = hours.filter(
        pl.col("bad_count") > 0,
        pl.col("hour").dt.weekday() == day,
        pl.col("hour").dt.hour() == hour,
    ).sort("bad_count", descending=True)
    bad = alike["bad_count"].to_list()
    if bad and bad[0] >= _ALONE * sum(bad):
        when = words.moment(alike["hour"][0])
        return f"One hour from {when} had {share} of what was bad, not the same hour every week"
    return f"{worst['value']} UTC had {share} of what was bad"
