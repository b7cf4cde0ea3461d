"""Two selections compared: curves, shifts, and which part moved."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from tests.latency_frames import START, hours

from fleetslo.charts import palette
from fleetslo.charts.latency.compare import mark_sides, name, quantile_curves, rarity
from fleetslo.charts.latency.moves import moves
from fleetslo.charts.latency.over_time import heat_map
from fleetslo.charts.latency.shifts import quantile_shifts
from fleetslo.errors import NoData
from fleetslo.periods import Period

WEEK = Period(START, START + timedelta(days=7))
LABELS = ("last week", "this week")


def week(factor: float = 1.0, seed: int = 1, **made: object) -> pl.DataFrame:
    return hours(7, slower=lambda _: factor, seed=seed, **made)  # type: ignore[arg-type]


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


class TestNames:
    def test_quantiles_stand_where_their_rarity_is(self) -> None:
        # one in 10, 100, 1,000 lies beyond p90, p99, p99.9
        assert rarity(np.array([0.0, 0.9, 0.99, 0.999])) == pytest.approx([0, 1, 2, 3])

    @pytest.mark.parametrize(("q", "called"), [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")])
    def test_they_are_called_as_people_do(self, q: float, called: str) -> None:
        assert name(q) == called


class TestCurves:
    def test_a_slower_week_is_slower_throughout(self) -> None:
        chart = quantile_curves(week(), week(1.5, seed=2), LABELS)
        # p50 40 → 60 ms, p99 40 × exp(0.6 × 2.326) = 161.5 → 242 ms
        assert plain(chart.title).startswith("Slower throughout: p50 rose from ")
        row = chart.numbers.filter(pl.col("quantile") == "p99").row(0, named=True)
        assert row["before_s"] == pytest.approx(0.1615, rel=0.02)
        assert row["after_s"] == pytest.approx(0.2423, rel=0.02)
        assert row["ratio"] == pytest.approx(1.5, rel=0.02)

    def test_a_faster_one_is_faster(self) -> None:
        assert quantile_curves(week(), week(0.7)).title.startswith("Faster throughout")

    def test_the_same_week_is_alike(self) -> None:
        chart = quantile_curves(week(), week(seed=2), LABELS)
        assert plain(chart.title).startswith("The two are alike: p50 at ")

    def test_only_the_tail_may_move(self) -> None:
        chart = quantile_curves(week(spread=0.6), week(spread=0.8, seed=2))
        assert plain(chart.title).startswith("Only the tail moved: p99 rose from 16")
        assert chart.title.endswith("p50 stayed")

    def test_only_the_middle_may_move(self) -> None:
        # p99 = m × exp(2.326 s): 20 ms and 0.898 give the 161.5 ms of 40 ms and 0.6
        chart = quantile_curves(week(spread=0.6), week(median_s=0.02, spread=0.898, seed=2))
        assert plain(chart.title).startswith("p50 fell from 40")
        assert chart.title.endswith("p99 stayed")

    def test_the_two_may_part(self) -> None:
        chart = quantile_curves(week(spread=0.6), week(median_s=0.03, spread=1.2, seed=2))
        assert "p50 fell from" in chart.title
        assert "but p99 rose from" in chart.title

    def test_a_curve_ends_where_ten_requests_lie_beyond(self) -> None:
        rows = hours(1, per_hour=50)
        count = rows["request_count"].sum() - rows["error_count"].sum()
        trace = quantile_curves(rows, rows).figure.data[0]
        assert trace.x[-1] == pytest.approx(float(rarity(1 - 10 / count)), abs=0.03)
        assert np.all(np.diff(trace.y) >= 0)

    def test_before_is_grey_and_after_is_blue(self) -> None:
        data = quantile_curves(week(), week(1.2), LABELS).figure.data
        assert [(trace.name, trace.line.color) for trace in data] == [
            ("last week", palette.SLATE),
            ("this week", palette.BLUE),
        ]

    def test_its_table_is_headed_by_the_labels(self) -> None:
        chart = quantile_curves(week(), week(1.2), LABELS)
        heads = [column["label"] for column in chart.payload()["numbers"]["columns"]]
        assert heads == ["Quantile", "Last week", "This week", "Factor"]

    def test_a_handful_of_requests_compares_nothing_rare(self) -> None:
        few = hours(1 / 24, per_hour=8)
        chart = quantile_curves(few, few)
        assert chart.numbers["quantile"].to_list() == ["p50"]

    def test_no_durations_on_one_side_is_no_data(self) -> None:
        with pytest.raises(NoData, match="this week"):
            quantile_curves(week(), week().clear(), LABELS)


class TestShifts:
    def test_a_clear_shift_is_told_with_its_interval(self) -> None:
        chart = quantile_shifts(week(), week(1.5, seed=2), LABELS)
        assert plain(chart.title).startswith("All from p50 to p99.9 rose: p99.9 by ")
        row = chart.numbers.filter(pl.col("quantile") == "p50").row(0, named=True)
        assert row["low"] < 1.5 < row["high"]
        assert row["high"] / row["low"] < 1.1

    def test_a_fall_is_told_as_one(self) -> None:
        chart = quantile_shifts(week(), week(0.5, seed=2))
        assert "fell: p99.9 by 5" in chart.title

    def test_no_shift_is_no_finding(self) -> None:
        same = week()
        assert quantile_shifts(same, same).title == "No quantile moved beyond its interval"

    def test_the_same_seed_gives_the_same_interval(self) -> None:
        first, second = (quantile_shifts(week(), week(1.1, seed=2), seed=5) for _ in range(2))
        assert first.numbers.equals(second.numbers)

    def test_two_weeks_on_both_sides_draw_days(self) -> None:
        chart = quantile_shifts(hours(14), hours(14, seed=2, start=START + timedelta(days=14)))
        assert chart.made is not None
        assert "drawing whole days" in chart.made.formula
        shorter = quantile_shifts(week(), week(seed=2)).made
        assert shorter is not None
        assert "drawing whole hours" in shorter.formula

    def test_clear_ones_are_blue_and_the_others_grey(self) -> None:
        chart = quantile_shifts(week(spread=0.6), week(spread=0.75, seed=2))
        colours = {trace.marker.color: list(trace.y) for trace in chart.figure.data}
        assert "p99" in colours[palette.BLUE]
        assert "p50" in colours[palette.GREY]

    def test_a_few_hours_have_no_interval(self) -> None:
        chart = quantile_shifts(hours(3 / 24), hours(3 / 24, seed=2))
        assert chart.title == "Too few hours to say how sure a shift is"
        assert chart.numbers["low"].null_count() == chart.numbers.height
        assert {trace.marker.color for trace in chart.figure.data} == {palette.GREY}

    @pytest.mark.parametrize("factor", [1.02, 1.6, 4.0, 30.0])
    def test_one_is_always_on_the_axis(self, factor: float) -> None:
        axis = quantile_shifts(hours(1), hours(1, slower=lambda _: factor)).figure.layout.xaxis
        assert axis.range[0] < 0 < axis.range[1]
        assert 1.0 in axis.tickvals
        assert len(axis.tickvals) <= 11


class TestMoves:
    def test_what_moved_most_comes_first(self) -> None:
        before = hours(2, endpoints=["GET /cart", "POST /orders"])
        slower = hours(2, endpoints=["POST /orders"], slower=lambda _: 2.0, seed=3)
        after = pl.concat([hours(2, endpoints=["GET /cart"], seed=2), slower])
        table = moves(before, after, "endpoint", LABELS)
        assert plain(table.title).startswith("POST /orders moved most: p99 from 16")
        rows = table.payload()["table"]["columns"]
        assert rows[0]["values"] == ["POST /orders", "GET /cart"]
        assert rows[1]["values"][0] == pytest.approx(2.0, rel=0.05)

    def test_one_alone_moved_itself(self) -> None:
        table = moves(hours(2), hours(2, slower=lambda _: 2.0), "region")
        assert table.title.startswith("eu: p99 from")

    def test_nothing_moved(self) -> None:
        table = moves(hours(2), hours(2, seed=2), "endpoint")
        assert plain(table.title) == "No endpoint moved by more than 5 % at p99"

    def test_what_is_new_has_no_factor(self) -> None:
        both = hours(2, endpoints=["GET /cart", "GET /new"])
        table = moves(hours(2), both, "endpoint")
        columns = {
            column["key"]: column["values"] for column in table.payload()["table"]["columns"]
        }
        assert columns["ratio"][columns["endpoint"].index("GET /new")] is None
        assert columns["before_count"][columns["endpoint"].index("GET /new")] == 0

    def test_few_requests_have_no_factor(self) -> None:
        table = moves(hours(1, per_hour=10), hours(1, per_hour=10), "endpoint")
        assert table.title == "No endpoint has enough requests on both sides"


class TestSides:
    def test_both_are_bars_under_the_plot(self) -> None:
        figure = heat_map(week(), period=WEEK).figure
        half = START + timedelta(days=3)
        said = mark_sides(figure, Period(START, half), Period(half, WEEK.end))
        bars = [shape for shape in figure.layout.shapes if shape.name == "side"]
        assert [bar.fillcolor for bar in bars] == [palette.SLATE, palette.BLUE]
        assert bars[1].x0 == "2026-10-07 00:00"
        assert said

    def test_versions_share_their_time_and_need_none(self) -> None:
        figure = heat_map(week(), period=WEEK).figure
        assert mark_sides(figure, WEEK, WEEK) == ""
        assert not [shape for shape in figure.layout.shapes if shape.name == "side"]
