from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from slo_objectives import asked, counted, objective, sliced, span, stretch

from fleetslo.reliability.budgets import Rules
from fleetslo.reliability.counts import Counted
from fleetslo.reliability.judging import burn_minutes, judged, kind_of, worst
from fleetslo.reliability.lookback import Look, look
from fleetslo.reliability.objectives import Objective, Selector

RULES = Rules()


def looks(one: Objective, **of: tuple[int, int, int]) -> dict[str, Any]:
    """Windows ``m60=(good, uncertain, valid)``; every minute of them is covered."""
    found: dict[int, dict[str, Look]] = {minutes: {} for minutes in burn_minutes([one])}
    for name, (good, uncertain, valid) in of.items():
        found[int(name[1:])][one.name] = look(good, valid, uncertain, int(name[1:]))
    return {one.service: found}


def row_of(one: Objective, count: Counted, **of: tuple[int, int, int]) -> dict[str, Any]:
    counts = {(one.service, one.name): count}
    return judged([asked(one)], counts, looks(one, **of), RULES).row(0, named=True)


def test_a_row_says_what_was_judged_and_over_which_window() -> None:
    # 8 bad of 20,000; the budget is 0.001 x 20,000 = 20; 8 / 20 = 40 % spent
    row = row_of(objective(), counted(19_992, 20_000))
    assert (row["verdict"], row["bad_count"], row["valid_count"]) == ("met", 8, 20_000)
    assert row["budget_left"] == pytest.approx(0.6)
    assert (row["coverage"], row["burn_1h"]) == (1.0, None)
    assert row["window_end"] - row["window_start"] == timedelta(days=28)
    assert row["judged_from"] == row["window_start"]
    assert (row["unit"], row["method"], row["window_days"]) == ("requests", "Occurrences", 28)
    assert (row["is_running"], row["is_estimated"]) == (False, False)
    assert (row["excluded_minutes"], row["sli_with_excluded"]) == (0, None)


def test_a_page_alert_puts_a_met_objective_at_risk() -> None:
    # 13.44 is the factor of the 28-day page over 1 h; 200 of 10,000 at 99.9 % burn at 20
    row = row_of(
        objective(), counted(999_500, 1_000_000), m60=(9_800, 0, 10_000), m5=(980, 0, 1_000)
    )
    assert row["burn_1h"] == pytest.approx(20)
    assert (row["verdict"], row["page_firing"]) == ("at_risk", True)
    assert "page 1 h" in row["alerts"]


def test_nobody_is_woken_for_requests_that_may_have_been_good() -> None:
    last = {"m60": (9_800, 200, 10_000), "m5": (980, 20, 1_000)}
    row = row_of(objective(), counted(999_500, 1_000_000), **last)
    assert (row["alerts"], row["page_firing"], row["verdict"]) == ("", False, "met")


def test_an_alert_on_slices_still_needs_a_least_number_of_bad_requests() -> None:
    one = sliced()  # a bad slice of twelve burns at 1 / 12 / 0.01 = 8.3; six at 50

    def alerts(bad_events: int) -> str:
        seen = Look(counted(6, 12), bad_events, 60)
        of: dict[int, dict[str, Look]] = {m: {one.name: seen} for m in burn_minutes([one])}
        counts = {(one.service, one.name): counted(8_060, 8_064)}
        frame = judged([asked(one)], counts, {one.service: of}, RULES, least_bad=5)
        return str(frame["alerts"][0])

    assert alerts(4) == ""
    assert "page 1 h" in alerts(5)


def test_no_data_is_null_and_not_judged() -> None:
    row = row_of(objective(), counted(0, 0, coverage=0))
    assert (row["verdict"], row["reason"]) == ("unjudged", "no telemetry")
    assert (row["sli"], row["budget_left"], row["burn_1h"]) == (None, None, None)
    assert row["coverage"] == 0.0


def test_a_window_that_runs_is_judged_by_the_budget_of_the_whole() -> None:
    # Day 3 of 30: 70 bad of 30,000 so far, and 300,000 expected. The whole budget is
    # 0.001 x 300,000 = 300: 23 % is spent, not 70 / 30 = 233 %.
    one = objective()
    count = counted(29_930, 30_000, whole=300_000, is_estimated=True)
    of = asked(one, stretch(30 * 1440, 3 * 1440))
    row = judged([of], {(one.service, one.name): count}, {}, RULES).row(0, named=True)
    assert row["budget_spent"] == pytest.approx(70 / 300)
    assert (row["verdict"], row["is_running"], row["is_estimated"]) == ("met", True, True)
    assert row["sli"] == pytest.approx(0.997667, abs=1e-6)  # so far: 29,930 of 30,000


def test_what_is_excluded_is_shown_beside() -> None:
    one = objective()
    of = asked(one, stretch(10_000, None, span(100, 160)))
    key = (one.service, one.name)
    row = judged(
        [of],
        {key: counted(9_999, 10_000)},
        {},
        RULES,
        with_excluded={key: counted(9_999, 10_500)},
    ).row(0, named=True)
    assert (row["excluded_minutes"], row["bad_count"], row["bad_with_excluded"]) == (60, 1, 501)
    assert row["sli_with_excluded"] == 9_999 / 10_500
    # The budget in time is that of the minutes that count: 0.001 x 9,940 min.
    assert row["outage_s"] == pytest.approx(0.001 * 9_940 * 60)


def test_kinds() -> None:
    fast = objective(selector=Selector(requests="successful", within_s=0.3))
    lag = objective(selector=Selector(sli="queue-lag"))
    assert [kind_of(one) for one in (objective(), fast, lag)] == [
        "availability",
        "latency",
        "events",
    ]
    both = objective("both", members=(fast, objective("other")), selector=Selector())
    assert kind_of(both) == "composite"


def test_a_service_is_as_good_as_its_worst_judged_objective() -> None:
    assert worst(["met", "unjudged"]) == "met"
    assert worst(["met", "at_risk", "missed"]) == "missed"
    assert worst(["unjudged"]) == "unjudged"
    assert worst([]) is None


def test_burn_windows_are_those_of_the_workbook() -> None:
    # SRE Workbook, table 5-8: 1 h/5 m, 6 h/30 m, 1 d/2 h, 3 d/6 h
    assert burn_minutes([objective()]) == [5, 30, 60, 120, 360, 1440, 4320]
    assert burn_minutes([]) == [60, 360]


def test_an_empty_fleet_keeps_its_columns() -> None:
    frame = judged([], {}, {}, RULES)
    assert frame.is_empty()
    assert {"service", "verdict", "budget_left", "burn_1h", "alerts"} <= set(frame.columns)


def test_a_window_that_is_wholly_excluded_is_not_judged() -> None:
    one = objective()
    of = asked(one, stretch(60, None, span(0, 60)))
    key = (one.service, one.name)
    nothing = replace(counted(0, 0), covered_minutes=0, minutes=0)
    frame = judged([of], {key: nothing}, {}, RULES, with_excluded={key: counted(0, 6)})
    row = frame.row(0, named=True)
    assert (row["verdict"], row["sli"], row["bad_with_excluded"]) == ("unjudged", None, 6)
    assert (row["reason"], row["outage_s"]) == ("every minute so far is excluded", 0)
