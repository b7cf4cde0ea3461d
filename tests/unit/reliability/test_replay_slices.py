"""Replay for objectives that are counted in slices: cut backwards from every look."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from recorded_minutes import MIDNIGHT, MINUTE, after, an_objective, some_minutes

from fleetslo.reliability.alerts import ABOVE, AlertWindow, firing
from fleetslo.reliability.lookback import UNSEEN, looks_of_minutes
from fleetslo.reliability.replaying.replay import replay


def in_slices(minutes: int, slice_target: float | None = 0.9, target: float = 0.5, **changed):
    method = "RatioTimeslices" if slice_target is None else "Timeslices"
    return an_objective(
        target,
        method=method,
        slice_length=minutes * MINUTE,
        slice_target=slice_target,
        **changed,
    )


def condition(long: int, short: int, factor: float = 1.0, **changed) -> AlertWindow:
    return AlertWindow("page", 0.1, long * MINUTE, short * MINUTE, factor, **changed)


def fired(alerts: pl.DataFrame) -> list[tuple]:
    return [
        tuple(None if at is None else (at - MIDNIGHT) / MINUTE for at in row)
        for row in alerts.select("fired_at", "cleared_at").rows()
    ]


def test_errors_within_the_slices_target_burn_nothing():
    # 2 % errors for good: every slice is above 95 %, none of the 1 % that may be bad is spent,
    # although requests burn at 2.
    minutes = some_minutes([2] * 300)
    assert replay(minutes, in_slices(5, 0.95, 0.99)).is_empty()
    assert replay(minutes, in_slices(5, 0.99, 0.99)).height == 2  # each slice is bad: 100


def test_slices_that_are_bad_fire_and_are_what_is_spent():
    # Slices of two minutes, good at 90 % or more; a look back of four minutes holds two. Minutes 3
    # to 5 are half bad, so that any slice with one of them is bad. Half of the slices may be.
    #   look at the end of   3       4       5       6       7
    #   slices               2-3     3-4     4-5     5-6     6-7
    #   and before           1       1-2     2-3     3-4     4-5
    #   bad, of two          1       1       2       2       1
    # Only two of two burn faster than 1.
    minutes = some_minutes([0, 0, 50, 50, 50, 0, 0, 0, 0])
    alerts = replay(minutes, in_slices(2), [condition(4, 2)])
    assert fired(alerts) == [(5, 7)]
    row = alerts.row(0, named=True)
    # A month has 21,600 slices, of which half may be bad; two were gone, and that of 6 and 7 not.
    assert row["budget_spent_at"] == pytest.approx(2 / 10_800)
    assert row["budget_spent"] == pytest.approx(2 / 10_800)
    assert row["bad_count"] == 0  # requests of the sixth and seventh minute


def test_a_slice_at_its_target_is_good():
    # 90 of 100 is at the target of 0.9, which is no 0.9 in floats.
    minutes = some_minutes([10] * 20)
    assert replay(minutes, in_slices(1), [condition(4, 2)]).is_empty()
    assert replay(some_minutes([11] * 20), in_slices(1), [condition(4, 2)]).height == 1


def test_what_may_have_been_good_makes_no_slice_bad():
    minutes = some_minutes([50] * 20).with_columns(uncertain_count=pl.lit(40))
    assert replay(minutes, in_slices(1), [condition(4, 2)]).is_empty()


def test_slices_without_data_are_left_out_unless_they_count():
    # Two bad minutes, then silence: all slices with data are bad, a burn of 2, for as long as the
    # last four minutes hold one.
    minutes = some_minutes([50, 50])
    alone = replay(minutes, in_slices(1), [condition(4, 4)], until=after(10))
    assert fired(alone) == [(1, 6)]
    good = in_slices(1, no_data="good")
    # At the end of minute 3 two of three are bad (1.33), of minute 4 two of four: exactly 1.
    assert fired(replay(minutes, good, [condition(4, 4)], until=after(10))) == [(1, 4)]
    bad = in_slices(1, no_data="bad")
    # Silence spends the budget then, and yet wakes nobody: it holds no bad request, and a condition
    # on no data is the alert for it.
    assert fired(replay(minutes, bad, [condition(4, 4)], until=after(10))) == [(1, 6)]
    aware = [condition(4, 4, without_data=True)]
    assert fired(replay(minutes, bad, aware, until=after(10))) == [(1, None)]


def test_ratio_slices_burn_by_what_they_fall_short():
    # Minutes with 1 of 2 and 0 of 100 bad: a mean shortfall of 0.25, where 1 of 102 requests is.
    minutes = some_minutes([1, 0] * 10, valid=[2, 100] * 10)
    ratio = in_slices(1, None, target=0.8)
    alerts = replay(minutes, ratio, [condition(2, 2)], least_bad=1)
    assert fired(alerts) == [(1, None)]  # 0.25 / 0.2 = 1.25
    # The first minute alone falls short by 0.5; 0.2 × 43,200 slices may be missing.
    assert alerts["budget_spent_at"].item() == pytest.approx(0.5 / 8_640)
    assert replay(minutes, in_slices(1, None, target=0.75), [condition(2, 2)], least_bad=1)[
        "cleared_at"
    ].to_list() == [after(2)]  # 0.25 / 0.25 is exactly 1


COUNTS = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2))
MINUTES = st.dictionaries(st.integers(0, 30), COUNTS, min_size=1)
WINDOWS = st.builds(
    lambda short, more, factor, op, silent: condition(
        short + more, short, factor, op=op, without_data=silent
    ),
    st.integers(1, 6),
    st.integers(0, 9),
    st.sampled_from([0.5, 1.0, 1.5, 2.0]),
    st.sampled_from(["gt", "gte", "lt", "lte"]),
    st.booleans(),
)


def frame_of(drawn) -> pl.DataFrame:
    return pl.DataFrame(
        [
            ("checkout", "checkout-availability", MIDNIGHT + place * MINUTE, g, b + g + u, u)
            for place, (b, g, u) in sorted(drawn.items())
        ],
        schema={
            "service": pl.String,
            "objective": pl.String,
            "minute": pl.Datetime("us", "UTC"),
            "good_count": pl.Int64,
            "valid_count": pl.Int64,
            "uncertain_count": pl.Int64,
        },
        orient="row",
    )


@given(
    MINUTES,
    WINDOWS,
    st.integers(1, 5),
    st.sampled_from([None, 0.5, 0.75, 1.0]),
    st.sampled_from([0.5, 0.75, 0.9]),
    st.integers(0, 4),
    st.integers(0, 8),
)
def test_a_replay_agrees_with_the_alerts_of_a_judgement_at_its_end(
    drawn, window, length, slice_target, target, least_bad, silent
):
    now = max(drawn) + 1 + silent
    objective = in_slices(length, slice_target, target)
    minutes = frame_of(drawn)
    alerts = replay(minutes, objective, [window], least_bad=least_bad, until=after(now))
    lengths = sorted({window.long_minutes, window.short_minutes})
    judged = minutes.with_columns(definition=pl.lit(objective.selector.definition))
    looks = looks_of_minutes(judged, [objective], after(now), lengths)
    looks = looks["checkout", "checkout-availability"]
    seen = {m: looks.get(m, UNSEEN) for m in lengths}
    fires = firing({m: s.burned for m, s in seen.items()}, target, [window], least_bad=0)
    long = seen[window.long_minutes]
    if window.op in ABOVE and long.covered_minutes and long.bad_events < least_bad:
        fires = ()
    assert (None in alerts["cleared_at"].to_list()) is bool(fires)


@given(MINUTES, WINDOWS, st.sampled_from([0.5, 0.75, 0.9]))
def test_slices_of_a_minute_with_one_request_are_its_requests(drawn, window, target):
    # One request a minute, good or bad: a slice is bad when its request is.
    one = {m: (int(b > g), int(b <= g), 0) for m, (b, g, _) in drawn.items()}
    by_request = replay(frame_of(one), an_objective(target), [window], least_bad=1)
    timeslices = replay(frame_of(one), in_slices(1, 1.0, target), [window], least_bad=1)
    ratio = replay(frame_of(one), in_slices(1, None, target), [window], least_bad=1)
    same = ["fired_at", "cleared_at", "bad_count"]
    assert timeslices.select(same).equals(by_request.select(same))
    assert ratio.select(same).equals(by_request.select(same))


@given(MINUTES, WINDOWS, st.integers(1, 4), st.sampled_from([0.5, 0.75, 0.9]))
def test_a_look_of_one_ratio_slice_is_one_of_its_requests(drawn, window, length, target):
    assume(window.long_minutes >= length)
    alone = replace(window, long=length * MINUTE, short=length * MINUTE)
    by_request = replay(frame_of(drawn), an_objective(target), [alone])
    ratio = replay(frame_of(drawn), in_slices(length, None, target), [alone])
    same = ["fired_at", "cleared_at", "bad_count"]
    assert ratio.select(same).equals(by_request.select(same))


@given(MINUTES, st.integers(1, 5), st.integers(1, 12), st.sampled_from([0.5, 0.75]))
def test_slices_agree_with_cutting_every_look_by_itself(drawn, length, long, slice_target):
    share, factor = Fraction(1, 2), Fraction(3, 2)
    step = min(length, long)
    end = max(drawn) + 1

    def burn(now: int) -> Fraction | None:
        states = []
        for place in range(long // step):
            rows = [
                drawn[m] for m in range(now - (place + 1) * step, now - place * step) if m in drawn
            ]
            bad, valid = sum(r[0] for r in rows), sum(sum(r) for r in rows)
            if valid:
                states.append(Fraction(valid - bad, valid) < Fraction(str(slice_target)))
        return Fraction(sum(states), len(states)) / share if states else None

    expected = [
        now
        for now in range(min(drawn) + 1, end + 1)
        if (found := burn(now)) is not None and found > factor
    ]
    alerts = replay(
        frame_of(drawn), in_slices(length, slice_target), [condition(long, long, 1.5)], least_bad=0
    )
    told = [
        minute
        for start, stop in fired(alerts)
        for minute in range(int(start), end + 1 if stop is None else int(stop))
    ]
    assert told == expected


def test_slices_are_whole_minutes_of_the_objectives_window():
    # 28 days in slices of an hour are 672; one bad of 0.01 × 672 = 6.72.
    objective = in_slices(60, 0.9, 0.99, days=28)
    alerts = replay(some_minutes([0] * 120 + [50] * 60), objective, [condition(60, 60, 99.0)])
    assert objective.window.nominal == timedelta(days=28)
    first = alerts.row(0, named=True)
    assert first["budget_spent_at"] == pytest.approx(1 / 6.72)
