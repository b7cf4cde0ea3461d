"""Budgets that others have published: what each says, what we say, and why where they differ."""

from datetime import timedelta
from typing import Any

import pytest
from slo_objectives import MINUTE, minutes, sliced, stretch

from fleetslo.errors import ParameterError
from fleetslo.reliability.budgets import Judgement, burn_rate, judge, sli
from fleetslo.reliability.slices import (
    cut,
    finished_slices,
    judged_slices,
    slice_counts,
    whole_slices,
)

FOUR_WEEKS = timedelta(days=28)


def judged(good: int, valid: int, target: float, **given: Any) -> Judgement:
    values = {"window": FOUR_WEEKS, "coverage": 1.0, **given}
    return judge(good, valid, target=target, **values)


class TestWorkbook:
    """SRE Workbook, chapter 2, "Implementing SLOs": a game's API over four weeks."""

    def test_its_error_budget_over_four_weeks(self) -> None:
        # 3,663,253 requests: 97 % availability leaves 109,897 errors; 90 % within 450 ms leaves
        # 366,325 slow ones, 99 % within 900 ms 36,632. The Workbook cuts to whole requests.
        allowed = [int(judged(3_663_253, 3_663_253, t).budget_count) for t in (0.97, 0.9, 0.99)]
        assert allowed == [109_897, 366_325, 36_632]

    def test_its_availability(self) -> None:
        # 3,557,865 successes are 97.123 %
        found = judged(3_557_865, 3_663_253, 0.97)
        assert found.sli == pytest.approx(0.97123, abs=5e-6)
        # 105,388 of 109,897.59 errors are spent: met, with 4 % left
        assert found.budget_spent == pytest.approx(105_388 / 109_897.59)
        assert found.verdict == "at_risk"

    def test_a_million_requests_in_four_weeks(self) -> None:
        """Appendix B, the example policy: 99.9 % of 1,000,000 requests in four weeks leave 1,000."""
        assert judged(10**6, 10**6, 0.999).budget_count == 1_000


class TestSloGenerator:
    """google/slo-generator, tests/unit: fixtures/slo_report_v2.json and fixtures/dummy_tests.json."""

    def test_its_report(self) -> None:
        # 3,556 of 7,112 at 90 % over 12 hours
        found = judged(3_556, 7_112, 0.9, window=timedelta(hours=12))
        assert (found.sli, found.bad_count) == (0.5, 3_556)
        assert found.outage_s == 72 * 60  # "error_budget_minutes": 71.99999999999999
        assert found.outage_left_s == -288 * 60  # "error_budget_remaining_minutes": -288
        assert found.budget_spent == 5.0  # "error_budget_burn_rate": 5.000000000000001
        # Its "error_budget_consumed_ratio" of 20 is that of no window: 0.5 / 0.1 is 5.
        assert found.verdict == "missed"

    def test_its_ratios(self) -> None:
        assert sli(5, 10) == 0.5  # "enough_events": 5 good, 5 bad
        assert sli(0, 15) == 0.0  # "no_good_events"
        assert sli(15, 15) == 1.0  # "no_bad_events"

    def test_no_data_is_null_and_not_minus_one(self) -> None:
        """It writes -1 for a side without data, and calls such a report invalid ("no_events")."""
        assert sli(0, 0) is None
        assert judged(0, 0, 0.9).sli is None
        with pytest.raises(ParameterError, match="cannot be"):
            sli(-1, 15)

    def test_few_events_are_judged_by_their_budget(self) -> None:
        """Nine events are too few for it whatever the target ("not_enough_events").

        Here it is the budget that must reach a request: 9 at 80 % may lose 1.8, at 99 % 0.09.
        """
        assert judged(5, 9, 0.8).verdict == "missed"
        assert judged(5, 9, 0.99).verdict == "unjudged"


class TestKibana:
    """elastic/kibana, x-pack/plugins/observability/server/domain/services."""

    def test_its_slis(self) -> None:
        """compute_sli.test.ts."""
        assert sli(100, 1_000) == 0.1
        # It rounds to six digits: 0.366667. Here nothing is rounded before it is shown.
        assert sli(33, 90) == pytest.approx(0.366667, abs=5e-7)
        assert sli(33, 90) != 0.366667

    def test_more_good_than_valid_is_an_error_and_not_1111(self) -> None:
        """compute_sli.test.ts: 9,999 of 9 are 1,111 there, and 1 in earlier versions."""
        with pytest.raises(ParameterError, match="only valid requests can be good"):
            sli(9_999, 9)

    def test_no_events_spend_nothing_that_is_known(self) -> None:
        """compute_error_budget.test.ts: 100 % remains of no events, and the SLI is -1."""
        found = judged(0, 0, 0.999)
        assert (found.budget_left, found.sli) == (None, None)

    @pytest.mark.parametrize(
        ("good", "valid", "consumed"),
        [(100, 100, 0), (999, 1_000, 1), (0, 100, 1_000), (333, 777, 571.428571)],
    )
    def test_its_error_budgets(self, good: int, valid: int, consumed: float) -> None:
        """compute_error_budget.test.ts at 99.9 %; it stops at 0 remaining, here it goes on."""
        found = judged(good, valid, 0.999)
        assert found.budget_spent == pytest.approx(consumed, abs=5e-7)
        assert found.budget_left == pytest.approx(1 - consumed, abs=5e-7)

    @pytest.mark.parametrize(("target", "rate"), [(0.9, 1), (0.99, 10), (0.8, 0.5)])
    def test_its_burn_rates(self, target: float, rate: float) -> None:
        """compute_burn_rate.test.ts: 90 good of 100. No events burn at 0 there, here at null."""
        assert burn_rate(90, 100, target) == rate
        assert burn_rate(0, 0, target) is None

    def test_its_summary_status(self) -> None:
        """compute_summary_status.test.ts: SLIs of 0.9, 0.99 and 0.8 against 90 %.

        HEALTHY from the target on is met (at risk without budget), VIOLATED is missed, NO_DATA
        is not judged. DEGRADING is under the target so far, with budget left: met so far.
        """
        assert judged(90, 100, 0.9).verdict == "at_risk"
        assert judged(99, 100, 0.9).verdict == "met"
        assert judged(80, 100, 0.9).verdict == "missed"
        assert judged(0, 0, 0.9).verdict == "unjudged"
        assert judged(80, 100, 0.9, whole_count=2_000).verdict == "met"

    def test_a_slice_without_data_is_not_good(self) -> None:
        """compute_sli.test.ts: 90 good of 100 slices, of 10,080 in the range, are 0.999008 there.

        The other 9,980 are good to Kibana. Here the SLI is of the slices with data; what is spent
        of the budget, 10 of those that may be bad of all, is the same.
        """
        found = judged(90, 100, 0.99, whole_count=10_080, unit="slices", coverage=1.0)
        assert found.sli == 0.9
        assert found.budget_spent == pytest.approx((1 - 0.999008) / 0.01, abs=5e-5)

    def test_slices_of_five_minutes_in_a_week(self) -> None:
        """dev_docs/slo.md: 2,016 slices; 99 % leave about 20."""
        week = stretch(7 * 1440)
        assert whole_slices(week, 5) == 2_016
        found = judged(2_016, 2_016, 0.99, unit="slices")
        assert found.budget_count == pytest.approx(20.16)


class TestOpenSLO:
    """OpenSLO/OpenSLO, examples/treat-low-traffic-as-equally-important/README.md."""

    def test_a_week_of_minutes_at_99_95(self) -> None:
        # 10,080 minutes: 0.05 % of them are 5 minutes and 2.4 seconds
        found = judged(10_080, 10_080, 0.9995, unit="slices", window=timedelta(days=7))
        assert found.budget_count == pytest.approx(5.04)
        assert found.outage_s == pytest.approx(5 * 60 + 2.4)
        # "Having over five incidents like that … will violate the SLO": five leave it met.
        assert judged(10_075, 10_080, 0.9995, unit="slices").verdict == "at_risk"
        assert judged(10_074, 10_080, 0.9995, unit="slices").verdict == "missed"

    def test_five_failures_of_less_than_a_hundred_make_a_bad_minute(self) -> None:
        """At 95 % a minute of 99 requests with 5 failures is bad; of 100, it is good."""
        one = sliced(slice_target=0.95, length=MINUTE)
        frame = minutes([(0, 94, 99), (1, 95, 100)], one)
        grid = finished_slices(stretch(2), 1)
        slices = judged_slices(cut(frame, stretch(2).start, 1), grid, [one])
        found = slice_counts(slices, [one], 2, 2)[one.service, one.name]
        assert (found.good, found.valid) == (1, 2)


class TestNobl9:
    """docs.nobl9.com, SLO guides, "Time slices": 95 % of a day's minutes must reach 90 %."""

    def test_a_day_may_have_72_bad_minutes(self) -> None:
        # 5 % of 1,440 minutes
        assert judged(1_440, 1_440, 0.95, unit="slices").budget_count == pytest.approx(72)
        assert judged(1_440 - 72, 1_440, 0.95, unit="slices").verdict == "at_risk"
        assert judged(1_440 - 73, 1_440, 0.95, unit="slices").verdict == "missed"
