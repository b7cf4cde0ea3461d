"""The error-budget policy, after the example in the SRE Workbook.

Source: appendix B, https://sre.google/workbook/error-budget-policy: "If the service has exceeded
its error budget for the preceding four-week window, we will halt all changes and releases other
than P0 issues or security fixes until the service is back within its SLO", and "If a single
incident consumes more than 20% of error budget over four weeks, then the team must conduct a
postmortem".
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.policies import overspent_periods, policy_state

LEFT = st.floats(-5, 1)


def test_an_overspent_budget_halts_all_but_p0_issues_and_security_fixes():
    found = policy_state(-0.2, "missed")
    assert found.state == "freeze"
    assert "P0 issues and security fixes" in found.says
    assert found.reason == "the budget is overspent"


def test_at_or_above_its_objective_releases_proceed():
    found = policy_state(0.8, "met")
    assert (found.state, found.postmortem) == ("normal", False)
    assert found.reason == "more than 25\u202f% of the budget is left"


@pytest.mark.parametrize(
    ("left", "verdict", "state", "reason"),
    [
        # exactly all spent is not exceeded: "at or above its SLO"
        (0.0, "at_risk", "slow_down", "25\u202f% of the budget or less is left"),
        (0.25, "at_risk", "slow_down", "25\u202f% of the budget or less is left"),
        (0.26, "at_risk", "slow_down", "the objective is at risk"),  # a page alert fires
        (0.26, "met", "normal", "more than 25\u202f% of the budget is left"),
        (-1e-9, "missed", "freeze", "the budget is overspent"),
        # the estimated budget of a running window, with counts that have missed it already
        (0.1, "missed", "freeze", "the budget is overspent"),
    ],
)
def test_what_lies_between(left, verdict, state, reason):
    found = policy_state(left, verdict)
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(("left", "verdict"), [(None, "unjudged"), (-3.0, "unjudged")])
def test_what_cannot_be_judged_asks_for_nothing(left, verdict):
    assert policy_state(left, verdict).state is None


def test_an_incident_that_took_over_a_fifth_needs_a_postmortem():
    assert policy_state(0.5, "met", largest_incident_spent=0.21).postmortem
    assert not policy_state(0.5, "met", largest_incident_spent=0.2).postmortem  # "more than 20%"
    assert not policy_state(0.5, "met").postmortem
    assert policy_state(None, "unjudged", largest_incident_spent=0.9).postmortem


def test_the_edges_are_settings():
    assert policy_state(0.4, "met", slow_down_at=0.5).state == "slow_down"
    assert policy_state(0.4, "met", largest_incident_spent=0.15, postmortem_at=0.1).postmortem
    with pytest.raises(ParameterError, match=r"a share of 25 cannot be"):
        policy_state(0.4, "met", slow_down_at=25)


@given(LEFT, LEFT)
def test_less_budget_never_asks_for_less(one, other):
    order = ["normal", "slow_down", "freeze"]
    less, more = sorted([one, other])
    states = [policy_state(x, "missed" if x < 0 else "met").state for x in (less, more)]
    assert order.index(states[0]) >= order.index(states[1])


@pytest.mark.parametrize(
    ("left", "count"),
    [
        ([], 0),
        ([0.1, -1.0], 0),
        ([-0.1, -2.0, 0.3, -1.0], 2),
        ([-0.1, None, -0.1], 1),
        ([0.0, -0.1], 0),  # spent to the last request is not overspent
    ],
)
def test_periods_overspent_in_a_row_are_counted_from_the_newest(left, count):
    assert overspent_periods(left) == count
