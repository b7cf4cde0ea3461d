"""Latency over time: the heat map of all durations, and quantiles as lines."""

from datetime import timedelta
from typing import Literal

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Made
from fleetslo.charts.latency.findings import latency_finding
from fleetslo.charts.latency.grid import MOST_BINS, Binned, Grid, bin_width, binned, grid, levels
from fleetslo.errors import NoData
from fleetslo.periods import Period
from fleetslo.reliability.latency import quantile_frame

QUERY = "latency/hours"
FORMULA = (
    "Each duration lies in a bucket 4.43 % wide (exponential histogram, scale 4). Counts of "
    "buckets are added over endpoints, regions, versions and hours, and a quantile is read off "
    "the sum: percentiles are never averaged. Requests that were faults have no duration here."
)
_SERIES = ((0.5, "p50", theme.BLUE_SOFT), (0.95, "p95", theme.GREY), (0.99, "p99", theme.BLUE))
_MOST_ROWS = 48  # of the table under a chart; longer periods are told by day


def heat_map(
    hours: pl.DataFrame,
    *,
    period: Period,
    threshold_s: float | None = None,
    target: float | None = None,
    deployments: pl.DataFrame | None = None,
    incidents: pl.DataFrame | None = None,
    height: int = 320,
    width: Literal["full", "half"] = "full",
) -> Chart:
    """Return every request of a period by time and duration; stronger is more.

    Each column is coloured by its own busiest row, so that a quiet night can be read beside a
    busy noon. A stretch without telemetry stays empty, and so does the whole drawing where no
    request has a duration, since every one was a fault.

    Args:
        hours: as ``latency/hours`` returns it, of what should be seen together.
        period: the time axis.
        threshold_s: a latency objective's threshold, drawn as a dashed line.
        target: the objective's target, said beside the line.
        deployments: as ``delivery/deployments``, ticks under the axis.
        incidents: as ``oncall/incidents``, bands over the plot.
        height: of the drawing in pixels.
        width: ``full`` or ``half`` of a page.
    """
    try:
        data = binned(hours, period)
    except NoData:
        return _without_durations(hours, width)
    cells, seen = grid(data), levels(data)
    fig = theme.figure(*_cell_traces(cells), height=height)
    fig.update_layout(hovermode="closest")
    duration_axis(fig, float(cells.edges_s[0]), float(cells.edges_s[-1]))
    theme.mark_time(fig, deployments, incidents, start=period.start, end=period.end)
    if threshold_s is not None:
        threshold(fig, threshold_s, target)
    return Chart(
        title=_finding(data, seen),
        says=(
            f"Requests by duration and time, {_width_of(data.step)} a column; stronger is more of "
            f"that column’s requests.{_missing(seen, data.step)}"
        ),
        figure=fig,
        numbers=_numbers(data, seen),
        made=_made(seen, hours),
        width=width,
        height=height,
    )


def quantiles_over_time(
    hours: pl.DataFrame,
    *,
    period: Period,
    threshold_s: float | None = None,
    target: float | None = None,
    deployments: pl.DataFrame | None = None,
    incidents: pl.DataFrame | None = None,
    height: int = 280,
    width: Literal["full", "half"] = "full",
) -> Chart:
    """Return p50, p95 and p99 over a period as lines that break where telemetry is missing.

    The arguments are those of ``heat_map``.
    """
    try:
        data = binned(hours, period)
    except NoData:
        return _without_durations(hours, width)
    seen = levels(data)
    middle = data.step / 2
    fig = theme.figure(
        *(
            go.Scatter(
                y=theme.floats(seen[f"{name}_s"] * 1000),
                **theme.regular(period.start + middle, data.step),
                **theme.lone_points(seen[f"{name}_s"].to_list()),
                name=name,
                line={"color": colour, "width": 2 if name == "p99" else 1.5},
                hovertemplate="%{y:.3~s} ms",
            )
            for _, name, colour in reversed(_SERIES)
        ),
        height=height,
    )
    fig.update_layout(showlegend=True)
    lowest = float(seen["p50_s"].min())  # type: ignore[arg-type]
    highest = max(float(seen["p99_s"].max()), threshold_s or 0.0)  # type: ignore[arg-type]
    duration_axis(fig, lowest / 1.3, highest * 1.2)
    theme.mark_time(fig, deployments, incidents, start=period.start, end=period.end)
    if threshold_s is not None:
        threshold(fig, threshold_s, target)
    return Chart(
        title=_typical(data),
        says=(
            f"Durations that 50, 95 and 99 % of requests kept under, {_width_of(data.step)} a "
            f"point.{_missing(seen, data.step)}"
        ),
        figure=fig,
        numbers=_numbers(data, seen),
        made=_made(seen, hours),
        width=width,
        height=height,
    )


def _without_durations(hours: pl.DataFrame, width: Literal["full", "half"]) -> Chart:
    """Return the chart of requests that were all faults, or of none: an empty, low one."""
    columns = ["hour", "request_count", "error_count"]
    seen = hours.group_by("hour").agg(pl.col(columns[1:]).sum()).sort("hour").head(_MOST_ROWS)
    faults = int(hours["error_count"].sum())
    fig = theme.figure(height=40)
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return Chart(
        title="No request has a duration",
        says=f"Requests that were faults have none, and {words.count(faults)} of "
        f"{words.count(int(hours['request_count'].sum()))} were.",
        figure=fig,
        numbers=seen,
        made=_made(hours.with_columns(duration_count=pl.lit(0)), hours),
        width=width,
    )


def duration_axis(fig: go.Figure, low_s: float, high_s: float) -> go.Figure:
    """Make the y axis logarithmic, in milliseconds, with round ticks; return the figure."""
    ticks = _round_durations(low_s, high_s)
    fig.update_yaxes(
        type="log",
        range=[float(np.log10(low_s * 1000)), float(np.log10(high_s * 1000))],
        tickvals=[tick * 1000 for tick in ticks],
        ticktext=[words.latency(tick) for tick in ticks],
    )
    return fig


def threshold(fig: go.Figure, threshold_s: float, target: float | None) -> go.Figure:
    """Draw a latency objective as a dashed line on a logarithmic axis in ms; return the figure."""
    under = f"under {words.latency(threshold_s)}"
    label = under if target is None else f"{words.target(target)} {under}"
    line = {"color": theme.INK, "width": 1, "dash": "3px,3px"}
    value = threshold_s * 1000
    fig.add_shape(type="line", xref="x domain", x0=0, x1=1, y0=value, y1=value, line=line)
    fig.add_annotation(
        xref="x domain",
        x=1,
        y=float(np.log10(value)),  # annotations on a logarithmic axis stand at the logarithm
        text=f"objective: {label}",
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        font={"size": 11, "color": theme.INK},
    )
    return fig


def _round_durations(low_s: float, high_s: float) -> list[float]:
    """Return 1, 2, 5 … durations in the range, or every tenfold one when those are many."""
    first, last = int(np.floor(np.log10(low_s))), int(np.ceil(np.log10(high_s)))
    steps = (1.0,) if last - first > 5 else (1.0, 2.0, 5.0)
    every = (step * 10.0**power for power in range(first, last + 1) for step in steps)
    return [value for value in every if low_s <= value <= high_s]


def _cell_traces(cells: Grid) -> list[go.Heatmap]:
    """Return a heat map per stretch of telemetry, so that what is missing is not drawn.

    The colour is the square root of a cell's share of its column's largest, in 256 steps: with
    the share itself, a tail of one request in a hundred would be invisible.
    """
    largest = cells.counts.max(axis=0, initial=1, where=cells.counts > 0)
    shade = np.round(255 * np.sqrt(cells.counts / largest)).astype(np.uint8)
    counts = cells.counts.astype(np.uint16 if cells.counts.max() < 2**16 else np.uint32)
    half_row = words.share(float(np.sqrt(cells.edges_s[1] / cells.edges_s[0])) - 1)
    return [
        go.Heatmap(
            z=shade[:, first:last],
            customdata=counts[:, first:last],
            y=cells.edges_s * 1000,
            **theme.regular(cells.starts[first] + cells.step / 2, cells.step),
            zmin=0,
            zmax=255,
            name="requests",
            hovertemplate=(
                f"%{{x|%-d %b %H:%M}} ± {words.window(cells.step / 2)}, %{{y:.3~r}} ms ± "
                f"{half_row}<br><b>%{{customdata:,}} requests</b><extra></extra>"
            ),
        )
        for first, last in cells.stretches()
    ]


def _width_of(step: timedelta) -> str:
    return "an hour" if step == timedelta(hours=1) else words.window(step)


def _missing(seen: pl.DataFrame, step: timedelta) -> str:
    """Return a sentence about bins without telemetry, or nothing."""
    empty = seen["request_count"].null_count()
    if not empty:
        return ""
    return (
        f" Nothing was recorded for {words.duration((empty * step).total_seconds())}: left empty."
    )


def _finding(data: Binned, seen: pl.DataFrame) -> str:
    """Return what happened, looked for in bins half as wide as those drawn: brief things count."""
    fine = bin_width(data.period, 2 * MOST_BINS)
    if fine < data.step:
        seen = levels(data.with_step(fine))
    return latency_finding(seen, min(fine, data.step))


def _typical(data: Binned) -> str:
    """Return what half, and all but one in a hundred, of the requests kept under."""
    every = data.histogram.group_by("bucket").agg(pl.col("count").sum())
    whole = quantile_frame(every, [], [0.5, 0.99]).row(0, named=True)
    return (
        f"Half of the requests took under {words.latency(whole['p50_s'])}, "
        f"one in a hundred over {words.latency(whole['p99_s'])}"
    )


def _numbers(data: Binned, seen: pl.DataFrame) -> pl.DataFrame:
    """Return the table under a chart: a row per time bin, or per day when those are many."""
    by_day = seen.height > _MOST_ROWS and data.step < timedelta(days=1)
    rows = levels(data.with_step(timedelta(days=1))) if by_day else seen
    rows = rows.rename({"bin": "day" if by_day else "start"})
    if by_day and data.period.start.hour == data.period.start.minute == 0:
        rows = rows.with_columns(pl.col("day").dt.date())
    return rows.select(pl.exclude("duration_count"))


def _made(seen: pl.DataFrame, hours: pl.DataFrame) -> Made:
    counts: dict[str, int | float | None] = {
        "requests": int(seen["request_count"].sum()),
        "of them faults": int(seen["error_count"].sum()),
        "with a duration": int(seen["duration_count"].sum()),
    }
    if "quality" in hours.columns:
        rough = hours.filter(pl.col("quality") != "exact")["request_count"].sum()
        if rough:
            counts["from sampled or approximate rows"] = int(rough)
    return Made(formula=FORMULA, counts=counts, queries=[QUERY])
