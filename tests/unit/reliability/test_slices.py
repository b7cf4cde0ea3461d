"""Time slices: what is good, bad, uncertain or no slice at all, and what they add up to."""

from datetime import timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_objectives import MINUTE, minutes, objective, ratios, sliced, span, stretch

from fleetslo.errors import ParameterError
from fleetslo.reliability.budgets import judge
from fleetslo.reliability.counts import Counted, Stretch
from fleetslo.reliability.exclusions import without
from fleetslo.reliability.objectives import Objective, Selector
from fleetslo.reliability.slices import (
    cut,
    finished_slices,
    judged_slices,
    slice_counts,
    slice_minutes,
    whole_slices,
)


def count(frame: pl.DataFrame, one: Objective, of: Stretch) -> Counted:
    """Return what an objective's minutes count over a stretch."""
    length = slice_minutes(one)
    left = without(frame, of.excluded).filter(pl.col("minute") < of.until)
    grid = finished_slices(of, length)
    slices = judged_slices(cut(left, of.start, length), grid, [one])
    counts = slice_counts(slices, [one], int(grid["minutes"].sum()), whole_slices(of, length))
    return counts[one.service, one.name]


def numbers(counted: Counted) -> tuple[float, float, float]:
    return float(counted.good), float(counted.valid), float(counted.uncertain)


def test_equal_to_the_target_is_good() -> None:
    one = sliced(slice_target=0.95)
    # 95 of 100 is 95 %, as are 19 of 20; 94 of 100 is under it
    frame = minutes([(0, 95, 100), (5, 19, 20), (10, 94, 100)], one)
    assert numbers(count(frame, one, stretch(15))) == (2, 3, 0)


def test_a_target_that_floats_cannot_hold_is_met_exactly() -> None:
    # 0.7 in floats is a hair under 7/10, and 0.1 + 0.2 over 3/10; the counts decide.
    for target, good, valid in ((0.7, 7, 10), (0.3, 3, 10), (0.999, 999, 1000)):
        one = sliced(slice_target=target)
        assert numbers(count(minutes([(0, good, valid)], one), one, stretch(5))) == (1, 1, 0)
        huge = 10**12  # one request in 10^12 under it
        frame = minutes([(0, good * huge - 1, valid * huge)], one)
        assert numbers(count(frame, one, stretch(5))) == (0, 1, 0)


def test_uncertain_requests_leave_a_slice_open_only_where_they_decide() -> None:
    one = sliced(slice_target=0.9)
    frame = minutes([(0, 90, 100, 5), (5, 85, 100, 5), (10, 80, 100, 5)], one)
    # good whatever they were; good if all 5 were; bad whatever they were
    assert numbers(count(frame, one, stretch(15))) == (1, 3, 1)


def test_a_slice_without_data_is_left_out_and_lowers_coverage_where_nothing_reported() -> None:
    one = sliced()
    # The first slice is good; the second reported no traffic; the third reported nothing.
    frame = minutes([*((m, 10, 10) for m in range(5)), *((m, 0, 0) for m in range(5, 10))], one)
    found = count(frame, one, stretch(15))
    assert numbers(found) == (1, 1, 0)
    # A covered minute without requests is no traffic, not missing data.
    assert found.coverage == pytest.approx(10 / 15)
    assert found.whole == 3  # the budget is of all slices


@pytest.mark.parametrize(("says", "good"), [("good", 3), ("bad", 1)])
def test_a_slice_without_data_counts_as_its_objective_says(says: str, good: int) -> None:
    one = sliced(no_data=says)
    frame = minutes([(m, 10, 10) for m in range(5)], one)
    found = count(frame, one, stretch(15))
    assert numbers(found) == (good, 3, 0)
    assert found.coverage == 1.0
    # Before the first data nobody knows of an outage, nor where nothing was counted at all.
    late = count(minutes([(m, 10, 10) for m in range(5, 10)], one), one, stretch(15))
    assert (late.valid, late.coverage) == (2, pytest.approx(10 / 15))
    assert numbers(count(frame.clear(), one, stretch(15))) == (0, 0, 0)
    assert count(frame.clear(), one, stretch(15)).coverage == 0.0


@pytest.mark.parametrize("says", ["good", "bad"])
def test_a_quiet_slice_that_reported_is_not_a_silent_one(says: str) -> None:
    one = sliced(no_data=says)
    quiet = minutes([(m, 10, 10) for m in range(5)] + [(m, 0, 0) for m in range(5, 10)], one)
    # Slices of 5 minutes: good; reported and not asked; silent.
    found = count(quiet, one, stretch(15))
    assert numbers(found) == (2 if says == "good" else 1, 2, 0)
    assert found.coverage == 1.0


def test_a_slice_that_is_not_finished_is_none() -> None:
    one = sliced()
    frame = minutes([(m, 0, 10) for m in range(9)], one)
    found = count(frame, one, stretch(60, 9))
    assert (numbers(found), found.whole, found.minutes) == ((0, 1, 0), 12, 5)


def test_the_end_of_the_window_cuts_its_last_slice_short() -> None:
    one = sliced()
    frame = minutes([(m, 0 if m > 4 else 10, 10) for m in range(7)], one)
    found = count(frame, one, stretch(7))
    assert (numbers(found), found.whole, found.coverage) == ((1, 2, 0), 2, 1.0)


def test_a_wholly_excluded_slice_leaves_the_number_of_slices() -> None:
    one = sliced()
    frame = minutes([(m, 0 if 3 <= m < 12 else 10, 10) for m in range(20)], one)
    found = count(frame, one, stretch(20, None, span(3, 12)))
    # 00:00–00:03 and 00:12–00:15 are left of the first and third slice; the second is gone.
    assert (numbers(found), found.whole) == ((3, 3, 0), 3)
    assert (found.minutes, found.coverage) == (20 - 9, 1.0)


def test_slices_of_another_definition_are_left_out() -> None:
    one = sliced()
    changed = minutes([(0, 0, 10)], one).with_columns(definition=pl.lit("000000000000"))
    frame = pl.concat([minutes([(1, 10, 10)], one), changed])
    assert numbers(count(frame, one, stretch(5))) == (1, 1, 0)


def test_the_mean_of_slices_is_not_the_ratio_of_requests() -> None:
    one = ratios()
    # A busy slice at 50 % and a quiet one at 100 %: the mean is 75 %, the ratio 501 of 1,001.
    found = count(minutes([(0, 500, 1000), (5, 1, 1)], one), one, stretch(10))
    assert (numbers(found), float(found.good / found.valid)) == ((1.5, 2, 0), 0.75)


def test_a_mean_that_meets_its_target_exactly_is_met() -> None:
    # Slices of 2/3 and 1/3 and 1/2, by turns: a mean of exactly 1/2, however many there are.
    one = ratios(target=0.5)
    rows = [(5 * i, (2, 1, 1)[i % 3], (3, 3, 2)[i % 3]) for i in range(2016)]
    found = count(minutes(rows, one), one, stretch(2016 * 5))
    assert found.good == Fraction(2016, 2)
    verdict = judge(
        found.good,
        found.valid,
        target=0.5,
        window=timedelta(days=7),
        coverage=1.0,
        whole_count=found.whole,
        unit="slices",
    )
    assert (verdict.verdict, verdict.budget_spent) == ("at_risk", 1.0)
    worse = count(minutes([*rows[:-1], (rows[-1][0], 49, 100)], one), one, stretch(2016 * 5))
    # The last slice, of 1/2, became 49/100: a hair under the target.
    assert float(worse.good) == pytest.approx(1008 - 0.01)
    assert worse.good < 1008


def test_a_composite_slice_is_bad_if_any_members_is() -> None:
    one, two = sliced("one"), sliced("two")
    both = sliced("both", members=(one, two), selector=Selector())
    frame = pl.concat(
        [
            minutes([(0, 10, 10), (5, 0, 10), (10, 10, 10)], one),
            minutes([(0, 10, 10), (5, 10, 10), (15, 10, 10), (20, 0, 0)], two),
        ]
    )
    found = count(frame, both, stretch(25))
    # good and good; bad and good; good and none; none and good; none has data in the last
    assert numbers(found) == (3, 4, 0)
    # One member has no minute of two slices, so that is how far the composite is covered.
    assert found.covered_minutes == 2


def test_a_composite_slice_may_be_open() -> None:
    one, two = sliced("one", slice_target=0.9), sliced("two")
    both = sliced("both", members=(one, two), selector=Selector())
    frame = pl.concat(
        [minutes([(0, 85, 100, 5), (5, 85, 100, 5)], one), minutes([(0, 10, 10), (5, 0, 10)], two)]
    )
    # open and good is open; open and bad is bad
    assert numbers(count(frame, both, stretch(10))) == (0, 2, 1)


def test_many_objectives_are_counted_at_once() -> None:
    one, two = sliced("one"), ratios("two")
    frame = pl.concat([minutes([(0, 1, 2)], one), minutes([(0, 1, 2)], two)])
    grid = finished_slices(stretch(5), 5)
    slices = judged_slices(cut(frame, stretch(5).start, 5), grid, [one, two])
    counts = slice_counts(slices, [one, two], 5, 1)
    assert numbers(counts["checkout", one.name]) == (0, 1, 0)
    assert numbers(counts["checkout", two.name]) == (0.5, 1, 0)


def test_an_objective_without_slices_is_refused() -> None:
    with pytest.raises(ParameterError, match="counted by Occurrences, not in slices"):
        slice_minutes(objective())


COUNTED = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=40).map(
    lambda pairs: [(m, good, good + bad) for m, (good, bad) in enumerate(pairs)]
)


@given(COUNTED)
def test_the_mean_of_one_slice_is_the_ratio_of_requests(
    rows: list[tuple[int, int, int]],
) -> None:
    """RatioTimeslices of one slice equals Occurrences."""
    one = ratios(length=len(rows) * MINUTE)
    found = count(minutes(rows, one), one, stretch(len(rows)))
    valid = sum(row[2] for row in rows)
    if not valid:
        assert found.valid == 0
        return
    assert float(found.good / found.valid) == pytest.approx(sum(row[1] for row in rows) / valid)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_slices_of_a_minute_and_a_request_are_requests(good: list[bool]) -> None:
    """Timeslices of one minute equal Occurrences of one request a minute."""
    one = sliced(length=MINUTE)
    rows = [(m, int(is_good), 1) for m, is_good in enumerate(good)]
    assert numbers(count(minutes(rows, one), one, stretch(len(rows)))) == (sum(good), len(good), 0)


@given(COUNTED, st.integers(0, 8))
def test_a_stretch_split_between_slices_sums_to_the_whole(
    rows: list[tuple[int, int, int]], slices: int
) -> None:
    end = len(rows)
    middle = min(5 * slices, end - end % 5)
    for one in (sliced(), ratios()):
        frame = minutes(rows, one)
        first, second = part(frame, one, 0, middle), part(frame, one, middle, end)
        whole = part(frame, one, 0, end)
        assert first.valid + second.valid == whole.valid
        assert float(first.good + second.good) == pytest.approx(float(whole.good))
        assert first.whole + second.whole == whole.whole


def part(frame: pl.DataFrame, one: Objective, first: int, last: int) -> Counted:
    """Return what the minutes from one to another count."""
    if first == last:
        return Counted(0, 0, 0, 0, 0, 0)
    of = Stretch(span(first, last).start, span(first, last).end, span(first, last).end)
    return count(frame.filter(pl.col("minute") >= of.start), one, of)


@given(COUNTED, st.permutations(range(40)))
def test_the_order_of_minutes_does_not_matter(
    rows: list[tuple[int, int, int]], order: list[int]
) -> None:
    for one in (sliced(), ratios()):
        frame = minutes(rows, one)
        shuffled = frame[[place for place in order if place < frame.height]]
        assert count(frame, one, stretch(40)) == count(shuffled, one, stretch(40))


@given(COUNTED, st.integers(0, 40), st.integers(0, 40))
def test_excluded_minutes_leave_both_counts(
    rows: list[tuple[int, int, int]], one_edge: int, other_edge: int
) -> None:
    first, last = sorted((one_edge, other_edge))
    if first == last:
        return
    for one in (sliced(), ratios()):
        of = stretch(40, None, span(first, last))
        kept = minutes([row for row in rows if not first <= row[0] < last], one)
        assert count(minutes(rows, one), one, of) == count(kept, one, of)
