"""Errors over time, stacked by what they are told apart by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made
from fleetslo.charts.latency_grid import bin_width
from fleetslo.periods import Period
from fleetslo.reliability.bursts import burst
from fleetslo.reliability.clumping import Stretch

Measure = Literal["count", "share"]
QUERIES = ("errors/hours", "requests/hours")
OTHERS = "everything else"
NO_UPSTREAM = "no upstream"
MOST_APART = 4  # values with a colour of their own
_COLOURS = (theme.BLUE, theme.SLATE, theme.BLUE_SOFT, str(theme.HEAT[-1][1]))
_BURST_SHARE = 0.2  # of the errors, in ...
_BURST_TIME = 0.1  # ... at most this share of the time, is a finding
_LABEL_SHARE = 0.04  # of the width that a gap needs to be labelled


def called(value: str | None, dimension: str) -> str:
    """Return a value of a dimension as a reader knows it: an exception without its package."""
    if not value:
        return NO_UPSTREAM if dimension == "upstream" else "(none)"
    if dimension != "error":
        return value
    last = value.rpartition(".")[2]
    return last if last[:1].isupper() else value


@dataclass(frozen=True)
class Stacked:
    """What is drawn: a row per bin of time, whether anything was recorded in it or not.

    Attributes:
        step: the width of a bin.
        values: the values apart, the first at the bottom.
        bins: ``bin``, a count per value (``v0``, …), ``others`` and ``request_count``; all are
            null where nothing was recorded.
    """

    step: timedelta
    values: list[str | None]
    bins: pl.DataFrame

    @property
    def columns(self) -> list[str]:
        """The columns of counts, the lowest in the stack first."""
        own = [f"v{i}" for i in range(len(self.values))]
        return [*own, "others"] if self.bins["others"].sum() else own


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
    data = _stacked(both, by, shown, first)
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


def _stacked(both: Stretch, by: str, shown: Period, first: Sequence[str | None]) -> Stacked:
    step = bin_width(shown)
    counted = both.errors.group_by(by).agg(pl.col("error_count").sum())
    order = counted.sort("error_count", by, descending=[True, False])[by].to_list()
    apart = [value for value in first if value in order]
    apart = (apart + [value for value in order if value not in apart])[:MOST_APART]
    values = [value for value in order if value in apart]
    start = pl.lit(shown.start, dtype=pl.Datetime("us", "UTC"))
    width = int(step / timedelta(microseconds=1))
    offset = (pl.col("hour") - start).dt.total_microseconds() // width * width
    cut = (start + pl.duration(microseconds=offset)).alias("bin")
    bins = pl.DataFrame(
        {"bin": pl.datetime_range(shown.start, shown.end, step, closed="left", eager=True)}
    ).with_columns(pl.col("bin").cast(pl.Datetime("us", "UTC")))
    traffic = both.requests.group_by(cut).agg(pl.col("request_count").sum())
    sums = [
        pl.col("error_count").filter(pl.col(by).eq_missing(pl.lit(value))).sum().alias(f"v{i}")
        for i, value in enumerate(values)
    ]
    own = [f"v{i}" for i in range(len(values))]
    errors = (
        both.errors.with_columns(cut)
        .group_by("bin")
        .agg(*sums, all_count=pl.col("error_count").sum())
        .with_columns(others=pl.col("all_count") - pl.sum_horizontal(*own, pl.lit(0)))
        .drop("all_count")
    )
    filled = (
        pl.when(pl.col("request_count").is_not_null()).then(pl.col(column).fill_null(0))
        for column in (*own, "others")
    )
    joined = bins.join(traffic, on="bin", how="left").join(errors, on="bin", how="left")
    return Stacked(step, values, joined.sort("bin").with_columns(*filled))


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


def _gaps(data: Stacked) -> list[tuple[datetime, datetime]]:
    """Return the stretches in which nothing was recorded, not even that there was no traffic."""
    missing = data.bins.filter(pl.col("request_count").is_null())["bin"].to_list()
    found: list[tuple[datetime, datetime]] = []
    for at in missing:
        if found and found[-1][1] == at:
            found[-1] = (found[-1][0], at + data.step)
        else:
            found.append((at, at + data.step))
    return found


def _mark_gaps(figure: go.Figure, data: Stacked, shown: Period) -> None:
    """Hatch what is missing: without bars it would look as if nothing had failed."""
    for start, end in _gaps(data):
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
        if found.error_count >= _BURST_SHARE * count and lasted <= _BURST_TIME * hours * timedelta(
            hours=1
        ):
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
