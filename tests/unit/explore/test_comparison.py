"""What is compared with what."""

from datetime import timedelta

import polars as pl
import pytest
from tests.latency_frames import START, hours

from fleetslo.errors import NoData
from fleetslo.explore.comparison import (
    Selection,
    around,
    between_versions,
    busiest,
    newest_versions,
    reach,
    rollouts,
    with_period_before,
)
from fleetslo.periods import Period

HOUR = timedelta(hours=1)
WEEK = Period(START + timedelta(days=7), START + timedelta(days=14))


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    half = START + timedelta(days=10)
    return hours(
        14,
        per_hour=50,
        endpoints=["GET /cart", "POST /orders"],
        regions=["eu", "us"],
        version=lambda hour: "1" if hour < half else "2",
    )


class TestSelection:
    def test_everything_is_selected_unless_something_is_named(self, rows: pl.DataFrame) -> None:
        assert Selection("checkout").of(rows).height == rows.height

    def test_each_part_narrows_it(self, rows: pl.DataFrame) -> None:
        some = Selection("checkout", "GET /cart", "eu", "2").of(rows)
        assert some.height == 4 * 24  # days 10 to 14 of one endpoint and region
        assert some["version"].unique().to_list() == ["2"]

    def test_it_can_be_read_aloud(self) -> None:
        assert str(Selection("checkout")) == "checkout, all endpoints, all regions"
        assert str(Selection("a", "GET /x", "eu", "2")) == "a, GET /x, eu, version 2"


class TestPeriods:
    def test_a_period_is_compared_with_the_one_before(self, rows: pl.DataFrame) -> None:
        found = with_period_before(rows, WEEK)
        assert found.shown == reach(WEEK) == Period(START, WEEK.end)
        assert found.before.hours["hour"].max() == WEEK.start - HOUR
        assert found.after.hours["hour"].min() == WEEK.start
        assert found.before.hours.height + found.after.hours.height == rows.height
        assert found.labels == (WEEK.previous().label, WEEK.label)


class TestVersions:
    def test_both_are_looked_at_within_the_period(self, rows: pl.DataFrame) -> None:
        found = between_versions(rows, WEEK, "1", "2")
        assert found.before.hours["hour"].min() == WEEK.start
        assert found.before.hours.height == 3 * 24 * 4  # days 7 to 10
        assert found.after.hours.height == 4 * 24 * 4
        assert found.labels == ("version 1", "version 2")

    def test_one_that_did_not_serve_is_named(self, rows: pl.DataFrame) -> None:
        with pytest.raises(NoData, match="version 9 served nothing"):
            between_versions(rows, WEEK, "1", "9")

    def test_one_is_not_compared_with_itself(self, rows: pl.DataFrame) -> None:
        with pytest.raises(NoData, match="choose two versions"):
            between_versions(rows, WEEK, "1", "1")


class TestAround:
    def test_the_hour_in_between_belongs_to_neither(self, rows: pl.DataFrame) -> None:
        moment = START + timedelta(days=10, hours=10, minutes=48)
        found = around(rows, WEEK, moment, "2")
        assert found.before.hours["hour"].max() == START + timedelta(days=10, hours=9)
        assert found.after.hours["hour"].min() == START + timedelta(days=10, hours=11)
        assert found.before.hours.height == found.after.hours.height == 24 * 4

    def test_a_whole_hour_splits_exactly(self, rows: pl.DataFrame) -> None:
        moment = START + timedelta(days=10, hours=10)
        found = around(rows, WEEK, moment, "2")
        assert found.before.period.end == found.after.period.start == moment

    def test_both_sides_are_as_long_as_the_shorter_can_be(self, rows: pl.DataFrame) -> None:
        found = around(rows, WEEK, WEEK.end - 5 * HOUR, "2")
        assert found.before.period.length == found.after.period.length == 5 * HOUR
        assert found.labels[1].startswith("5")

    def test_at_the_very_end_there_is_nothing_to_compare(self, rows: pl.DataFrame) -> None:
        with pytest.raises(NoData, match="too near to an end"):
            around(rows, WEEK, WEEK.end - timedelta(minutes=30), "2")


class TestOffers:
    def test_the_busiest_come_first(self, rows: pl.DataFrame) -> None:
        more = rows.with_columns(
            request_count=pl.when(pl.col("region") == "us").then(900).otherwise(1)
        )
        assert [value for value, _ in busiest(more, "region")] == ["us", "eu"]
        assert busiest(more, "region")[0][1] == 900 * 14 * 24 * 2

    def test_the_version_that_served_last_comes_first(self, rows: pl.DataFrame) -> None:
        assert newest_versions(rows) == ["2", "1"]

    def test_regions_of_a_rollout_are_one_and_the_worst_outcome_counts(self) -> None:
        at = WEEK.start + HOUR
        frame = pl.DataFrame(
            {
                "rollout_id": ["a", "a", "b", "old", "c"],
                "service": ["s", "s", "s", "s", "other"],
                "version": ["1", "1", "2", "0", "9"],
                "started_at": [at + HOUR, at, at + 5 * HOUR, START, at],
                "outcome": ["succeeded", "rolled_back", "succeeded", "failed", "failed"],
            }
        )
        found = rollouts(frame, WEEK, "s")
        assert found["rollout_id"].to_list() == ["b", "a"]
        assert found["started_at"].to_list() == [at + 5 * HOUR, at]
        assert found["outcome"].to_list() == ["succeeded", "rolled_back"]
