"""How every chart looks: one Plotly template, few colours, and time axes with their events.

This is the one module that charts import for their look: the colours of ``palette`` and the time
axes of ``timeline`` can be had from here as well.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
from numpy.typing import ArrayLike, NDArray

from fleetslo.charts.palette import (
    BAND,
    BAND_EDGE,
    BLUE,
    BLUE_FAINT,
    BLUE_SOFT,
    COLOURS,
    GREY,
    GREY_FAINT,
    GRID,
    HEAT,
    INK,
    MUTED,
    SERIES,
    SLATE,
    SURFACE,
)
from fleetslo.charts.timeline import mark_time, regular, time_axis, with_gaps

__all__ = [
    "BAND",
    "BAND_EDGE",
    "BLUE",
    "BLUE_FAINT",
    "BLUE_SOFT",
    "COLOURS",
    "CONFIG",
    "FONT",
    "GREY",
    "GREY_FAINT",
    "GRID",
    "HEAT",
    "INK",
    "MUTED",
    "SERIES",
    "SLATE",
    "SURFACE",
    "figure",
    "floats",
    "level",
    "mark_time",
    "regular",
    "template",
    "time_axis",
    "with_gaps",
]


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


@cache
def template() -> go.layout.Template:
    """Return the Plotly template of every figure, in light colours; Plotly copies it."""
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
            "margin": {"l": 8, "r": 22, "t": 12, "b": 8, "pad": 4},
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
    fig = go.Figure(data=list(traces), layout={"template": template(), "height": height})
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


def lone_points(values: Sequence[float | None]) -> dict[str, Any]:
    """Return ``mode`` and ``marker`` of a line, so that a point between two gaps can be seen.

    A line joins neighbours; a value that has none would be invisible.
    """
    known = [value is not None and not np.isnan(value) for value in values]
    edge = [False, *known, False]
    lone = [here and not (edge[i] or edge[i + 2]) for i, here in enumerate(known)]
    if not any(lone):
        return {"mode": "lines"}
    return {"mode": "lines+markers", "marker": {"size": [5 if one else 0 for one in lone]}}


def level(fig: go.Figure, y: float, label: str) -> go.Figure:
    """Draw a dashed, labelled level over the whole width, such as a target; return the figure.

    The labels of several levels stand right and left by turns, so that near ones do not overlap.
    """
    before = sum(1 for one in fig.layout.annotations if one.name == "level")
    side, x = ("right", 1) if before % 2 == 0 else ("left", 0)
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
        name="level",
        xref="x domain",
        x=x,
        y=y,
        text=label,
        showarrow=False,
        xanchor=side,
        yanchor="bottom",
        font={"size": 11, "color": MUTED},
    )
    return fig
