"""Errors over time and the tables of what is new and what it cost."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from tests.error_frames import HOUR, START, errors, requests, stretch

from fleetslo.charts import theme
from fleetslo.charts.blocks import Chart, Table
from fleetslo.charts.errors.over_time import OTHERS, called, errors_over_time
from fleetslo.charts.errors.stack import MOST_APART
from fleetslo.charts.errors.tables import groups_table, news_table
from fleetslo.explore.error_findings import groups, news
from fleetslo.periods import Period
from fleetslo.reliability.failing.clumping import Stretch

DAY = 24 * HOUR
TWO_DAYS = Period(START, START + 2 * DAY)
SERVED = [1000] * 24
LABELS = ("before", "now")


def drawn(
    before: Stretch, after: Stretch, by: str = "error", shown: Period = TWO_DAYS, **options: Any
) -> Chart:
    both = Stretch(
        pl.concat([before.errors, after.errors]), pl.concat([before.requests, after.requests])
    )
    return errors_over_time(before, after, both, by, shown=shown, noun="faults", **options)


def sides(first: Any = (), second: Any = (), **options: Any) -> tuple[Stretch, Stretch]:
    """Return a day of a thousand requests an hour before another one."""
    return (
        stretch(*first, served=options.get("served", SERVED)),
        stretch(*second, served=SERVED, first=START + DAY),
    )


class TestOverTime:
    def test_the_bars_of_an_hour_add_up_to_all_its_errors(self) -> None:
        kinds = [[i + 1] for i in range(7)]  # 1 + 2 + … + 7 = 28
        chart = drawn(*sides(kinds))
        bars = [trace for trace in chart.figure.data if trace.type == "bar"]
        assert sum(bar.y[0] for bar in bars) == 28
        assert [bar.name for bar in bars] == ["506", "505", "504", "503", OTHERS]
        assert bars[-1].y[0] == 1 + 2 + 3

    def test_few_are_apart_and_nothing_is_left_for_the_rest(self) -> None:
        chart = drawn(*sides([[3], [2]]))
        assert [one.name for one in chart.figure.data] == ["500", "501"]

    def test_what_grew_is_apart_however_few_it_is(self) -> None:
        kinds = [[i + 1] for i in range(7)]
        chart = drawn(*sides(kinds), first=["500"])
        names = [one.name for one in chart.figure.data]
        assert "500" in names
        assert len(names) == MOST_APART + 1

    def test_as_a_share_it_is_errors_over_requests(self) -> None:
        chart = drawn(*sides([[30]]), measure="share")
        assert chart.figure.data[0].y[0] == pytest.approx(30 / 1000)

    def test_an_hour_without_a_report_is_a_gap_and_one_without_errors_is_zero(self) -> None:
        served: list[Any] = [1000] * 6 + [None] * 6 + [1000] * 12
        before = Stretch(errors([5]), requests(served))
        chart = drawn(before, sides()[1])
        column = chart.numbers.filter(pl.col("bin") < START + DAY)["v0"].to_list()
        assert column == [5, 0, 0, 0, 0, 0] + [None] * 6 + [0] * 12
        (gap,) = [shape for shape in chart.figure.layout.shapes if shape.name == "no data"]
        assert (gap.x0, gap.x1) == ("2026-10-04 06:00", "2026-10-04 12:00")
        assert "no data" in [one.text for one in chart.figure.layout.annotations]

    def test_an_hour_without_traffic_is_no_gap(self) -> None:
        chart = drawn(*sides([[5]], served=[1000] * 23 + [0]), measure="share")
        assert not [shape for shape in chart.figure.layout.shapes if shape.name == "no data"]

    def test_a_long_stretch_has_wider_bars(self) -> None:
        month = Period(START, START + timedelta(days=28))
        chart = drawn(*sides([[5, 7]]), shown=month)
        assert chart.numbers["v0"][0] == 12  # both hours are in the first four
        assert "per 4" in chart.says

    def test_deployments_and_incidents_are_marked(self) -> None:
        at = START + 3 * HOUR
        deployed = pl.DataFrame(
            {"service": ["shop"], "version": ["2"], "started_at": [at], "outcome": ["failed"]}
        )
        incident = pl.DataFrame(
            {
                "incident_id": ["INC-1"],
                "service": ["shop"],
                "title": ["it fails"],
                "started_at": [at],
                "resolved_at": [at + HOUR],
            }
        )
        chart = drawn(*sides([[5]]), deployments=deployed, incidents=incident)
        assert {"Deployments that failed", "Incidents"} <= {one.name for one in chart.figure.data}

    def test_only_colours_with_a_dark_twin_are_used(self) -> None:
        chart = drawn(*sides([[i + 1] for i in range(7)]))
        assert {bar.marker.color for bar in chart.figure.data} <= set(theme.COLOURS)


class TestFinding:
    def test_a_burst_is_told_with_its_hours_and_what_it_was(self) -> None:
        # 98 of 121 errors in hours 10 and 11: 81 %.
        kinds = [[1] * 10 + [49, 49] + [1] * 12, [0] * 23 + [1]]
        chart = drawn(*sides([], kinds))
        told = "81\u202f% of the faults came in 2\u202fh from 5 Oct 10:00, mostly 500"
        assert chart.title == told

    def test_a_few_errors_are_no_burst(self) -> None:
        # Half of them came in one hour, and they are three.
        assert "came in" not in drawn(*sides([], [[3, *[0] * 20, 1, 1, 1]])).title

    def test_otherwise_both_rates_are(self) -> None:
        chart = drawn(*sides([[1] * 24], [[2] * 24]))
        assert chart.title == "0.20\u202f% of requests were faults, 0.10\u202f% before"

    def test_none_is_told_with_what_was_before(self) -> None:
        assert drawn(*sides([[1] * 24])).title == "No faults in this stretch, 24 before"
        assert drawn(*sides()).title == "No faults in this stretch"

    def test_without_a_request_nothing_is_claimed(self) -> None:
        before = stretch(served=[])
        assert drawn(before, before).title == "No request was recorded that could have failed"
        first = drawn(before, stretch([1] * 24, served=SERVED, first=START + DAY))
        assert first.title == "0.10\u202f% of requests were faults"


@pytest.mark.parametrize(
    ("value", "dimension", "name"),
    [
        ("java.util.concurrent.TimeoutException", "error", "TimeoutException"),
        ("503", "error", "503"),
        ("grpc.status.unavailable", "error", "grpc.status.unavailable"),
        (None, "upstream", "no upstream"),
        ("", "region", "(none)"),
        ("a.B", "endpoint", "a.B"),
    ],
)
def test_values_are_called_what_people_call_them(
    value: str | None, dimension: str, name: str
) -> None:
    assert called(value, dimension) == name


def new_table(before: Stretch, after: Stretch) -> Table:
    return news_table(news(before, after, None), LABELS, "faults")


class TestNews:
    def test_what_is_new_is_named_with_its_count_and_its_start(self) -> None:
        table = new_table(*sides([], [[0] * 12 + [10] * 12]))
        assert table.title == "500 is new at GET /: 120 since 5 Oct 12:00"
        (row,) = table.rows
        assert row["mostly"] == "5 Oct 12:00 – 6 Oct 00:00"
        assert row["factor"].startswith("over ")
        assert row["cost"] == "no budget"

    def test_one_error_at_several_endpoints_is_one_finding(self) -> None:
        before, after = sides([], [[5] * 24])
        both = Stretch(
            pl.concat([after.errors, after.errors.with_columns(endpoint=pl.lit("POST /"))]),
            pl.concat([after.requests, after.requests.with_columns(endpoint=pl.lit("POST /"))]),
        )
        earlier = Stretch(
            before.errors,
            both.requests.with_columns(pl.col("hour") - DAY),
        )
        assert new_table(earlier, both).title == "500 is new at 2 endpoints: 240 since 5 Oct 00:00"

    def test_what_rose_is_told_from_and_to(self) -> None:
        table = new_table(*sides([[2] * 24], [[20] * 24]))
        assert table.title == "500 rose at GET / from 48 to 480 since 5 Oct 00:00"
        (row,) = table.rows
        assert row["factor"].startswith("10\u202f× (")

    def test_others_that_are_new_are_counted(self) -> None:
        title = new_table(*sides([], [[9] * 24, [8] * 24, [7] * 24])).title
        assert title.endswith("; two more are new or rose")

    def test_when_nothing_is_new_it_says_so(self) -> None:
        assert new_table(*sides([[3] * 24], [[3] * 24])).title == (
            "Nothing is new: no faults changed beyond their usual ups and downs"
        )
        assert new_table(*sides([[30] * 24], [[3] * 24])).title == (
            "Nothing is new, and 500 fell from 720 to 72"
        )

    def test_the_version_that_stands_out_is_named(self) -> None:
        before, after = sides([[1] * 24], [[1] * 24])
        canary = Stretch(
            pl.concat([after.errors, errors([50] * 6, START + 2 * DAY, version="2")]),
            pl.concat([after.requests, requests([100] * 6, START + 2 * DAY, version="2")]),
        )
        (row,) = new_table(before, canary).rows
        # 300 of 324 errors and 600 of 24,600 requests
        assert "version 2 (93\u202f% of them, 2\u202f% of requests)" in row["mostly"]

    def test_without_errors_there_is_an_empty_table(self) -> None:
        table = new_table(*sides())
        assert table.empty in table.text()


class TestGroups:
    def test_without_an_objective_nothing_is_spent(self) -> None:
        rows = groups(*sides([[3]], [[3]]), ["error"], None)
        table = groups_table(rows, "error", LABELS, noun="faults")
        assert table.title == "No objective counts these faults, so no budget is spent"
        assert table.rows[0]["counts_as"] == "unbudgeted"

    def test_mistakes_of_callers_are_marked_as_free(self) -> None:
        before, after = sides([], [[5]])
        mistakes = Stretch(after.errors.with_columns(is_fault=pl.lit(value=False)), after.requests)
        table = groups_table(groups(before, mistakes, ["error"], None), "error", LABELS)
        assert table.title == "Mistakes of callers cost no budget"
        column = next(one for one in table.columns if one.key == "counts_as")
        assert (column.words or {})["mistake"] == "Costs nothing: the caller's"

    def test_the_shares_add_up(self) -> None:
        rows = groups(*sides([], [[5], [15]]), ["error"], None)
        assert dict(rows.select("error", "share").iter_rows()) == {"500": 0.25, "501": 0.75}

    def test_nothing_at_all_is_told(self) -> None:
        rows = groups(*sides([[5]]), ["error"], None)
        table = groups_table(rows, "error", LABELS, noun="faults")
        assert table.title == "No faults in this stretch"
