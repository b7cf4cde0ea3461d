"""Errors over time, stacked by what they are told apart by."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made
from fleetslo.charts.errors.stack import Stacked, stacked
from fleetslo.periods import Period
from fleetslo.reliability.failing.bursts import burst
from fleetslo.reliability.failing.clumping import Stretch

Measure = Literal["count", "share"]
QUERIES = ("errors/hours", "requests/hours")
OTHERS = "everything else"
NO_UPSTREAM = "no upstream"
_COLOURS = (theme.BLUE, theme.SLATE, theme.BLUE_SOFT, str(theme.HEAT[-1][1]))
_BURST_SHARE = 0.2  # of the errors, in ...
_BURST_TIME = 0.1  # ... at most this share of the time, is a finding
_BURST_LEAST = 20  # errors; with fewer every accident is a burst
_LABEL_SHARE = 0.04  # of the width that a gap needs to be labelled


def called(value: str | None, dimension: str) -> str:
    """Return a value of a dimension as a reader knows it: an exception without its package."""
    if not value:
        return NO_UPSTREAM if dimension == "upstream" else "(none)"
    if dimension != "error":
        return value
    last = value.rpartition(".")[2]
    return last if last[:1].isupper() else value


def errors_over_time(
    before: Stretch,
    after: Stretch,
    both: Stretch,
    by: str,
    *,
    shown: Period,
    noun: str = "errors",
    measure: Measure = "count",
    first: Sequence[str | None] = (),
    deployments: pl.DataFrame | None = None,
    incidents: pl.DataFrame | None = None,
    height: int = 340,
) -> Chart:
    """Return errors per bin of time as stacked bars, the values that matter apart.

    Args:
        before: what is compared with, for the finding.
        after: what is in question, for the finding.
        both: all that is drawn.
        by: what is stacked: ``error, endpoint, upstream, version`` or ``region``.
        shown: what the axis spans.
        noun: what the errors are called, in the plural.
        measure: ``count``, or ``share`` of the requests.
        first: values that are told apart however few they are.
        deployments: as ``delivery/deployments``, drawn as ticks.
        incidents: as ``oncall/incidents``, drawn as bands.
        height: of the drawing in pixels.
    """
    data = stacked(both, by, shown, first)
    names = [called(value, by) for value in data.values] + [OTHERS]
    figure = _figure(data, names, measure, shown, height)
    theme.mark_time(figure, deployments, incidents, start=shown.start, end=shown.end)
    _mark_gaps(figure, data, shown)
    per = words.window(data.step)
    unit = f"per {per}" if measure == "count" else f"as a share of the requests of each {per}"
    return Chart(
        title=_finding(before, after, by, noun),
        says=f"{words.capital(noun)} {unit}, by {by}.",
        figure=figure,
        numbers=data.bins.select("bin", *data.columns, "request_count"),
        made=Made(
            "errors of each bin of time; faults are 5xx, exceptions and dropped requests, the "
            "others are mistakes of callers",
            {
                "errors in question": int(after.errors["error_count"].sum()),
                "requests in question": int(after.requests["request_count"].sum()),
                "errors before": int(before.errors["error_count"].sum()),
                "requests before": int(before.requests["request_count"].sum()),
            },
            QUERIES,
        ),
        height=height,
        columns=[
            Col("bin", "From (UTC)", "time"),
            *(
                Col(column, name, "number")
                for column, name in zip(data.columns, names, strict=False)
            ),
            Col("request_count", "Requests", "number", priority=2),
        ],
    )


def _figure(
    data: Stacked, names: Sequence[str], measure: Measure, shown: Period, height: int
) -> go.Figure:
    share = measure == "share"
    figure = theme.figure(
        height=height,
        y_title="share of requests" if share else None,
        y_format=".2~%" if share else None,
    )
    step_ms = data.step.total_seconds() * 1000
    for column, name, colour in zip(
        data.columns,
        names if len(data.columns) > len(data.values) else names[:-1],
        (*_COLOURS[: len(data.values)], theme.GREY),
        strict=False,
    ):
        counts = data.bins[column]
        drawn = counts / data.bins["request_count"].replace(0, None) if share else counts
        figure.add_bar(
            **theme.regular(shown.start, data.step),
            y=theme.floats(drawn),
            name=name,
            offset=0,
            width=step_ms,
            marker={"color": colour},
            hovertemplate="%{y:.3~%}" if share else "%{y:,.0f}",
        )
    figure.update_layout(barmode="stack", bargap=0, showlegend=True, legend_traceorder="normal")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _mark_gaps(figure: go.Figure, data: Stacked, shown: Period) -> None:
    """Hatch what is missing: without bars it would look as if nothing had failed."""
    for start, end in data.gaps:
        ends: dict[str, Any] = {
            f"x{i}": at.strftime("%Y-%m-%d %H:%M")
            for i, at in enumerate((start, min(end, shown.end)))
        }
        figure.add_shape(
            type="rect",
            xref="x",
            yref="y domain",
            y0=0,
            y1=1,
            line={"width": 1, "color": theme.GRID, "dash": "dot"},
            name="no data",
            layer="below",
            **ends,
        )
        if (end - start) / shown.length >= _LABEL_SHARE:
            figure.add_annotation(
                x=(start + (end - start) / 2).strftime("%Y-%m-%d %H:%M"),
                y=0.5,
                yref="y domain",
                text="no data",
                showarrow=False,
                font={"size": 11, "color": theme.MUTED},
            )


def _rate(stretch: Stretch) -> float | None:
    requests = int(stretch.requests["request_count"].sum())
    return int(stretch.errors["error_count"].sum()) / requests if requests else None


def _finding(before: Stretch, after: Stretch, by: str, noun: str) -> str:
    count = int(after.errors["error_count"].sum())
    old, new = _rate(before), _rate(after)
    if new is None:
        return "No request was recorded that could have failed"
    if not count:
        ending = f", {words.count(int(before.errors['error_count'].sum()))} before" if old else ""
        return f"No {noun} in this stretch{ending}"
    found = burst(after.errors, after.requests, 2 * new)
    hours = after.requests["hour"].n_unique()
    if found is not None:
        lasted = found.end - found.start
        if found.error_count >= max(
            _BURST_LEAST, _BURST_SHARE * count
        ) and lasted <= _BURST_TIME * hours * timedelta(hours=1):
            inside = after.errors.filter(pl.col("hour") >= found.start, pl.col("hour") < found.end)
            ranked = inside.group_by(by).agg(pl.col("error_count").sum())
            value, most = ranked.sort("error_count", by, descending=[True, False]).row(0)
            mostly = (
                f", mostly {called(value, by)}" if most > found.error_count / 2 and value else ""
            )
            return (
                f"{words.share(found.error_count / count)} of the {noun} came in "
                f"{words.duration(lasted.total_seconds())} from "
                f"{words.moment(found.start)}{mostly}"
            )
    if old is None:
        return f"{words.percent(new)} of requests were {noun}"
    return f"{words.percent(new)} of requests were {noun}, {words.percent(old)} before"
