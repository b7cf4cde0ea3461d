"""Budgets and verdicts, against the SRE Workbook and against SLO.md."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.budgets import (
    budget_share,
    budget_spent,
    burn_rate,
    judge,
    sli,
)

WINDOW = timedelta(days=28)
COUNTS = st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)).map(sorted)
TARGETS = st.integers(0, 99_999).map(lambda part: part / 100_000)


def judged(good, valid, uncertain=0, **given_values):
    values = {"target": 0.999, "window": WINDOW, "coverage": 1.0, **given_values}
    return judge(good, valid, uncertain, **values)


@pytest.mark.parametrize(
    ("good", "valid", "target", "burn"),
    [
        # 144 bad of 10,000 at 99.9 %: 0.0144 / 0.001 = 14.4, exactly.
        (9_856, 10_000, 0.999, 14.4),
        # SRE Workbook, chapter 5, "burn rates and time to complete budget exhaustion" (99.9 %): error
        # rates of 0.1 %, 0.2 %, 1 % and 100 % burn at 1, 2, 10 and 1,000.
        (999, 1_000, 0.999, 1.0),
        (998, 1_000, 0.999, 2.0),
        (990, 1_000, 0.999, 10.0),
        (0, 1_000, 0.999, 1_000.0),
        # 15 % errors at 99.9 %, the Workbook's example of a fast burn: 0.15 / 0.001 = 150.
        (8_500, 10_000, 0.999, 150.0),
        (5, 10, 0.0, 0.5),  # a target of 0 allows everything: 5 of 10 are half of it
        (10, 10, 0.9, 0.0),
    ],
)
def test_burn_rates(good, valid, target, burn):
    assert burn_rate(good, valid, target) == burn
    assert budget_spent(good, valid, target) == burn


def test_sli():
    assert sli(9_856, 10_000) == 0.9856
    assert sli(0, 3) == 0.0


def test_no_requests_are_no_number():
    assert sli(0, 0) is None
    assert burn_rate(0, 0, 0.999) is None
    assert budget_spent(0, 0, 0.999) is None


@pytest.mark.parametrize(("good", "valid"), [(-1, 3), (1, -3), (4, 3)])
def test_counts_that_cannot_be_are_refused(good, valid):
    for measure in (lambda: sli(good, valid), lambda: burn_rate(good, valid, 0.9)):
        with pytest.raises(ParameterError, match="cannot be"):
            measure()


@pytest.mark.parametrize("target", [1, 1.0, 99.9, -0.1, math.nan])
def test_targets_that_cannot_be_are_refused(target):
    with pytest.raises(ParameterError, match="at least 0 and less than 1"):
        burn_rate(1, 2, target)


def test_the_budget_of_three_nines_is_a_thousandth_exactly():
    assert 1 - 0.999 != 0.001  # what floats make of it
    assert budget_share(0.999) * 1000 == 1


@given(COUNTS, COUNTS, TARGETS)
def test_a_window_split_anywhere_sums_to_the_whole(one, two, target):
    (good, valid), (more_good, more_valid) = one, two
    bad = valid - good
    whole = burn_rate(good + more_good, valid + more_valid, target)
    if whole is not None:
        parts = [
            rate * count
            for rate, count in (
                (burn_rate(good, valid, target), valid),
                (burn_rate(more_good, more_valid, target), more_valid),
            )
            if rate is not None
        ]
        # Burn rates add up weighted by requests, as bad requests do.
        assert sum(parts) == pytest.approx(whole * (valid + more_valid))
        assert bad >= 0


@given(COUNTS, TARGETS)
def test_spent_is_bad_requests_over_the_requests_that_may_be_bad(counts, target):
    good, valid = counts
    found = judged(good, valid, target=target)
    if valid:
        assert found.budget_spent * found.budget_count == pytest.approx(found.bad_count)
        assert found.budget_left == 1 - found.budget_spent
        assert found.outage_left_s == pytest.approx(found.outage_s * found.budget_left)


@given(COUNTS, TARGETS, st.integers(0, 10**12))
def test_the_verdict_follows_the_counts(counts, target, uncertain):
    good, valid = counts
    found = judged(good, valid, min(uncertain, valid - good), target=target)
    if found.budget_count < 1:
        assert found.verdict == "unjudged"
    elif found.sli_low >= target:
        assert found.verdict in ("met", "at_risk")
    elif found.sli_high < target:
        assert found.verdict == "missed"
    else:
        assert found.verdict == "unjudged"


def test_three_nines_over_28_days_are_40_minutes_of_outage():
    found = judged(999_500, 1_000_000)
    # 0.001 × 28 × 86,400 s = 2,419.2 s = 40.32 min; 500 of 1,000 bad requests leave half of it.
    assert found.outage_s == 2_419.2
    assert found.outage_left_s == 1_209.6
    assert (found.budget_count, found.budget_spent, found.budget_left) == (1_000, 0.5, 0.5)
    assert (found.bad_count, found.bad_low) == (500, 500)
    assert (found.sli, found.sli_low, found.sli_high) == (0.9995, 0.9995, 0.9995)
    assert (found.verdict, found.reason) == ("met", "50\u202f% of the budget is left")


def test_the_target_met_to_the_last_request_is_met_and_at_risk():
    found = judged(9_990, 10_000)  # 10 bad of 10 that may be
    assert (found.verdict, found.budget_left) == ("at_risk", 0.0)
    assert found.reason == "only 0\u202f% of the budget is left"
    assert judged(9_989, 10_000).verdict == "missed"


def test_overspent_is_shown_as_such():
    found = judged(9_978, 10_000)  # 22 of 10
    assert (found.verdict, found.budget_spent) == ("missed", 2.2)
    assert found.reason == "220\u202f% of the budget is spent"
    assert found.budget_left == -1.2000000000000002
    assert judged(9_985, 10_000).reason == "150.0\u202f% of the budget is spent"


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [(749, "met"), (750, "at_risk"), (751, "at_risk"), (1_000, "at_risk"), (1_001, "missed")],
)
def test_at_risk_begins_with_a_quarter_of_the_budget_left(bad, verdict):
    assert judged(10**6 - bad, 10**6).verdict == verdict  # 1,000 may be bad


def test_at_risk_while_a_page_fires():
    found = judged(999_900, 10**6, page_firing=True)
    assert found.verdict == "at_risk"
    assert found.reason == "a page alert is firing; 90\u202f% of the budget is left"
    # A page does not better a missed objective, nor judge what cannot be judged.
    assert judged(990_000, 10**6, page_firing=True).verdict == "missed"
    assert judged(9, 10, page_firing=True).verdict == "unjudged"


def test_the_share_of_at_risk_is_a_setting():
    assert judged(999_500, 10**6, at_risk_budget_left=0.5).verdict == "at_risk"
    assert judged(999_250, 10**6, at_risk_budget_left=0.1).verdict == "met"


def test_without_requests_nothing_is_judged():
    found = judged(0, 0, coverage=1.0)
    assert (found.verdict, found.reason) == ("unjudged", "no requests")
    assert found.sli is found.sli_low is found.sli_high is None
    assert found.budget_spent is found.budget_left is found.outage_left_s is None
    assert found.budget_count == 0


def test_silence_is_not_called_a_lack_of_requests():
    # Nothing reported: whether there were requests is not known.
    assert judged(0, 0, coverage=0.0).reason == "no telemetry"
    assert judged(0, 0, coverage=0.0, unit="slices", whole_count=9).reason == "no telemetry"
    half = judged(0, 0, coverage=0.5)
    assert (half.verdict, half.reason) == ("unjudged", "coverage is 50\u202f%, under 90\u202f%")


@pytest.mark.parametrize(
    ("coverage", "reason"),
    [
        (0.71, "coverage is 71\u202f%, under 90\u202f%"),
        (0.89999, "coverage is 89\u202f%, under 90\u202f%"),  # cut, not rounded up to the limit
        (0.0, "coverage is 0\u202f%, under 90\u202f%"),
    ],
)
def test_under_the_least_coverage_nothing_is_judged(coverage, reason):
    found = judged(999_999, 10**6, coverage=coverage)
    assert (found.verdict, found.reason) == ("unjudged", reason)
    assert judged(999_999, 10**6, coverage=0.9).verdict == "met"
    assert judged(999_999, 10**6, coverage=0.0, coverage_minimum=0).verdict == "met"


@pytest.mark.parametrize(
    ("valid", "reason"),
    [
        (300, "the budget is 0.3 requests"),  # 300 × 0.001
        (999, "the budget is 0.99 requests"),  # 0.999, cut: never shown as a whole one
        (3, "the budget is under 0.01 requests"),
    ],
)
def test_a_budget_of_less_than_a_request_is_not_judged(valid, reason):
    for good in (0, valid):
        found = judged(good, valid)
        assert (found.verdict, found.reason) == ("unjudged", reason)
    assert judged(1_000, 1_000).verdict == "met"


def test_uncertain_requests_that_decide_leave_it_open():
    found = judged(981, 1_000, 15, target=0.99)
    assert found.verdict == "unjudged"
    assert found.reason == (
        "between 98.1\u202f% and 99.6\u202f% were good: the target lies between"
    )
    assert (found.sli, found.sli_low, found.sli_high) == (0.981, 0.981, 0.996)
    assert (found.bad_count, found.bad_low) == (19, 4)
    # 19 and 4 bad of 10 that may be.
    assert (found.budget_spent, found.budget_spent_low) == (1.9, 0.4)


def test_uncertain_requests_that_do_not_decide_leave_it_judged():
    assert judged(992, 1_000, 8, target=0.99).verdict == "at_risk"  # 8 of 10 spent at worst
    missed = judged(970, 1_000, 15, target=0.99)  # 15 of 10 spent at best
    assert (missed.verdict, missed.reason) == ("missed", "150.0\u202f% of the budget is spent")
    # At best exactly the target: it may have been met, so it is open.
    assert judged(980, 1_000, 10, target=0.99).verdict == "unjudged"


def test_bounds_close_to_the_target_are_told_apart_from_it():
    found = judged(999_899, 10**6, 3, target=0.9999)
    assert found.reason == (
        "between 99.9899\u202f% and 99.9902\u202f% were good: the target lies between"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"coverage": 1.01}, "a coverage of 1.01 cannot be"),
        ({"coverage": math.nan}, "a coverage of nan cannot be"),
        ({"window": timedelta(0)}, "holds no time"),
        ({"target": 1}, "a target of 1 cannot be budgeted"),
    ],
)
def test_judging_refuses_what_cannot_be(changed, message):
    with pytest.raises(ParameterError, match=message):
        judged(1, 2, **changed)


def test_more_good_and_uncertain_than_valid_is_refused():
    with pytest.raises(ParameterError, match="8 good and 3 uncertain requests of 10 valid"):
        judged(8, 10, 3)
    with pytest.raises(ParameterError, match="counts are 0 or more"):
        judged(8, 10, -1)


def test_while_a_window_runs_its_budget_is_that_of_the_whole():
    # Day 3 of 30: 70 of 10,000 are bad, and 100,000 are expected; 0.001 × 100,000 = 100 may be.
    found = judged(9_930, 10_000, whole_count=100_000)
    assert (found.budget_count, found.budget_spent, found.verdict) == (100, 0.7, "met")
    assert found.sli == 0.993  # so far
    # What is spent already cannot be won back.
    assert judged(9_890, 10_000, whole_count=100_000).verdict == "missed"
    # A window that is expected to hold too little cannot be judged yet.
    assert judged(10, 10, whole_count=900).verdict == "unjudged"


def test_more_than_the_whole_window_holds_cannot_be():
    with pytest.raises(ParameterError, match="10 valid requests of 9 in the whole window"):
        judged(10, 10, whole_count=9)


def test_uncertain_ones_that_may_overspend_a_whole_window_leave_it_open():
    # 80 bad and 40 uncertain of 10,000 so far; 100 may be bad: between 80 % and 120 % is spent.
    found = judged(9_880, 10_000, 40, whole_count=100_000)
    assert found.verdict == "unjudged"
    assert found.reason == (
        "between 80.0\u202f% and 120.0\u202f% of the budget is spent: it may be overspent"
    )


def test_slices_are_judged_however_few_may_be_bad():
    # 28 days of an hour at 99.9 %: 0.672 slices may be bad. A slice is made of many requests, so
    # that this is no budget of less than a request: none bad is met, one bad is missed.
    assert judged(672, 672, unit="slices").verdict == "met"
    assert judged(671, 672, unit="slices").verdict == "missed"
    nothing = judged(0, 0, unit="slices", whole_count=672)
    assert (nothing.verdict, nothing.reason) == ("unjudged", "no slice has data")
    assert (nothing.sli, nothing.budget_spent) == (None, None)


def test_events_are_called_events():
    assert judged(0, 0, unit="events").reason == "no events"
    assert judged(9, 9, unit="events").reason == "the budget is under 0.01 events"
    with pytest.raises(ParameterError, match="3 good events of 2 valid ones"):
        judged(3, 2, unit="events")
