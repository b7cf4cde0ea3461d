"""The heat map and the quantile lines: what is drawn, its size, its gaps, its numbers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.latency_frames import HOURS_SCHEMA, START, hours

from fleetslo.charts.latency.grid import bin_width, binned, grid, levels
from fleetslo.charts.latency.over_time import heat_map, quantiles_over_time
from fleetslo.errors import NoData
from fleetslo.periods import Period
from fleetslo.reliability import latency

FOUR_WEEKS = Period(START, START + timedelta(days=28))
DAY = Period(START, START + timedelta(days=1))


def one_hour(hour: datetime, cells: dict[int, int], **changed: Any) -> dict[str, Any]:
    """Return a row with these bucket counts, none of them faults."""
    count = sum(cells.values())
    return {
        "service": "checkout",
        "endpoint": "GET /cart",
        "region": "eu",
        "version": "1",
        "hour": hour,
        "request_count": count,
        "error_count": 0,
        "duration_sum_s": 0.0,
        "latency": [{"bucket": bucket, "count": n} for bucket, n in cells.items()],
        "quality": "exact",
        **changed,
    }


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=HOURS_SCHEMA)


class TestBins:
    @pytest.mark.parametrize(
        ("days", "width"),
        [(1, 1), (7, 1), (14, 2), (28, 4), (56, 8), (90, 24), (365, 168)],
    )
    def test_a_period_has_at_most_170_of_them(self, days: int, width: int) -> None:
        period = Period(START, START + timedelta(days=days))
        assert bin_width(period) == timedelta(hours=width)

    def test_rows_of_a_bin_add_up_and_others_are_left_out(self) -> None:
        rows = frame(
            one_hour(START - timedelta(hours=1), {0: 100}),
            one_hour(START, {0: 1, 5: 2}),
            one_hour(START, {5: 3}, endpoint="POST /orders"),
            one_hour(START + timedelta(hours=23), {7: 4}),
            one_hour(START + timedelta(hours=24), {0: 100}),
        )
        data = binned(rows, DAY)
        assert data.histogram["bucket"].to_list() == [0, 5, 7]
        assert data.histogram["count"].to_list() == [1, 5, 4]  # 2 + 3 in bucket 5
        assert data.counts["request_count"].to_list() == [6, 4]
        assert len(data.starts) == 24

    def test_every_bin_has_a_level_even_without_telemetry(self) -> None:
        seen = levels(binned(frame(one_hour(START, {0: 100})), DAY))
        assert seen.height == 24
        assert seen["request_count"].null_count() == 23
        assert seen["duration_count"].to_list() == [100] + [0] * 23
        # all 100 in (1, 1.0443] s: the median is at half of it by logarithm, 2 ** (0.5 / 16)
        assert seen["p50_s"][0] == pytest.approx(2 ** (0.5 / 16))
        assert seen["p50_s"][1] is None

    def test_no_duration_is_no_data(self) -> None:
        rows = frame(one_hour(START, {}, request_count=5, error_count=5))
        with pytest.raises(NoData, match="no request with a duration"):
            binned(rows, DAY)


class TestWithoutDurations:
    def test_a_service_that_only_failed_has_an_empty_chart(self) -> None:
        rows = frame(one_hour(START, {}, request_count=5, error_count=5))
        for draw in (heat_map, quantiles_over_time):
            chart = draw(rows, period=DAY, threshold_s=0.3)
            assert chart.title == "No request has a duration"
            assert chart.says == "Requests that were faults have none, and 5 of 5 were."
            assert chart.numbers.rows() == [(START, 5, 5)]
            assert not chart.figure.data

    def test_a_service_without_telemetry_has_one_too(self) -> None:
        rows = frame(one_hour(START, {}, request_count=5, error_count=5)).clear()
        assert heat_map(rows, period=DAY).numbers.is_empty()


class TestGrid:
    def test_it_holds_every_request(self) -> None:
        rows = hours(28)
        cells = grid(binned(rows, FOUR_WEEKS))
        assert cells.counts.sum() == rows["request_count"].sum() - rows["error_count"].sum()
        assert cells.counts.shape == (len(cells.edges_s) - 1, 168)
        assert np.all(np.diff(cells.edges_s) > 0)

    def test_a_request_lies_between_the_edges_of_its_row(self) -> None:
        bucket = latency.bucket_of(0.3)
        cells = grid(binned(frame(one_hour(START, {bucket: 10_000, bucket - 40: 10_000})), DAY))
        (row,) = np.flatnonzero(cells.counts[:, 0])[-1:]
        assert cells.edges_s[row] < 0.3 <= cells.edges_s[row + 1]

    def test_a_stray_duration_does_not_stretch_the_axis(self) -> None:
        rows = frame(one_hour(START, {-50: 50_000, -40: 50_000, 200: 1, -1024: 1}))
        cells = grid(binned(rows, DAY))
        assert cells.counts.sum() == 100_002  # they are counted in the outermost rows
        assert cells.edges_s[-1] < 1

    def test_durations_of_nothing_do_not_either(self) -> None:
        cells = grid(binned(frame(one_hour(START, {-1024: 60, -50: 40})), DAY))
        assert cells.edges_s[0] > 5e-6  # 10 µs, less a part of the row

    def test_a_hole_in_the_telemetry_parts_two_stretches(self) -> None:
        rows = frame(*(one_hour(START + timedelta(hours=h), {0: 10}) for h in (0, 1, 2, 10, 11)))
        assert grid(binned(rows, DAY)).stretches() == [(0, 3), (10, 12)]


class TestHeatMap:
    def test_its_figure_stays_small(self) -> None:
        wide = hours(28, spread=1.4, endpoints=["GET /cart", "POST /orders"])
        chart = heat_map(wide, period=FOUR_WEEKS)
        assert len(chart.figure.to_json()) < 80_000

    def test_every_column_has_its_darkest_cell(self) -> None:
        chart = heat_map(hours(7), period=Period(START, START + timedelta(days=7)))
        (cells,) = chart.figure.data
        assert cells.z.max(axis=0).tolist() == [255] * 168
        assert (cells.zmin, cells.zmax) == (0, 255)

    def test_hovering_tells_the_exact_count(self) -> None:
        rows = frame(one_hour(START, {0: 70_000, 8: 30_000}))
        (cells,) = heat_map(rows, period=DAY).figure.data
        assert cells.customdata.sum() == 100_000
        assert cells.customdata.max() == 70_000
        assert "requests" in cells.hovertemplate

    def test_what_is_missing_is_not_drawn_and_said(self) -> None:
        gone = START + timedelta(days=3)
        rows = hours(7, missing=lambda hour: gone <= hour < gone + timedelta(hours=30))
        chart = heat_map(rows, period=Period(START, START + timedelta(days=7)))
        assert [trace.z.shape[1] for trace in chart.figure.data] == [72, 66]  # 168 − 30 − 72
        assert "Nothing was recorded for 30" in chart.says

    def test_the_objective_is_a_line_at_its_threshold(self) -> None:
        chart = heat_map(hours(1), period=DAY, threshold_s=0.3, target=0.99)
        lines = [shape for shape in chart.figure.layout.shapes if shape.type == "line"]
        assert [line.y0 for line in lines] == [300]
        (label,) = (a for a in chart.figure.layout.annotations if "objective" in a.text)
        assert label.text.replace("\u202f", " ") == "objective: 99 % under 300 ms"
        assert 10**label.y == pytest.approx(300)  # annotations stand at the logarithm

    def test_a_threshold_without_a_target_is_told_alone(self) -> None:
        chart = heat_map(hours(1), period=DAY, threshold_s=0.3)
        assert "under 300" in chart.figure.layout.annotations[-1].text

    def test_deployments_and_incidents_are_on_its_axis(self) -> None:
        at = datetime(2026, 10, 4, 9, tzinfo=UTC)
        deployments = pl.DataFrame(
            {"started_at": [at], "service": ["checkout"], "version": ["2"], "outcome": ["failed"]}
        )
        incidents = pl.DataFrame(
            {
                "incident_id": ["INC-7"],
                "title": ["slow"],
                "started_at": [at],
                "resolved_at": [at + timedelta(hours=2)],
            }
        )
        chart = heat_map(hours(1), period=DAY, deployments=deployments, incidents=incidents)
        assert any("INC-7" in str(a.text) for a in chart.figure.layout.annotations)
        assert any(trace.type == "scatter" for trace in chart.figure.data)

    def test_the_numbers_are_by_hour_for_a_day_and_by_day_for_weeks(self) -> None:
        assert heat_map(hours(1), period=DAY).numbers.height == 24
        numbers = heat_map(hours(28), period=FOUR_WEEKS).numbers
        assert numbers.columns == ["day", "request_count", "error_count", "p50_s", "p95_s", "p99_s"]
        assert numbers.height == 28

    def test_a_day_of_the_table_is_merged_and_not_averaged(self) -> None:
        rows = frame(one_hour(START, {0: 990}), one_hour(START + timedelta(hours=9), {64: 10}))
        numbers = heat_map(
            pl.concat([rows, hours(2, start=START + timedelta(days=5))]),
            period=Period(START, START + timedelta(days=7)),
        ).numbers
        first = numbers.row(0, named=True)
        assert first["request_count"] == 1000
        # the 990th of 1,000 is the last in bucket 0, at its upper bound: 2 ** (1 / 16)
        assert first["p99_s"] == pytest.approx(2 ** (1 / 16))

    def test_it_says_what_went_in(self) -> None:
        rows = hours(1).with_columns(
            quality=pl.when(pl.col("hour") == START)
            .then(pl.lit("approximate"))
            .otherwise(pl.lit("exact"))
        )
        made = heat_map(rows, period=DAY).made
        assert made is not None
        assert made.queries == ["latency/hours"]
        assert made.counts["requests"] == rows["request_count"].sum()
        assert made.counts["from sampled or approximate rows"] == rows["request_count"][0]

    def test_a_brief_spell_in_four_weeks_is_found(self) -> None:
        begin = datetime(2026, 10, 15, 8, tzinfo=UTC)
        rows = hours(28, slower=lambda hour: 2.0 if hour == begin else 1.0)
        # columns are 4 h wide, but the finding looks at 2 h
        assert "15 Oct" in heat_map(rows, period=FOUR_WEEKS).title


class TestQuantilesOverTime:
    def test_three_lines_that_break_where_data_is_missing(self) -> None:
        gone = START + timedelta(days=3)
        rows = hours(7, missing=lambda hour: gone <= hour < gone + timedelta(hours=30))
        chart = quantiles_over_time(rows, period=Period(START, START + timedelta(days=7)))
        assert [trace.name for trace in chart.figure.data] == ["p99", "p95", "p50"]
        for trace in chart.figure.data:
            assert np.isnan(trace.y[72:102]).all()
            assert not np.isnan(trace.y[:72]).any()
            assert trace.connectgaps is not True

    def test_values_are_milliseconds_on_a_logarithmic_axis(self) -> None:
        chart = quantiles_over_time(hours(7, spread=0.5), period=Period.parse("2026-W41"))
        assert chart.figure.layout.yaxis.type == "log"
        median = float(np.nanmedian(chart.figure.data[2].y))
        assert median == pytest.approx(40, rel=0.03)

    def test_the_threshold_is_inside_the_axis(self) -> None:
        chart = quantiles_over_time(hours(1), period=DAY, threshold_s=5.0, target=0.99)
        low, high = chart.figure.layout.yaxis.range
        assert low < np.log10(5000) < high

    def test_one_day_of_a_wide_range_has_a_tick_per_decade(self) -> None:
        rows = frame(one_hour(START, {-240: 5000, 0: 5000, 100: 5000}))
        ticks = heat_map(rows, period=DAY).figure.layout.yaxis.tickvals
        assert all(np.log10(tick) == pytest.approx(round(np.log10(tick))) for tick in ticks)
