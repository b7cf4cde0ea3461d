"""How every chart looks: one Plotly template, few colours, and time axes with their events.

Data is blue and grey; the colours of verdicts belong to verdicts and are in style.css alone. A
figure is made with the light colours. On a page, and whenever the reader's setting changes,
site.js swaps each colour of ``COLOURS`` for its dark twin, so a chart may use these names
anywhere: in a trace, a shape, an annotation or a colour scale.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
from numpy.typing import ArrayLike, NDArray

from fleetslo.charts import words

BLUE = "#2a6fdb"
"""What a chart is about."""
BLUE_SOFT = "#8fb3ee"
"""The same thing, earlier or elsewhere; bars behind a line."""
BLUE_FAINT = "#dbe7fa"
"""The area under a line, an interval around it."""
SLATE = "#51606f"
"""What it is compared with: the period before, the fleet's median."""
GREY = "#98a3b0"
"""Everything else."""
GREY_FAINT = "#e4e8ed"
"""The empty part of a bar."""
INK = "#1a1d21"
"""A line that is no data: the objective, a threshold."""
MUTED = "#57616c"
"""Words and numbers on axes."""
GRID = "#e6e9ed"
"""Grid lines."""
BAND = "rgba(81,96,111,0.16)"
"""An incident's stretch of time."""
BAND_EDGE = "#6d7b8a"
"""An incident's own bar under the axis."""
SURFACE = "#ffffff"
"""What a chart stands on."""

COLOURS: dict[str, str] = {
    BLUE: "#6ea8fe",
    BLUE_SOFT: "#3d6bb3",
    BLUE_FAINT: "#22385c",
    SLATE: "#a9b6c4",
    GREY: "#77828e",
    GREY_FAINT: "#2c333b",
    INK: "#e8eaed",
    MUTED: "#a7b0ba",
    GRID: "#2a3037",
    BAND: "rgba(169,182,196,0.20)",
    BAND_EDGE: "#93a1b0",
    SURFACE: "#191d22",
    "#f7f9fc": "#1d232a",
    "#d9e6fa": "#21375a",
    "#b3cdf5": "#29508c",
    "#86aeee": "#3469bb",
    "#5489e3": "#4d8ae6",
    "#2b62c4": "#83b4fb",
    "#173f8a": "#cfe2ff",
}
"""Each colour a figure may use, light to dark."""

HEAT: list[list[float | str]] = [
    [0.0, "#f7f9fc"],
    [0.04, "#d9e6fa"],
    [0.2, "#b3cdf5"],
    [0.4, "#86aeee"],
    [0.6, "#5489e3"],
    [0.8, "#2b62c4"],
    [1.0, "#173f8a"],
]
"""Colour scale of heat maps, from nothing to most; on dark pages most is brightest."""

SERIES = (BLUE, SLATE, BLUE_SOFT, GREY)
"""Colours of several lines in one chart, in order of importance."""

FONT = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", '
    '"Liberation Sans", Arial, sans-serif'
)

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
    "doubleClick": "reset",
    "showAxisDragHandles": False,
}
"""Plotly's settings beside the figure; no buttons float over a chart."""

_STRIP = 0.085  # share of the height given to the ticks and bars below a time axis
_STRIP_GAP = 0.03
_LABEL_ROW_PX = 15
_CHARACTER_PX = 6.1  # of the 11 px labels above a chart
_PLOT_PX = 860  # what a full-width chart is drawn on at 1280 px; labels are placed for it
_MOST_LABELS = 8
_MOST_LABEL_ROWS = 3
_MOST_TICKS = 400


def template() -> go.layout.Template:
    """Return the Plotly template of every figure, in light colours."""
    axis: dict[str, Any] = {
        "automargin": True,
        "gridcolor": GRID,
        "gridwidth": 1,
        "linecolor": GRID,
        "showline": False,
        "ticks": "",
        "zeroline": False,
        "tickfont": {"color": MUTED, "size": 12},
        "title": {"font": {"color": MUTED, "size": 12}, "standoff": 8},
        "hoverformat": ".4~g",
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": SURFACE,
            "plot_bgcolor": SURFACE,
            "colorway": list(SERIES),
            "colorscale": {"sequential": HEAT},
            "margin": {"l": 8, "r": 12, "t": 12, "b": 8, "pad": 4},
            "hovermode": "x unified",
            "hoverlabel": {
                "bgcolor": SURFACE,
                "bordercolor": GRID,
                "font": {"family": FONT, "size": 12, "color": INK},
                "align": "left",
                "namelength": -1,
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
                "font": {"color": MUTED, "size": 12},
                "bgcolor": "rgba(0,0,0,0)",
            },
            "showlegend": False,
            "bargap": 0.15,
            "dragmode": "zoom",
            "xaxis": {**axis, "showgrid": False},
            "yaxis": {**axis, "fixedrange": True},
            "coloraxis": {"colorbar": {"outlinewidth": 0, "ticks": "", "thickness": 10}},
            "separators": ".,",
        },
        data={
            "scatter": [{"line": {"width": 2}, "connectgaps": False}],
            "bar": [{"marker": {"color": BLUE, "line": {"width": 0}}}],
            "heatmap": [
                {
                    "colorscale": HEAT,
                    "hoverongaps": False,
                    "xgap": 0,
                    "ygap": 0,
                    "showscale": False,
                }
            ],
        },
    )


def figure(
    *traces: Any, height: int = 280, y_title: str | None = None, y_format: str | None = None
) -> go.Figure:
    """Return a figure in our template, with these traces.

    Args:
        traces: Plotly traces.
        height: of the drawing in pixels, without the title, which the page sets.
        y_title: what the y axis counts, with its unit.
        y_format: d3 format of the y axis, such as ``".0%"``.
    """
    fig = go.Figure(data=list(traces))
    fig.update_layout(template=template(), height=height)
    if y_title:
        fig.update_yaxes(title_text=y_title)
    if y_format:
        fig.update_yaxes(tickformat=y_format, hoverformat=y_format)
    return fig


def floats(values: ArrayLike | pl.Series) -> NDArray[np.float32]:
    """Return values as float32, which halves them in a page; None becomes a gap (NaN)."""
    if isinstance(values, pl.Series):
        return values.cast(pl.Float32).to_numpy()
    return np.asarray(values, dtype=np.float32)


def regular(start: datetime, step: timedelta) -> dict[str, Any]:
    """Return ``x0`` and ``dx`` of a trace whose points are evenly spaced; no time stamps needed."""
    return {"x0": _naive(start), "dx": step.total_seconds() * 1000, "xperiodalignment": "start"}


def with_gaps(frame: pl.DataFrame, column: str, step: timedelta) -> pl.DataFrame:
    """Return the frame with a row of nulls wherever a stretch is missing, so that lines break.

    Args:
        frame: sorted by ``column``, one row per instant.
        column: name of the datetime column.
        step: distance of neighbouring rows; more than 1.5 steps is a gap.
    """
    if frame.height < 2:
        return frame
    late = pl.col(column).diff() > step * 1.5
    holes = frame.filter(late.fill_null(value=False)).select(
        (pl.col(column) - step).cast(frame.schema[column])
    )
    if holes.is_empty():
        return frame
    return pl.concat([frame, holes], how="diagonal").sort(column)


def time_axis(fig: go.Figure, start: datetime, end: datetime) -> go.Figure:
    """Set the x axis to exactly ``start`` … ``end`` in UTC with calm labels; return the figure."""
    days = (end - start) / timedelta(days=1)
    tick: dict[str, Any] = {"nticks": 7}
    if days > 200:
        tick = {"dtick": "M1", "tickformat": "%b %Y"}
    elif days > 10:
        tick = {"dtick": 7 * 86_400_000, "tick0": _naive(start), "tickformat": "%-d %b"}
    elif days > 2:
        tick = {"dtick": 86_400_000, "tick0": _naive(start), "tickformat": "%-d %b"}
    fig.update_xaxes(
        type="date",
        range=[_naive(start), _naive(end)],
        hoverformat="%-d %b %H:%M",
        **tick,
    )
    return fig


def level(fig: go.Figure, y: float, label: str) -> go.Figure:
    """Draw a dashed, labelled level over the whole width, such as a target; return the figure."""
    fig.add_shape(
        type="line",
        xref="x domain",
        x0=0,
        x1=1,
        y0=y,
        y1=y,
        line={"color": INK, "width": 1, "dash": "3px,3px"},
    )
    fig.add_annotation(
        xref="x domain",
        x=1,
        y=y,
        text=label,
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        font={"size": 11, "color": MUTED},
    )
    return fig


def mark_time(
    fig: go.Figure,
    deployments: pl.DataFrame | None = None,
    incidents: pl.DataFrame | None = None,
    *,
    start: datetime,
    end: datetime,
) -> go.Figure:
    """Put deployments and incidents on the time axis of a figure; return the figure.

    Deployments become ticks below the axis (those that failed or were rolled back are tall and
    dark), incidents become bands over the plot and bars below it, the longest of them labelled
    above the plot in rows that do not overlap. All have hover text. An axis without either keeps
    the same height, so that charts under each other line up.

    Args:
        fig: one plot with a date x axis and one y axis (a heat map is fine).
        deployments: ``started_at, service, version, outcome`` and, if there, ``region``.
        incidents: ``incident_id, title, started_at, resolved_at`` (null is open).
        start: left end of the axis.
        end: right end, exclusive.
    """
    time_axis(fig, start, end)
    shown = _overlapping(incidents, start, end)
    ticks = _ticks(deployments, start, end)
    heat = any(trace.type == "heatmap" for trace in fig.data)
    for one in shown:
        fig.add_shape(
            type="rect",
            xref="x",
            yref="y domain",
            x0=_naive(max(one["started_at"], start)),
            x1=_naive(min(one["resolved_at"] or end, end)),
            y0=0,
            y1=1,
            fillcolor=BAND,
            line={"width": 0},
            layer="above" if heat else "below",
            name="incident",
        )
    rows = _label_incidents(fig, shown, start, end)
    if ticks or shown:
        _add_strip(fig, ticks, shown, start, end)
    top = fig.layout.margin.t or 12
    legend = 22 if fig.layout.showlegend else 0
    fig.update_layout(margin_t=top + rows * _LABEL_ROW_PX + legend)
    if legend:
        fig.update_layout(legend={"yref": "container", "y": 1, "yanchor": "top"})
    return fig


def _naive(at: datetime) -> str:
    """Return an instant as Plotly reads it: UTC, without the zone, which it would shift by."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")


def _overlapping(
    incidents: pl.DataFrame | None, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Return the incidents that reach into the axis, in order of their start."""
    if incidents is None or incidents.is_empty():
        return []
    inside = (pl.col("started_at") < end) & (
        pl.col("resolved_at").is_null() | (pl.col("resolved_at") > start)
    )
    return incidents.filter(inside).sort("started_at").to_dicts()


def _ticks(
    deployments: pl.DataFrame | None, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Return what to draw per tick: ``at, hurt, says``; near ones share a tick when many."""
    if deployments is None or deployments.is_empty():
        return []
    inside = deployments.filter((pl.col("started_at") >= start) & (pl.col("started_at") < end))
    if "rollout_id" in inside.columns:
        inside = inside.sort("started_at").unique("rollout_id", keep="first", maintain_order=True)
    slot = max((end - start).total_seconds() / _MOST_TICKS, 1.0)
    groups: dict[int, list[dict[str, Any]]] = {}
    for position, one in enumerate(inside.sort("started_at").iter_rows(named=True)):
        offset = (one["started_at"] - start).total_seconds()
        key = int(offset // slot) if inside.height > _MOST_TICKS else position
        groups.setdefault(key, []).append(one)
    return [_tick(group) for group in groups.values()]


def _tick(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lines = []
    for one in group[:6]:
        outcome = str(one.get("outcome") or "").replace("_", " ")
        ending = f" · {outcome}" if outcome and outcome != "succeeded" else ""
        lines.append(_plain(f"{one['service']} {one['version']}{ending}"))
    if len(group) > 6:
        lines.append(f"and {len(group) - 6} more")
    hurt = any(one.get("outcome") in ("failed", "rolled_back") for one in group)
    at = group[0]["started_at"]
    noun = "Deployment" if len(group) == 1 else f"{len(group)} deployments"
    says = f"<b>{noun}</b> · {words.moment(at)}<br>" + "<br>".join(lines)
    return {"at": at, "hurt": hurt, "says": says}


def _plain(text: str) -> str:
    """Return text that Plotly shows as it is; it reads a little HTML in labels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _label_incidents(
    fig: go.Figure, incidents: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> int:
    """Label the longest incidents above the plot; return how many rows of labels there are."""
    total = (end - start).total_seconds()

    def length(one: Mapping[str, Any]) -> float:
        return float(((one["resolved_at"] or end) - one["started_at"]).total_seconds())

    chosen = sorted(incidents, key=length, reverse=True)[:_MOST_LABELS]
    used: list[float] = []  # how far right each row is taken, in pixels
    for one in sorted(chosen, key=lambda item: item["started_at"]):
        text = _plain(_short(f"{one['incident_id']} · {words.duration(length(one))}"))
        width = len(text) * _CHARACTER_PX
        left = max((one["started_at"] - start).total_seconds(), 0) / total * _PLOT_PX
        to_left = left + width > _PLOT_PX
        begin = left - width if to_left else left
        row = next((i for i, right in enumerate(used) if right + 8 <= begin), len(used))
        if row >= _MOST_LABEL_ROWS:
            continue
        used[row:] = [begin + width]
        fig.add_annotation(
            name="incident",
            xref="x",
            yref="y domain",
            x=_naive(max(one["started_at"], start)),
            y=1,
            yshift=2 + row * _LABEL_ROW_PX,
            xanchor="right" if to_left else "left",
            yanchor="bottom",
            text=text,
            hovertext=_incident_says(one),
            showarrow=False,
            font={"size": 11, "color": MUTED},
            borderpad=0,
        )
    return len(used)


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _incident_says(one: Mapping[str, Any]) -> str:
    when = words.span(one["started_at"], one["resolved_at"])
    where = f"<br>{_plain(str(one['service']))}" if one.get("service") else ""
    title = _plain(_short(str(one.get("title") or ""), 80))
    return f"<b>{_plain(str(one['incident_id']))}</b> · {when}<br>{title}{where}"


def _add_strip(
    fig: go.Figure,
    ticks: Sequence[Mapping[str, Any]],
    incidents: Sequence[Mapping[str, Any]],
    start: datetime,
    end: datetime,
) -> None:
    """Draw the ticks and bars on an axis of their own between the plot and its dates."""
    fig.update_layout(
        yaxis={"domain": [_STRIP + _STRIP_GAP, 1.0]},
        xaxis={"anchor": "free", "position": 0.0},
        yaxis9={
            "domain": [0.0, _STRIP],
            "range": [0, 1],
            "visible": False,
            "fixedrange": True,
            "anchor": "x",
        },
    )
    for hurt in (False, True):
        some = [tick for tick in ticks if tick["hurt"] is hurt]
        if some:
            fig.add_scatter(
                x=[_naive(tick["at"]) for tick in some],
                y=[0.5] * len(some),
                yaxis="y9",
                mode="markers",
                marker={
                    "symbol": "line-ns-open",
                    "size": 13 if hurt else 9,
                    "line": {"width": 3 if hurt else 1.5, "color": INK if hurt else BAND_EDGE},
                    "color": INK if hurt else BAND_EDGE,
                },
                text=[tick["says"] for tick in some],
                hovertemplate="%{text}<extra></extra>",
                name="Deployments that failed" if hurt else "Deployments",
                showlegend=False,
            )
    if incidents:
        xs: list[str | None] = []
        texts: list[str | None] = []
        for one in incidents:
            left, right = max(one["started_at"], start), min(one["resolved_at"] or end, end)
            xs += [_naive(left), _naive(left + (right - left) / 2), _naive(right), None]
            texts += [_incident_says(one)] * 3 + [None]
        fig.add_scatter(
            x=xs,
            y=[1.0 if x else None for x in xs],
            yaxis="y9",
            mode="lines+markers",
            line={"width": 4, "color": BAND_EDGE},
            marker={"symbol": "square", "size": 4, "color": BAND_EDGE},
            text=texts,
            hovertemplate="%{text}<extra></extra>",
            name="Incidents",
            showlegend=False,
        )
