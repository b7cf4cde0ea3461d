"""Time axes: evenly spaced points, gaps, and the deployments and incidents on every one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import words
from fleetslo.charts.palette import BAND, BAND_EDGE, INK, MUTED

_STRIP = 0.085  # share of the height given to the ticks and bars below a time axis
_STRIP_GAP = 0.03
_LABEL_ROW_PX = 15
_CHARACTER_PX = 6.1  # of the 11 px labels above a chart
_PLOT_PX = 860  # what a full-width chart is drawn on at 1280 px; labels are placed for it
_MOST_LABELS = 8
_MOST_LABEL_ROWS = 3
_MOST_TICKS = 400


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
    above the plot in rows that do not overlap. All have hover text. An axis without either
    is left as it is.

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
        lines.append(plotly_text(f"{one['service']} {one['version']}{ending}"))
    if len(group) > 6:
        lines.append(f"and {len(group) - 6} more")
    hurt = any(one.get("outcome") in ("failed", "rolled_back") for one in group)
    at = group[0]["started_at"]
    noun = "Deployment" if len(group) == 1 else f"{len(group)} deployments"
    says = f"<b>{noun}</b> · {words.moment(at)}<br>" + "<br>".join(lines)
    return {"at": at, "hurt": hurt, "says": says}


def plotly_text(text: str) -> str:
    """Return text that Plotly shows as it is; it reads a little HTML in labels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _label_incidents(
    fig: go.Figure, incidents: Sequence[Mapping[str, Any]], start: datetime, end: datetime
) -> int:
    """Label the longest incidents above the plot; return how many rows of labels there are.

    The labels are placed for a full-width chart; site.js places them again for the width it finds.
    """
    total = (end - start).total_seconds()

    def length(one: Mapping[str, Any]) -> float:
        return float(((one["resolved_at"] or end) - one["started_at"]).total_seconds())

    chosen = sorted(incidents, key=length, reverse=True)[:_MOST_LABELS]
    used: list[float] = []  # how far right each row is taken, in pixels
    for one in sorted(chosen, key=lambda item: item["started_at"]):
        parts = [str(one["incident_id"]), words.duration(length(one))]
        if one.get("title"):
            parts.append(_short(str(one["title"])))
        left = max((one["started_at"] - start).total_seconds(), 0) / total * _PLOT_PX
        for text in (" · ".join(parts), " · ".join(parts[:2])):
            width = len(text) * _CHARACTER_PX
            to_left = left + width > _PLOT_PX
            begin = left - width if to_left else left
            row = next((i for i, right in enumerate(used) if right + 8 <= begin), len(used))
            if row == 0:
                break
        if row >= _MOST_LABEL_ROWS:
            continue
        used[row : row + 1] = [begin + width]
        fig.add_annotation(
            name=f"incident: {plotly_text(' · '.join(parts))}",
            xref="x",
            yref="y domain",
            x=_naive(max(one["started_at"], start)),
            y=1,
            yshift=2 + row * _LABEL_ROW_PX,
            xanchor="right" if to_left else "left",
            yanchor="bottom",
            text=plotly_text(text),
            hovertext=_incident_says(one),
            showarrow=False,
            font={"size": 11, "color": MUTED},
            borderpad=0,
        )
    return len(used)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _incident_says(one: Mapping[str, Any]) -> str:
    when = words.span(one["started_at"], one["resolved_at"])
    where = f"<br>{plotly_text(str(one['service']))}" if one.get("service") else ""
    title = plotly_text(_short(str(one.get("title") or ""), 80))
    return f"<b>{plotly_text(str(one['incident_id']))}</b> · {when}<br>{title}{where}"


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
