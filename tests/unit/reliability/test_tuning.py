"""What target the past supports: windows, targets, thresholds, incidents."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.latency_frames import HOURS_SCHEMA, hours

from fleetslo.periods import Period
from fleetslo.reliability import latency
from fleetslo.reliability.agreement import agreement
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.thresholds import by_threshold, offered, selected
from fleetslo.reliability.tuning import (
    LADDER,
    fit,
    met_by_target,
    past,
    supported,
    whole_windows,
    worth_showing,
)
from fleetslo.reliability.windows import CalendarWindow, RollingWindow

START = datetime(2026, 10, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FOUR_DAYS = Period(START, START + 4 * DAY)
TWO_DAYS = RollingWindow(2 * DAY)


def counts(
    good: list[int], valid: list[int], uncertain: list[int] | None = None, *, step: timedelta = DAY
) -> pl.DataFrame:
    """Return rows of so many good and valid, one per step, wholly covered."""
    return pl.DataFrame(
        {
            "at": [START + place * step for place in range(len(good))],
            "good_count": good,
            "valid_count": valid,
            "uncertain_count": uncertain or [0] * len(good),
            "covered_minutes": [step // MINUTE] * len(good),
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )


class TestWindows:
    def test_a_rolling_window_ends_on_every_midnight_that_it_can(self) -> None:
        # Four days hold a window of two that ends after day 2, 3 and 4.
        assert whole_windows(TWO_DAYS, FOUR_DAYS) == [
            Period(START + place * DAY, START + (place + 2) * DAY) for place in range(3)
        ]

    def test_it_ends_on_midnights_even_where_the_history_does_not(self) -> None:
        ragged = Period(START + HOUR, START + 4 * DAY - HOUR)
        # From 01:00 on day 1 to 23:00 on day 4: only 5 to 7 October, 00:00, fits two whole days.
        assert whole_windows(TWO_DAYS, ragged) == [Period(START + DAY, START + 3 * DAY)]

    def test_windows_under_a_day_follow_each_other(self) -> None:
        found = whole_windows(RollingWindow(6 * HOUR), Period(START, START + DAY))
        assert [one.start.hour for one in found] == [0, 6, 12, 18]

    def test_calendar_windows_are_those_that_lie_wholly_inside(self) -> None:
        weeks = CalendarWindow(1, "week", datetime(2026, 10, 5), "UTC")  # noqa: DTZ001 -- local
        found = whole_windows(weeks, Period(START, START + 16 * DAY))
        monday = START + DAY
        assert found == [
            Period(monday, monday + 7 * DAY),
            Period(monday + 7 * DAY, monday + 14 * DAY),
        ]

    def test_a_history_shorter_than_the_window_has_none(self) -> None:
        assert whole_windows(TWO_DAYS, Period(START, START + DAY)) == []

    @given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 23))
    def test_every_window_has_its_length_and_lies_inside(
        self, days: int, length: int, hour: int
    ) -> None:
        history = Period(START + hour * HOUR, START + hour * HOUR + days * DAY)
        found = whole_windows(RollingWindow(length * DAY), history)
        assert all(one.length == length * DAY for one in found)
        assert all(history.start <= one.start and one.end <= history.end for one in found)
        midnights = [one.end for one in found]
        assert midnights == sorted(set(midnights))


class TestPast:
    def test_days_add_up_to_windows(self) -> None:
        days = counts([99, 100, 90, 100], [100, 100, 100, 100])
        found = past(days, whole_windows(TWO_DAYS, FOUR_DAYS))
        assert found["good_count"].to_list() == [199, 190, 190]  # 99+100, 100+90, 90+100
        assert found["sli_low"].to_list() == [0.995, 0.95, 0.95]
        assert found["coverage"].to_list() == [1.0, 1.0, 1.0]
        assert found["is_judged"].all()

    def test_uncertain_ones_leave_two_bounds(self) -> None:
        found = past(counts([90, 90], [100, 100], [4, 6]), [Period(START, START + 2 * DAY)])
        assert found.select("sli_low", "sli_high").row(0) == (0.9, 0.95)  # 180 and 190 of 200

    def test_a_window_that_is_not_covered_is_not_judged(self) -> None:
        # One of two days was reported: coverage 0.5, under 0.9.
        found = past(counts([99], [100]), [Period(START, START + 2 * DAY)])
        assert found.select("coverage", "is_judged").row(0) == (0.5, False)

    def test_a_window_without_requests_has_no_sli(self) -> None:
        found = past(counts([0, 0], [0, 0]), [Period(START, START + 2 * DAY)])
        assert found.select("sli_low", "sli_high", "is_judged").row(0) == (None, None, False)

    def test_a_window_from_before_the_data_is_no_row(self) -> None:
        before = Period(START - 2 * DAY, START)
        found = past(counts([99, 99], [100, 100]), [before, Period(START, START + 2 * DAY)])
        assert found["start"].to_list() == [START]

    def test_no_window_is_no_row(self) -> None:
        assert past(counts([1], [1]), []).is_empty()

    @given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=4, max_size=4))
    def test_the_grain_does_not_matter(self, rows: list[tuple[int, int]]) -> None:
        # Each day's counts lie in its first hour, or are told by day: the windows are the same.
        good, valid = [min(pair) for pair in rows], [max(pair) for pair in rows]
        fine = counts(
            [x for one in good for x in (one, *[0] * 23)],
            [x for one in valid for x in (one, *[0] * 23)],
            step=HOUR,
        )
        windows = whole_windows(TWO_DAYS, FOUR_DAYS)
        assert past(fine, windows).equals(past(counts(good, valid), windows))


class TestTargets:
    # Windows of 1,000 requests with 1, 4 and 12 bad: SLIs 0.999, 0.996 and 0.988.
    WINDOWS = past(
        counts([999, 996, 988], [1000] * 3),
        [Period(START + place * DAY, START + (place + 1) * DAY) for place in range(3)],
    )

    def test_each_target_is_held_against_every_window(self) -> None:
        found = met_by_target(self.WINDOWS, [0.98, 0.99, 0.996, 0.999])
        # 0.996 exactly and 0.999 exactly are met: equal is met.
        assert found["met_count"].to_list() == [3, 2, 2, 1]
        assert found["missed_count"].to_list() == [0, 1, 1, 2]

    def test_a_budget_of_less_than_a_request_says_nothing(self) -> None:
        # 99.95 % of 1,000 leaves half of a request: neither met nor missed, whatever happened.
        found = met_by_target(self.WINDOWS, [0.9995])
        assert found.row(0) == (0.9995, 3, 0, 0, 3)

    def test_the_tightest_always_met_and_the_loosest_ever_missed(self) -> None:
        found = supported(self.WINDOWS)
        assert (found.worst, found.typical, found.best) == (0.988, 0.996, 0.999)
        assert found.always_met == 0.98  # the ladder has 0.98 and 0.99 around 0.988
        assert found.ever_missed == 0.99

    def test_uncertain_ones_widen_the_gap_between_the_two(self) -> None:
        # Between 0.985 and 0.995: 98 % is met for certain, 99.7 % missed for certain.
        windows = past(counts([985], [1000], [10]), [Period(START, START + DAY)])
        found = supported(windows)
        assert (found.always_met, found.ever_missed) == (0.98, 0.997)
        between = met_by_target(windows, [0.99])
        assert between.row(0) == (0.99, 1, 0, 0, 1)

    def test_without_a_window_nothing_is_known(self) -> None:
        found = supported(self.WINDOWS.clear())
        assert found.window_count == 0
        assert found.worst is found.always_met is found.ever_missed is None

    def test_targets_are_shown_to_the_first_two_that_were_never_met(self) -> None:
        # The best window had 0.9985: after 99.8 % come 99.9 and 99.95 %.
        assert worth_showing(0.9985, [0.5, 0.999]) == [
            0.5, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.997, 0.998, 0.999, 0.9995,
        ]  # fmt: skip
        assert worth_showing(None, [0.99]) == [0.9, 0.95, 0.99]

    def test_the_ladder_rises_to_five_nines(self) -> None:
        assert list(LADDER) == sorted(set(LADDER))
        assert LADDER[-1] == 0.99999
        assert {0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999} <= set(LADDER)

    @given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 3), min_size=1, max_size=12))
    def test_a_tighter_target_is_never_met_more_often(
        self, rows: list[tuple[int, int, int]]
    ) -> None:
        good, maybe, _ = zip(*rows, strict=True)
        windows = past(
            counts(list(good), [sum(row) for row in rows], list(maybe)),
            [Period(START + place * DAY, START + (place + 1) * DAY) for place in range(len(rows))],
        )
        found = met_by_target(windows)
        assert found["met_count"].is_sorted(descending=True)
        added = found["met_count"] + found["missed_count"] + found["unsure_count"]
        assert (added == found["window_count"]).all()
        support = supported(windows)
        if support.always_met is not None and support.ever_missed is not None:
            assert support.always_met < support.ever_missed


class TestFit:
    def windows(self, *bad: int) -> pl.DataFrame:
        return past(
            counts([10_000 - one for one in bad], [10_000] * len(bad)),
            [Period(START + place * DAY, START + (place + 1) * DAY) for place in range(len(bad))],
        )

    @pytest.mark.parametrize(
        ("bad", "says", "worst_spent"),
        [
            # 99.9 % of 10,000 leaves ten.
            ((1, 2), "too_loose", 0.2),  # a quarter of the budget was always enough
            ((2, 3), "fits", 0.3),
            ((3, 12), "fits", 1.2),  # missed once of two
            ((11, 12), "too_tight", 1.2),  # missed always
            ((10, 12), "fits", 1.2),  # ten of ten is met
            ((0, 0), "too_loose", 0.0),
        ],
    )
    def test_it_says_whether_a_target_fits(
        self, bad: tuple[int, ...], says: str, worst_spent: float
    ) -> None:
        found, numbers = fit(self.windows(*bad), 0.999)
        assert found == says
        assert numbers["worst_spent"] == pytest.approx(worst_spent)
        assert numbers["window_count"] == 2

    def test_a_budget_of_less_than_a_request_is_unknown(self) -> None:
        # 99.999 % of 10,000 leaves a tenth of a request.
        assert fit(self.windows(0, 0), 0.99999)[0] == "unknown"

    def test_no_window_is_unknown(self) -> None:
        assert fit(self.windows(0).clear(), 0.999)[0] == "unknown"


def hour_row(
    place: int, histogram: dict[int, int], *, faults: int = 0, lost: int = 0, quality: str = "exact"
) -> dict[str, object]:
    """Return an hour as ``latency/hours``: a histogram, faults, and successes without duration."""
    return {
        "service": "checkout",
        "endpoint": "GET /cart" if place % 2 == 0 else "POST /orders",
        "region": "eu",
        "version": "1",
        "hour": START + place * HOUR,
        "request_count": sum(histogram.values()) + faults + lost,
        "error_count": faults,
        "duration_sum_s": None,
        "latency": [{"bucket": key, "count": count} for key, count in histogram.items()],
        "quality": quality,
    }


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=HOURS_SCHEMA)


class TestThresholds:
    # Bucket -17 ends at 2 ** -1 = 0.5 s, bucket -1 at 1 s, bucket 15 at 2 s.
    ROWS = frame(
        hour_row(0, {-17: 90, -1: 6, 15: 4}, faults=5),
        hour_row(1, {-17: 50}, lost=2),
    )

    def row(self, frame: pl.DataFrame, within_s: float, place: int) -> tuple[int, int, int]:
        one = frame.filter(
            pl.col("within_s") == within_s, pl.col("at") == START + place * HOUR
        ).row(0, named=True)
        return one["good_count"], one["valid_count"], one["uncertain_count"]

    def test_a_bound_leaves_only_lost_durations_uncertain(self) -> None:
        found = by_threshold(self.ROWS, "successful", [0.5, 1.0, 2.0])
        assert self.row(found, 0.5, 0) == (90, 100, 0)
        assert self.row(found, 1.0, 0) == (96, 100, 0)
        assert self.row(found, 2.0, 0) == (100, 100, 0)
        assert self.row(found, 0.5, 1) == (50, 52, 2)  # two successes nobody timed

    def test_faults_are_bad_where_all_requests_count(self) -> None:
        found = by_threshold(self.ROWS, "all", [1.0])
        assert self.row(found, 1.0, 0) == (96, 105, 0)

    def test_a_threshold_inside_a_bucket_leaves_it_uncertain(self) -> None:
        found = by_threshold(self.ROWS, "successful", [0.99])  # bucket -1 runs from 0.958 to 1 s
        assert self.row(found, 0.99, 0) == (90, 100, 6)

    def test_an_approximate_row_counts_only_on_one_side(self) -> None:
        rows = frame(hour_row(0, {-17: 90, -1: 6, 15: 4}, quality="approximate"))
        found = by_threshold(rows, "successful", [0.4, 0.5, 1.0, 2.0])
        assert self.row(found, 0.4, 0) == (0, 100, 0)  # all of it is slower
        assert self.row(found, 0.5, 0) == (0, 100, 100)
        assert self.row(found, 1.0, 0) == (0, 100, 100)
        assert self.row(found, 2.0, 0) == (100, 100, 0)  # all of it is faster

    def test_an_hour_of_faults_alone_has_no_durations(self) -> None:
        found = by_threshold(frame(hour_row(0, {}, faults=3)), "all", [1.0])
        assert self.row(found, 1.0, 0) == (0, 3, 0)

    def test_only_what_the_objective_counts_is_selected(self) -> None:
        assert selected(self.ROWS, Selector("all", endpoints=("GET *",))).height == 1
        assert selected(self.ROWS, Selector("all", regions=("us",))).is_empty()
        assert selected(self.ROWS, Selector("all")).height == 2

    @given(st.floats(0.001, 10))
    def test_each_hour_counts_what_its_histogram_says(self, within_s: float) -> None:
        # Another way to the same counts: each row's own histogram, by count_at_most.
        rows = hours(0.25, endpoints=["GET /cart", "POST /orders"], per_hour=60)
        found = by_threshold(rows, "successful", [within_s])
        low = high = 0
        for row in rows.iter_rows(named=True):
            buckets = [entry["bucket"] for entry in row["latency"]]
            one = latency.count_at_most(
                buckets, [entry["count"] for entry in row["latency"]], within_s
            )
            low, high = low + one.low, high + one.high
        assert found["good_count"].sum() == low
        assert (found["good_count"] + found["uncertain_count"]).sum() == high

    def test_what_is_offered_ascends_and_holds_the_present_one(self) -> None:
        rows = hours(1)
        found = offered(rows, 0.1)
        assert found == sorted(found)
        # A lognormal with a median of 40 ms and a spread of 0.6 has its 85th percentile at
        # 0.04 × e ** (1.036 × 0.6) = 74 ms.
        assert 0.07 < found[0] < 0.08
        # 0.1 lies between 2 ** (-54 / 16) and 2 ** (-53 / 16), here to ten digits.
        assert {0.1, 0.09638817659, 0.1006556457} <= set(found)
        exact = [one for one in found if len(set(latency.nearest_bounds(one))) == 1]
        assert found == sorted([*exact, 0.1])  # all but the present one are bounds
        assert len(found) <= 43  # forty, the present one and its two neighbours

    def test_without_a_duration_the_present_one_is_offered(self) -> None:
        assert offered(frame(hour_row(0, {}, faults=3)), 0.5) == [0.5]


class TestAgreement:
    PERIOD = Period(START, START + DAY)

    def minutes(self, **bad_at: int) -> pl.DataFrame:
        """Return a day of 100 requests a minute, one bad in each hour's first minute."""
        bad = [1 if place % 60 == 0 else 0 for place in range(1440)]
        for key, count in bad_at.items():
            bad[int(key.removeprefix("m"))] = count
        return counts([100 - one for one in bad], [100] * 1440, step=MINUTE)

    def incidents(self, *times: tuple[int, int | None]) -> pl.DataFrame:
        return pl.DataFrame(
            [
                {
                    "incident_id": f"INC-{number}",
                    "title": "it broke",
                    "severity": "sev2",
                    "started_at": START + first * MINUTE,
                    "resolved_at": None if last is None else START + last * MINUTE,
                }
                for number, (first, last) in enumerate(times)
            ],
            schema={
                **dict.fromkeys(("incident_id", "title", "severity"), pl.String),
                **dict.fromkeys(("started_at", "resolved_at"), pl.Datetime("us", "UTC")),
            },
        )

    def found(self, minutes: pl.DataFrame, incidents: pl.DataFrame):
        return agreement(minutes, incidents, self.PERIOD, target=0.999, window=DAY)

    def test_an_incident_spends_what_is_beyond_the_usual(self) -> None:
        # Usual: 1 of 6,000 an hour. The incident's ten minutes, 600 to 609, hold 1,000 requests
        # and 40 + 30 bad: 70 − 1,000 / 6,000 = 69.83, of a budget of 144 (0.001 × 144,000).
        found = self.found(self.minutes(m601=40, m602=29), self.incidents((600, 610)))
        assert found.usual == 1 / 6000
        assert found.budget_count == pytest.approx(144)
        row = found.incidents.row(0, named=True)
        assert row["bad_count"] == 70
        assert row["spent"] == pytest.approx((70 - 1 / 6) / 144)
        assert not row["is_unseen"]
        assert found.stretches.is_empty()

    def test_an_incident_that_spent_nothing_is_told(self) -> None:
        found = self.found(self.minutes(), self.incidents((601, 640)))
        row = found.incidents.row(0, named=True)
        assert row["spent"] == 0
        assert row["is_unseen"]

    def test_an_open_incident_reaches_to_the_end(self) -> None:
        found = self.found(self.minutes(m1439=50), self.incidents((1400, None)))
        assert found.incidents["ended_at"].to_list() == [START + DAY]
        assert found.incidents["bad_count"].to_list() == [50]

    def test_spending_without_an_incident_is_told_by_its_hours(self) -> None:
        # 10:00 to 12:00: 61 and 41 bad instead of 1 and 1; excess 100, of a budget of 144.
        found = self.found(self.minutes(m610=60, m670=40), self.incidents())
        row = found.stretches.row(0, named=True)
        assert (row["start"], row["end"]) == (START + 10 * HOUR, START + 12 * HOUR)
        assert row["bad_count"] == 102
        assert row["spent"] == pytest.approx(100 / 144)

    def test_the_hours_around_an_incident_are_its_own(self) -> None:
        found = self.found(self.minutes(m590=60), self.incidents((600, 610)))
        assert found.stretches.is_empty()

    def test_a_few_more_than_usual_do_not_stand_out(self) -> None:
        # 4 bad in an hour: under the least of 5. 6 of 6,000 burn at exactly 1 ×: not over it.
        found = self.found(self.minutes(m610=3, m910=5), self.incidents())
        assert found.stretches.is_empty()

    def test_no_data_is_no_number(self) -> None:
        found = self.found(self.minutes().clear(), self.incidents((600, 610)))
        assert found.usual is None
        assert found.incidents["spent"].to_list() == [None]
        assert found.incidents["is_unseen"].to_list() == [None]
        assert found.stretches.is_empty()
