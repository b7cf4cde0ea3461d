"""How budgets were spent over time, hour by hour, in every unit."""

from datetime import timedelta

import polars as pl
import pytest
from slo_objectives import MINUTE, START, minutes, objective, ratios, sliced, span

from fleetslo.periods import Period
from fleetslo.reliability.history import (
    burn_by_hour,
    spent_by_hour,
    spent_over_time,
    worst_stretch,
)
from fleetslo.reliability.objectives import Selector

HOUR = timedelta(hours=1)
ONE = objective()


def hours_of(count: int) -> Period:
    return Period(START, START + count * HOUR)


def test_an_hour_without_telemetry_is_null_and_one_without_traffic_is_zero() -> None:
    frame = minutes([(0, 99, 100, 0), (1, 98, 100, 1), (125, 0, 0, 0)])
    hours = spent_by_hour(frame, ONE, hours_of(3))
    # 00:00 has 200 valid and 197 good; 01:00 reported nothing; 02:00 reported one idle minute
    assert hours["valid_count"].to_list() == [200, None, 0]
    assert hours["bad_count"].to_list() == [3, None, 0]  # the uncertain one counts as bad
    assert hours["covered_minutes"].to_list() == [2, 0, 1]


def test_another_objective_definition_and_time_are_left_out() -> None:
    other = objective("other")
    changed = minutes([(1, 7, 8)]).with_columns(definition=pl.lit("000000000000"))
    frame = pl.concat([minutes([(0, 1, 2)]), minutes([(0, 5, 9)], other), changed])
    assert spent_by_hour(frame, ONE, hours_of(1))["valid_count"].to_list() == [2]
    later = Period(START + HOUR, START + 2 * HOUR)
    assert spent_by_hour(frame, ONE, later)["valid_count"].to_list() == [None]


def test_excluded_minutes_are_in_no_hour() -> None:
    frame = minutes([(minute, 9, 10) for minute in range(120)])
    hours = spent_by_hour(frame, ONE, hours_of(2), [span(30, 60), span(60, 120)])
    # half an hour of 1 bad of 10 a minute; the second hour is wholly excluded
    assert hours["valid_count"].to_list() == [300, None]
    assert hours["bad_count"].to_list() == [30, None]


def test_slices_count_in_the_hour_in_which_they_end() -> None:
    # Slices of 40 minutes: 00:00–00:40 bad (half good), –01:20 good, –02:00 without traffic
    one = sliced(length=40 * MINUTE)
    rows = [(minute, 5 if minute < 40 else 10, 10) for minute in range(80)]
    frame = minutes([*rows, *((minute, 0, 0) for minute in range(80, 120))], one)
    hours = spent_by_hour(frame, one, hours_of(2))
    assert hours["valid_count"].to_list() == [1, 1]
    assert hours["bad_count"].to_list() == [1, 0]
    longer = sliced(length=120 * MINUTE)
    counted = spent_by_hour(frame, longer, hours_of(2))
    # 600 good of 800 are under 95 %: one bad slice, known when it ended.
    assert counted.select("valid_count", "bad_count").rows() == [(0, 0), (1, 1)]


def test_shares_of_slices_are_counted() -> None:
    one = ratios(length=30 * MINUTE)
    rows = [(0, 9, 10), (30, 10, 10), (60, 1, 4)]
    hours = spent_by_hour(minutes(rows, one), one, hours_of(2))
    # SLIs 0.9, 1 and 0.25: shortfalls 0.1 + 0 in the first hour, 0.75 in the second
    assert hours["bad_count"].to_list() == pytest.approx([0.1, 0.75])
    assert hours["valid_count"].to_list() == [2, 1]


def test_a_slice_that_is_not_finished_is_in_no_hour() -> None:
    one = sliced(length=30 * MINUTE)
    frame = minutes([(minute, 0, 10) for minute in range(45)], one)
    hours = spent_by_hour(frame, one, hours_of(1), until=START + 45 * MINUTE)
    assert (hours["valid_count"].to_list(), hours["bad_count"].to_list()) == ([1], [1])


def test_a_composite_spends_its_own_budget() -> None:
    fast, sound = objective("fast", 0.9), objective("sound", 0.99)
    both = objective("both", 0.99, members=(fast, sound), selector=Selector())
    frame = pl.concat(
        [minutes([(0, 9, 10), (60, 10, 10)], fast), minutes([(0, 90, 90), (60, 9, 10)], sound)]
    )
    hours = spent_by_hour(frame, both, hours_of(2))
    # fast: 1 bad of 20, its budget is 2: half of it in the first hour. sound: 1 of 100, its budget
    # is 1: all of it in the second. Weighted burn adds: 0.5, then 1.
    assert hours["bad_count"].to_list() == pytest.approx([0.5, 1.0])
    left = spent_over_time(hours, 1.0)["budget_left"].to_list()
    assert left == pytest.approx([0.5, -0.5])


def test_budget_left_falls_by_what_was_bad() -> None:
    frame = minutes([(0, 99, 100), (60, 97, 100), (180, 100, 100)])
    hours = spent_over_time(spent_by_hour(frame, ONE, hours_of(4)), 10)
    # 1 of 10, then 1 + 3 of 10; nothing is known of the third hour; the fourth adds nothing
    assert hours["budget_left"].to_list() == pytest.approx([0.9, 0.6, None, 0.6])


def test_no_budget_leaves_nothing_to_say() -> None:
    hours = spent_over_time(spent_by_hour(minutes([(0, 1, 1)]), ONE, hours_of(1)), 0)
    assert hours["budget_left"].to_list() == [None]


def test_burn_of_an_hour() -> None:
    # SRE Workbook: 144 bad of 10,000 at 99.9 %: 0.0144 / 0.001 = 14.4
    frame = minutes([(0, 9856, 10000), (60, 0, 0)])
    hours = burn_by_hour(spent_by_hour(frame, ONE, hours_of(2)), 0.999)
    assert hours["burn"].to_list() == pytest.approx([14.4, None])


def test_the_worst_stretch_is_found_with_its_share() -> None:
    rows = [(60 * hour, 100 - bad, 100) for hour, bad in enumerate([1, 0, 10, 20, 1, 0, 0, 8])]
    hours = spent_by_hour(minutes(rows), ONE, hours_of(8))
    # two hours from 02:00 hold 10 + 20 of 40 bad ones
    assert worst_stretch(hours, 2 * HOUR) == (START + 2 * HOUR, 30 / 40)


def test_nothing_bad_has_no_worst_stretch() -> None:
    assert worst_stretch(spent_by_hour(minutes([(0, 5, 5)]), ONE, hours_of(1)), HOUR) is None
