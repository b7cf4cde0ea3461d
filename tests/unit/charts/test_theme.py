import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from fleetslo.charts import theme

START = datetime(2026, 10, 4, tzinfo=UTC)
END = START + timedelta(days=28)
UTC_TIME = pl.Datetime("us", "UTC")


def incidents(*spans: tuple[float, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "incident_id": [f"INC-{i}" for i in range(len(spans))],
            "title": [f"title <b>{i}" for i in range(len(spans))],
            "service": ["checkout"] * len(spans),
            "started_at": [START + timedelta(days=one) for one, _ in spans],
            "resolved_at": [
                None if two is None else START + timedelta(days=two) for _, two in spans
            ],
        },
        schema_overrides={"started_at": UTC_TIME, "resolved_at": UTC_TIME},
    )


def deployments(count: int, **more) -> pl.DataFrame:
    step = timedelta(days=28) / count
    return pl.DataFrame(
        {
            "started_at": [START + step * i for i in range(count)],
            "service": ["checkout"] * count,
            "version": [f"4.{i}<" for i in range(count)],
            "outcome": ["rolled_back" if i == 1 else "succeeded" for i in range(count)],
            **more,
        }
    )


def line() -> go.Figure:
    return theme.figure(
        go.Scatter(y=theme.floats([1, 2, 3]), **theme.regular(START, timedelta(days=1)))
    )


def bands(fig: go.Figure) -> list[go.layout.Shape]:
    return [shape for shape in fig.layout.shapes if shape.name == "incident"]


def labels(fig: go.Figure) -> list[go.layout.Annotation]:
    return [one for one in fig.layout.annotations if (one.name or "").startswith("incident: ")]


def strip(fig: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in fig.data if trace.name == name)


def test_every_colour_of_the_template_has_a_dark_twin():
    used = set(
        re.findall(r'"(#[0-9a-f]{6}|rgba\([^)]*\))"', json.dumps(theme.template().to_plotly_json()))
    )
    assert used - {"rgba(0,0,0,0)"} <= set(theme.COLOURS)
    assert len(set(theme.COLOURS.values())) == len(theme.COLOURS)
    assert {colour for _, colour in theme.HEAT} <= set(theme.COLOURS)


def test_floats_are_small_and_none_is_a_gap():
    values = theme.floats(pl.Series([1.0, None, 3.0]))
    assert values.dtype == np.float32
    assert np.isnan(values[1])
    assert theme.floats([1, 2]).dtype == np.float32


def test_evenly_spaced_points_need_no_time_stamps():
    assert theme.regular(START, timedelta(hours=1)) == {
        "x0": "2026-10-04",
        "dx": 3_600_000,
        "xperiodalignment": "start",
    }


def test_a_missing_stretch_becomes_a_row_of_nulls():
    hours = [START + timedelta(hours=one) for one in (0, 1, 5, 6)]
    frame = pl.DataFrame({"hour": hours, "v": [1, 2, 3, 4]}, schema_overrides={"hour": UTC_TIME})
    broken = theme.with_gaps(frame, "hour", timedelta(hours=1))
    assert broken["v"].to_list() == [1, 2, None, 3, 4]
    assert broken["hour"][2] == START + timedelta(hours=4)
    whole = frame.head(2)
    assert theme.with_gaps(whole, "hour", timedelta(hours=1)) is whole
    assert theme.with_gaps(frame.head(1), "hour", timedelta(hours=1)).height == 1


@pytest.mark.parametrize(
    ("days", "step"), [(1, None), (7, 86_400_000), (28, 7 * 86_400_000), (365, "M1")]
)
def test_a_time_axis_is_exactly_the_period(days, step):
    fig = theme.time_axis(line(), START, START + timedelta(days=days))
    assert fig.layout.xaxis.range[0] == "2026-10-04"
    assert fig.layout.xaxis.dtick == step


def test_incidents_are_bands_cut_at_the_period():
    fig = theme.mark_time(
        line(),
        None,
        incidents((-3, 1), (10, 10.5), (27, None), (-9, -2), (30, 31)),
        start=START,
        end=END,
    )
    assert [(band.x0, band.x1) for band in bands(fig)] == [
        ("2026-10-04", "2026-10-05"),
        ("2026-10-14", "2026-10-14 12:00:00"),
        ("2026-10-31", "2026-11-01"),
    ]
    assert all(band.layer == "below" for band in bands(fig))
    open_one = next(one for one in labels(fig) if "INC-2" in one.text)
    assert "since 31 Oct" in open_one.hovertext
    assert open_one.xanchor == "right"  # no room to the right of it
    assert "title &lt;b&gt;2" in open_one.hovertext


def test_bands_lie_over_a_heat_map():
    fig = theme.figure(go.Heatmap(z=[[1.0]]))
    theme.mark_time(fig, None, incidents((1, 2)), start=START, end=END)
    assert bands(fig)[0].layer == "above"


def test_labels_do_not_overlap_and_are_few():
    many = incidents(*[(day + 0.1, day + 0.1 + 0.01 * (day + 1)) for day in range(25)])
    fig = theme.mark_time(line(), None, many, start=START, end=END)
    assert len(bands(fig)) == 25
    assert 1 <= len(labels(fig)) <= 8
    rows: dict[int, list[tuple[float, float]]] = {}
    for one in labels(fig):
        at = datetime.fromisoformat(one.x).replace(tzinfo=UTC)
        x = (at - START) / (END - START) * 860
        width = len(unescape(one.text)) * 6.1
        span = (x - width, x) if one.xanchor == "right" else (x, x + width)
        rows.setdefault(one.yshift, []).append(span)
    for spans in rows.values():
        spans.sort()
        assert all(left[1] <= right[0] for left, right in pairwise(spans))
    assert fig.layout.margin.t == 12 + 15 * len(rows)


def test_deployments_are_ticks_under_the_axis():
    fig = theme.mark_time(line(), deployments(6), None, start=START, end=END)
    usual, hurt = strip(fig, "Deployments"), strip(fig, "Deployments that failed")
    assert (len(usual.x), len(hurt.x)) == (5, 1)
    assert usual.yaxis == "y9"
    assert "4.1&lt; · rolled back" in hurt.text[0]
    assert fig.layout.yaxis9.domain[1] < fig.layout.yaxis.domain[0]


def test_regions_of_one_rollout_are_one_tick():
    fig = theme.mark_time(
        line(),
        deployments(6, rollout_id=["a", "b", "b", "b", "c", "c"]),
        None,
        start=START,
        end=END,
    )
    assert sum(len(trace.x) for trace in fig.data[1:]) == 3


def test_thousands_of_deployments_share_ticks_and_lose_none():
    fig = theme.mark_time(line(), deployments(5_000), None, start=START, end=END)
    ticks = [text for trace in fig.data[1:] for text in trace.text]
    assert len(ticks) <= 401
    counted = [
        int(match[1]) if (match := re.match(r"<b>(\d+) deployments", text)) else 1 for text in ticks
    ]
    assert sum(counted) == 5_000
    assert any("more" in text for text in ticks)


def test_an_axis_without_events_stays_as_it_is():
    empty = incidents().clear()
    fig = theme.mark_time(line(), deployments(3).clear(), empty, start=START, end=END)
    assert len(fig.data) == 1
    assert "yaxis9" not in fig.layout


def test_a_level_is_drawn_and_named():
    fig = theme.level(line(), 0.3, "objective: 99 % under 300 ms")
    assert fig.layout.shapes[0].y0 == 0.3
    assert fig.layout.annotations[0].text == "objective: 99 % under 300 ms"


def test_a_figure_may_name_its_axis():
    fig = theme.figure(height=100, y_title="requests", y_format=".0%")
    assert fig.layout.yaxis.title.text == "requests"
    assert fig.layout.yaxis.tickformat == ".0%"


def test_labels_of_near_levels_stand_on_different_sides():
    fig = theme.level(theme.level(theme.level(line(), 1.0, "a"), 1.1, "b"), 1.2, "c")
    assert [one.xanchor for one in fig.layout.annotations] == ["right", "left", "right"]
