"""Composites whose members add up, against OpenSLO's notes and Kibana's tests."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_objectives import counted, objective, ratios

from fleetslo.reliability.budgets import Judgement, Rules
from fleetslo.reliability.composites import added, composed_sli, judge_added
from fleetslo.reliability.counts import Counted, unit_of
from fleetslo.reliability.objectives import Objective, Selector

WINDOW = timedelta(days=28)


def composite(target: float, *members: Objective, **given: object) -> Objective:
    given = {"method": members[0].method, **given}
    return objective("both", target, members=members, selector=Selector(), **given)


def verdict(one: Objective, *counts: Counted) -> Judgement:
    return judge_added(one, counts, window=WINDOW, rules=Rules())


def slices(shortfall: float, count: int = 1000) -> Counted:
    return counted(round(count * (1 - shortfall)), count)


def test_missing_shares_add_up() -> None:
    """OpenSLO, notes on composite SLOs: averages of 95 % and 95 % make 90 %."""
    one = composite(0.9, ratios("a", 0.95), ratios("b", 0.95))
    found = verdict(one, slices(0.05), slices(0.05))
    assert found.sli == pytest.approx(0.9)
    # 1 - 0.9 is all that may be missing: met to the last, and nothing is left
    assert (found.budget_spent, found.verdict) == (1.0, "at_risk")
    assert unit_of(one) == "burn"


def test_a_weight_multiplies_what_is_missing() -> None:
    """OpenSLO, same place: with weight 0.5 an SLO has half of the impact."""
    one = composite(0.925, ratios("a", 0.95, weight=0.5), ratios("b", 0.95))
    found = verdict(one, slices(0.05), slices(0.05))
    assert found.sli == pytest.approx(1 - 0.5 * 0.05 - 0.05)
    assert found.budget_spent == pytest.approx(1.0)  # 0.075 of 0.075


def test_more_missing_than_all_leaves_nothing_good() -> None:
    one = composite(0.9, ratios("a", 0.95), ratios("b", 0.95))
    found = verdict(one, slices(0.7), slices(0.6))
    assert (found.sli, found.verdict) == (0.0, "missed")
    assert found.budget_spent == pytest.approx(1.3 / 0.1)


def test_weighted_burn_rates_add_up() -> None:
    """OpenSLO, same place: a composite burns at the rate of each SLO; weight multiplies the rate."""
    one = composite(0.999, objective("a", 0.99), objective("b", 0.999, weight=2.0))
    found = verdict(one, counted(9_950, 10_000), counted(99_990, 100_000))
    # a spent 50 of 100, b 10 of 100: 0.5 + 2 x 0.1
    assert found.budget_spent == pytest.approx(0.7)
    assert (found.budget_count, found.bad_count) == (1.0, found.budget_spent)
    assert (found.sli, found.good_count, found.verdict) == (None, None, "met")
    # The valid count is such that bad / valid / (1 - target) is the burn rate here as well.
    assert found.bad_count / found.valid_count / (1 - 0.999) == pytest.approx(0.7)


def test_a_mean_leaves_out_who_has_no_data() -> None:
    """Kibana, compute_weighted_average.test.ts, of weights 3 and 7 at 99 %.

    0.99 and 0.995 are 0.9935; 0.995 and no data are 0.995. Where nobody has data Kibana has spent
    0 % of a budget of 0; here that is null.
    """
    members = (objective("a", 0.99, weight=3.0), objective("b", 0.99, weight=7.0))
    one = composite(0.99, *members, weighted_mean=True)
    found = verdict(one, counted(9_900, 10_000), counted(9_950, 10_000))
    assert found.sli == pytest.approx(0.9935)
    assert found.budget_spent == pytest.approx(0.0065 / 0.01)
    alone = verdict(one, counted(9_950, 10_000), counted(0, 0, coverage=0))
    assert alone.sli == pytest.approx(0.995)
    assert alone.budget_spent == pytest.approx(0.5)  # Kibana: (1 - 0.995) / 0.01
    assert alone.coverage == 1.0
    nobody = verdict(one, counted(0, 0), counted(0, 0))
    assert (nobody.sli, nobody.budget_spent, nobody.verdict) == (None, None, "unjudged")


def test_equal_weights_are_a_plain_mean() -> None:
    """Kibana, same file: 0.99 and 0.98 at 99 % consume 1.5 of the budget and violate it."""
    one = composite(0.99, objective("a", 0.99), objective("b", 0.99), weighted_mean=True)
    found = verdict(one, counted(9_900, 10_000), counted(9_800, 10_000))
    assert found.sli == pytest.approx(0.985)
    assert (found.verdict, found.budget_spent) == ("missed", pytest.approx(1.5))


def test_the_least_covered_member_says_how_far_it_is_covered() -> None:
    one = composite(0.99, objective("a", 0.99), objective("b", 0.99))
    found = verdict(one, counted(9_999, 10_000), counted(9_999, 10_000, coverage=0.5))
    assert (found.coverage, found.verdict) == (0.5, "unjudged")
    assert found.reason == "coverage is 50\u202f%, under 90\u202f%"


def test_a_member_with_a_budget_of_less_than_a_request_leaves_it_open() -> None:
    one = composite(0.999, objective("a", 0.999), objective("b", 0.999))
    found = verdict(one, counted(10_000, 10_000), counted(300, 300))
    assert (found.verdict, found.reason) == ("unjudged", "b: the budget is 0.3 requests")


def test_uncertain_requests_that_decide_leave_it_open() -> None:
    one = composite(0.99, objective("a", 0.99), objective("b", 0.99))
    found = verdict(one, counted(9_920, 10_000), counted(9_950, 10_000, 40))
    # a spent 80 of 100; b between 10 and 50 of 100
    assert (found.budget_spent_low, found.budget_spent) == (pytest.approx(0.9), pytest.approx(1.3))
    assert found.verdict == "unjudged"
    assert "it may be overspent" in found.reason


def test_a_window_that_runs_spends_the_budget_of_the_whole() -> None:
    one = composite(0.99, objective("a", 0.99), objective("b", 0.99))
    some = counted(990, 1_000, whole=10_000, is_estimated=True)
    found = verdict(one, some, some)
    # each: 10 bad of 0.01 x 10,000 that are expected
    assert found.budget_spent == pytest.approx(0.2)
    assert added(one, [some, some]).is_estimated


def test_a_latency_that_nobody_asked_for_is_no_shortfall() -> None:
    one = composite(0.9, ratios("a", 0.95), ratios("b", 0.95))
    assert composed_sli(one, [slices(0.05), counted(0, 0)]) == pytest.approx(0.95)


COUNTS = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)).map(
    lambda pair: counted(pair[0], sum(pair))
)


@given(st.lists(st.tuples(COUNTS, st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=4))
def test_the_order_of_members_does_not_matter(parts: list[tuple[Counted, float]]) -> None:
    for mean in (True, False):
        found = []
        for ordered in (parts, parts[::-1]):
            members = [objective(str(i), 0.99, weight=w) for i, (_, w) in enumerate(ordered)]
            one = composite(0.99, *members, weighted_mean=mean)
            whole = added(one, [count for count, _ in ordered])
            found.append((whole.bad, whole.valid, composed_sli(one, [c for c, _ in ordered])))
        assert found[0] == found[1]


@given(COUNTS)
def test_one_member_is_judged_as_itself(count: Counted) -> None:
    member = objective("a", 0.99)
    for mean in (True, False):
        whole = added(composite(0.99, member, weighted_mean=mean), [count])
        if count.valid:
            assert float(whole.bad) == pytest.approx(float(count.bad / count.valid) / 0.01)
