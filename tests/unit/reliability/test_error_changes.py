"""Which errors are new, rose or fell: rates, intervals, clumping."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal
from tests.error_frames import HOUR, START, errors, requests, stretch

from fleetslo.errors import ParameterError
from fleetslo.reliability.failing.changes import error_changes
from fleetslo.reliability.failing.clumping import Stretch
from fleetslo.reliability.failing.places import standing_out

TEN = [1000] * 10  # hours of a thousand requests each
LATER = START + 10 * HOUR


def only(before: Stretch, after: Stretch, by: str = "error") -> dict[str, Any]:
    """Return the one row there is."""
    found = error_changes(before, after, [by])
    assert found.height == 1
    return found.row(0, named=True)


class TestRates:
    def test_they_are_errors_per_request_and_the_factor_is_their_ratio(self) -> None:
        row = only(stretch([6], served=TEN), stretch([6, 6, 6], served=TEN))
        assert row["before_rate"] == pytest.approx(6 / 10_000)
        assert row["after_rate"] == pytest.approx(18 / 10_000)
        assert row["ratio"] == pytest.approx(3)
        assert row["excess_count"] == pytest.approx(18 - 6)

    def test_twice_the_requests_halve_a_rate(self) -> None:
        row = only(stretch([6], served=TEN), stretch([6], served=TEN * 2))
        assert row["ratio"] == pytest.approx(0.5)

    def test_a_rate_is_of_the_requests_of_its_endpoint(self) -> None:
        served = pl.concat([requests([100]), requests([900], endpoint="POST /")])
        side = Stretch(errors([5]), served)
        assert only(side, side, "endpoint")["after_rate"] == pytest.approx(5 / 100)
        assert only(side, side, "error")["after_rate"] == pytest.approx(5 / 1000)

    def test_without_a_request_there_is_no_rate_and_no_change(self) -> None:
        row = only(stretch(served=[0]), stretch([7], served=[10]))
        assert row["before_rate"] is row["ratio"] is row["low"] is row["change"] is None
        assert row["after_rate"] == pytest.approx(0.7)

    def test_faults_and_mistakes_of_callers_of_one_name_stay_apart(self) -> None:
        both = pl.concat([errors([5]), errors([3], is_fault=False)])
        found = error_changes(stretch(served=TEN), Stretch(both, requests(TEN)), ["error"])
        assert dict(found.select("is_fault", "after_count").iter_rows()) == {True: 5, False: 3}

    def test_no_upstream_is_a_value_of_its_own(self) -> None:
        both = pl.concat([errors([5]), errors([3], upstream="stock")])
        side = Stretch(both, requests(TEN))
        found = error_changes(side, side, ["upstream"])
        assert dict(found.select("upstream", "before_count").iter_rows()) == {None: 5, "stock": 3}

    def test_what_grew_most_comes_first(self) -> None:
        found = error_changes(
            stretch([50], [10], served=TEN), stretch([0], [30], [5], served=TEN), ["error"]
        )
        assert found["error"].to_list() == ["501", "502", "500"]  # +20, +5, −50


class TestIntervals:
    """Clopper and Pearson's interval of the share that falls into the later stretch."""

    def test_ten_of_ten_errors(self) -> None:
        # The lower end for 10 of 10 is 0.025^(1/10) = 0.6915; as odds 0.6915 / 0.3085 = 2.2415.
        row = only(stretch(served=TEN), stretch([1] * 10, served=TEN))
        assert row["low"] == pytest.approx(0.025**0.1 / (1 - 0.025**0.1))
        assert row["low"] == pytest.approx(2.2415, abs=5e-4)
        assert row["high"] is None
        assert row["change"] == "new"

    def test_five_of_ten_errors(self) -> None:
        # The interval of 5 of 10 is 0.1871 to 0.8129 (Clopper and Pearson 1934, chart for 0.95).
        row = only(stretch([1] * 5, served=TEN[:5]), stretch([1] * 5, served=TEN[:5]))
        assert row["low"] == pytest.approx(0.1871 / 0.8129, abs=2e-4)
        assert row["high"] == pytest.approx(0.8129 / 0.1871, abs=4e-3)
        assert row["change"] == "unclear"

    def test_unequal_traffic_shifts_the_odds(self) -> None:
        # Twice the requests later: the same ten errors are half as telling.
        row = only(stretch(served=TEN), stretch([1] * 10, served=TEN * 2))
        assert row["low"] == pytest.approx(0.025**0.1 / (1 - 0.025**0.1) / 2)

    def test_two_kinds_share_the_five_per_cent(self) -> None:
        # Bonferroni: 0.05 / 2 kinds / 2 ends = 0.0125.
        found = error_changes(
            stretch(served=TEN), stretch([1] * 10, [1] * 10, served=TEN), ["error"]
        )
        one = 0.0125**0.1
        assert found["low"].to_list() == pytest.approx([one / (1 - one)] * 2)

    def test_fewer_than_five_errors_say_nothing(self) -> None:
        row = only(stretch(served=TEN), stretch([1] * 4, served=TEN))
        assert row["low"] is None
        assert row["change"] == "unclear"

    def test_what_stopped_fell(self) -> None:
        row = only(stretch([1] * 10, served=TEN), stretch(served=TEN))
        assert row["ratio"] == row["low"] == 0
        # The upper end for 0 of 10 is 1 − 0.025^(1/10) = 0.3085; as odds 0.4461.
        assert row["high"] == pytest.approx(0.4461, abs=5e-4)
        assert row["change"] == "fell"


class TestClumping:
    def test_two_bursts_of_a_hundred_are_one_against_one(self) -> None:
        # 100 errors in one of ten equal hours: 10 expected in each, (90² + 9 · 10²) / 10 = 900,
        # over 9 degrees of freedom 100: one burst against one, and less, since 18 degrees of
        # freedom know it roughly. An interval of 1 of 2 is 0.0126 to 0.9874.
        burst = [100, *[0] * 9]
        row = only(stretch(burst, served=TEN), stretch(burst, served=TEN))
        assert row["low"] < 0.0126 / 0.9874
        assert row["change"] == "unclear"

    def test_twice_the_bursts_is_no_rise(self) -> None:
        once, twice = [100, *[0] * 9], [100, *[0] * 8, 100]
        assert only(stretch(once, served=TEN), stretch(twice, served=TEN))["change"] == "unclear"

    def test_evenly_spread_the_same_counts_rose(self) -> None:
        row = only(stretch([10] * 10, served=TEN), stretch([20] * 10, served=TEN))
        assert row["change"] == "rose"

    def test_a_burst_does_not_excuse_itself(self) -> None:
        row = only(stretch([2] * 10, served=TEN), stretch([2] * 9 + [500], served=TEN))
        assert row["change"] == "rose"

    def test_a_kind_never_seen_is_held_against_how_the_others_come(self) -> None:
        # The others come in bursts of a hundred, so twelve errors in one hour are nothing yet.
        burst, few = [100, *[0] * 9], [12, *[0] * 9]
        loud = error_changes(
            stretch(burst, burst, served=TEN), stretch(burst, burst, few, served=TEN), ["error"]
        )
        calm = error_changes(
            stretch([10] * 10, [10] * 10, served=TEN),
            stretch([10] * 10, [10] * 10, few, served=TEN),
            ["error"],
        )
        changes = [dict(found.select("error", "change").iter_rows()) for found in (loud, calm)]
        assert [one["502"] for one in changes] == ["unclear", "new"]

    def test_traffic_that_swings_is_no_clump(self) -> None:
        # Errors in proportion to requests: Pearson's statistic is 0, and counts stay as they are.
        served = [100, 1000] * 5
        even = [count // 50 for count in served]
        twice = [2 * count for count in even]
        assert only(stretch(even, served=served), stretch(twice, served=served))["change"] == "rose"


def simulated(random: np.random.Generator, clump: float, first: int) -> Stretch:
    """Return a week of twelve kinds that come in clumps, hours of a stretch alike."""
    hours = 7 * 24
    served = (1000 * (1 + 0.6 * np.sin(np.arange(hours) / 24 * 2 * np.pi))).astype(int)
    kinds = []
    for kind in range(12):
        sway = np.repeat(random.gamma(1 / clump, clump, hours // 6), 6) if clump else 1.0
        mean = (0.1, 1.0, 10.0)[kind % 3] * served / 1000
        kinds.append(random.poisson(mean * sway).tolist())
    return stretch(*kinds, served=served.tolist(), first=START + first * HOUR)


@pytest.mark.parametrize("clump", [0.0, 0.5])
def test_where_nothing_changed_a_table_seldom_says_so(clump: float) -> None:
    # All intervals of a table hold at once in 95 % of tables, whether errors come as chance has it
    # or sway for six hours at a time.
    random = np.random.default_rng(7)
    wrong = 0
    for _ in range(60):
        sides = simulated(random, clump, 0), simulated(random, clump, 7 * 24)
        found = error_changes(*sides, ["error"])
        wrong += found["change"].is_in(["new", "rose", "fell"]).any()
    assert wrong / 60 <= 0.05


counts = st.lists(st.integers(0, 30), min_size=10, max_size=10)


class TestLaws:
    @given(counts, counts)
    @settings(max_examples=60)
    def test_looking_back_inverts_the_factor_and_its_bounds(
        self, first: list[int], second: list[int]
    ) -> None:
        sides = stretch(first, served=TEN), stretch(second, served=TEN, first=LATER)
        there, back = error_changes(*sides, ["error"]), error_changes(*reversed(sides), ["error"])
        for one, other in zip(there.to_dicts(), back.to_dicts(), strict=True):
            if one["low"] and other["high"]:
                assert one["low"] == pytest.approx(1 / other["high"])
            if one["ratio"] and other["ratio"]:
                assert one["ratio"] == pytest.approx(1 / other["ratio"])
            opposite = {"new": "fell", "rose": "fell", "fell": ("new", "rose")}
            if one["change"] in opposite:
                assert other["change"] in opposite[one["change"]]

    @given(counts, counts, st.randoms())
    @settings(max_examples=40)
    def test_the_order_of_rows_does_not_matter(
        self, first: list[int], second: list[int], random: Any
    ) -> None:
        before, after = stretch(first, second, served=TEN), stretch(second, first, served=TEN)
        shuffled = after.errors.sample(fraction=1, shuffle=True, seed=random.randrange(99))
        expected = error_changes(before, after, ["error"])
        found = error_changes(before, Stretch(shuffled, after.requests), ["error"])
        assert_frame_equal(found, expected, rel_tol=1e-9)  # sums differ in their last digit

    @given(counts, counts)
    @settings(max_examples=40)
    def test_the_errors_of_all_rows_are_all_errors(
        self, first: list[int], second: list[int]
    ) -> None:
        side = stretch(first, second, served=TEN)
        found = error_changes(side, side, ["error", "endpoint", "upstream"])
        assert found["after_count"].sum() == sum(first) + sum(second)


def test_what_errors_cannot_be_told_apart_by_is_refused() -> None:
    side = stretch([1], served=TEN)
    with pytest.raises(ParameterError, match="planet"):
        error_changes(side, side, ["planet"])
    with pytest.raises(ParameterError, match="nothing"):
        error_changes(side, side, [])
    with pytest.raises(ParameterError, match="confidence"):
        error_changes(side, side, ["error"], confidence=1)


class TestStandingOut:
    def test_a_canary_with_most_errors_and_few_requests_does(self) -> None:
        served = pl.concat([requests([900]), requests([100], version="2")])
        failed = pl.concat([errors([10]), errors([30], version="2")])
        (row,) = standing_out(Stretch(failed, served), ["error"], "version").to_dicts()
        assert row["version"] == "2"
        assert row["version_share"] == pytest.approx(30 / 40)
        assert row["version_request_share"] == pytest.approx(100 / 1000)

    def test_one_that_fails_like_the_others_does_not(self) -> None:
        served = pl.concat([requests([900]), requests([100], version="2")])
        failed = pl.concat([errors([90]), errors([10], version="2")])
        assert standing_out(Stretch(failed, served), ["error"], "version").is_empty()

    def test_one_of_two_regions_with_all_errors_does(self) -> None:
        served = pl.concat([requests([510]), requests([490], region="us")])
        (row,) = standing_out(Stretch(errors([9]), served), ["error"], "region").to_dicts()
        assert (row["region"], row["region_share"]) == ("eu", 1)

    def test_the_only_one_cannot(self) -> None:
        assert standing_out(stretch([9], served=TEN), ["error"], "region").is_empty()
