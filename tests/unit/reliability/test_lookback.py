"""What the last minutes hold: for alerts and burn rates, in every unit."""

from datetime import timedelta

import polars as pl
import pytest
from slo_objectives import MINUTE, START, minutes, objective, ratios, sliced, span

from fleetslo.reliability.composites import added
from fleetslo.reliability.lookback import UNSEEN, Look, look, look_of, looks_of_minutes
from fleetslo.reliability.objectives import Objective, Selector

HOUR = START + timedelta(hours=1)


def seen(frame: pl.DataFrame, one: Objective, length: int, *excluded: object) -> Look:
    found = looks_of_minutes(frame, [one], HOUR, [length], excluded)
    return found[one.service, one.name][length]


def test_requests_are_summed_back_from_the_end() -> None:
    one = objective()
    frame = minutes([(54, 0, 10), (55, 8, 10, 1), (59, 9, 10), (60, 0, 10)])
    found = seen(frame, one, 5)
    # 00:55 and 00:59; 00:54 is a minute too old, 01:00 has not begun
    assert (found.counted.good, found.counted.valid, found.bad_events) == (17, 20, 2)
    assert found.covered_minutes == 2
    assert found.burned == (2, 20)


def test_excluded_minutes_are_not_looked_at() -> None:
    frame = minutes([(minute, 0, 10) for minute in range(60)])
    found = seen(frame, objective(), 60, span(0, 57))
    assert (found.bad_events, found.covered_minutes) == (30, 3)
    assert seen(frame, objective(), 60, span(0, 60)).burned is None


def test_slices_are_cut_back_from_the_end() -> None:
    one = sliced(length=20 * MINUTE)
    frame = minutes([(minute, 0 if minute < 20 else 10, 10) for minute in range(60)], one)
    # Three slices in the hour, the first bad; two fit into 50 minutes, from 00:20 on.
    assert seen(frame, one, 60).burned == (1, 3)
    assert seen(frame, one, 50).burned == (0, 2)
    assert seen(frame, one, 60).bad_events == 200


def test_a_look_back_shorter_than_a_slice_is_a_slice() -> None:
    one = sliced(length=60 * MINUTE)
    frame = minutes([(minute, 0 if minute >= 55 else 10, 10) for minute in range(60)], one)
    assert seen(frame, one, 5).burned == (1, 1)
    assert seen(frame, one, 60).burned == (1, 1)  # 550 of 600 are under 95 %


def test_a_look_back_without_telemetry_counts_as_its_objective_says() -> None:
    one = sliced(no_data="bad")
    frame = minutes([(minute, 10, 10) for minute in range(50)], one)
    # Two slices since 00:50, which is where telemetry ended; nothing before anything was counted.
    assert seen(frame, one, 10).burned == (2, 2)
    assert seen(frame, one, 60).burned == (2, 12)
    assert seen(frame.clear(), one, 60).burned is None
    assert seen(frame, sliced(), 10).burned is None


def test_shares_of_slices_become_whole_numbers_for_alerts() -> None:
    one = ratios(length=30 * MINUTE)
    found = seen(minutes([(0, 1, 2), (30, 3, 4)], one), one, 60)
    bad, valid = found.burned or (0, 0)
    assert bad / valid == pytest.approx((0.5 + 0.25) / 2)
    assert isinstance(bad, int)


def test_slices_of_composites_are_looked_at_together() -> None:
    a, b = sliced("a"), sliced("b")
    both = sliced("both", members=(a, b), selector=Selector())
    frame = pl.concat([minutes([(55, 0, 10)], a), minutes([(50, 9, 10), (55, 10, 10)], b)])
    found = seen(frame, both, 10)
    # 9 of 10 are under 95 %; then b is good and a is bad
    assert (found.burned, found.bad_events, found.covered_minutes) == ((2, 2), 11, 2)


def test_members_that_add_up_burn_together() -> None:
    a, b = objective("a", 0.9), objective("b", 0.99)
    both = objective("both", 0.99, members=(a, b), selector=Selector())
    of = {a.name: look(9, 10, 0, 5), b.name: look(98, 100, 0, 5)}
    found = look_of(both, of)
    # 0.1 / 0.1 + 0.02 / 0.01 = 3; as of 100 valid, 3 are bad
    bad, valid = found.burned or (0, 0)
    assert bad / valid / 0.01 == pytest.approx(3.0)
    assert found.counted == added(both, [of[a.name].counted, of[b.name].counted])
    assert look_of(both, {a.name: of[a.name]}).covered_minutes == 5
    assert look_of(objective("a", 0.9), {}) is UNSEEN


def test_more_burn_than_an_outage_is_shown_as_an_outage() -> None:
    members = tuple(objective(name, 0.9) for name in "abc")
    three = objective("three", 0.9, members=members, selector=Selector())
    found = look_of(three, {one.name: look(0, 10, 0, 5) for one in members})
    assert float(found.counted.bad) == pytest.approx(30)  # three outages at 1 / 0.1
    bad, valid = found.burned or (0, 0)
    assert bad == valid
