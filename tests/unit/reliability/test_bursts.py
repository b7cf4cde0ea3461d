"""When errors came: the stretch with most above the usual."""

from itertools import combinations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from tests.error_frames import HOUR, START, errors, requests

from fleetslo.reliability.failing.bursts import Burst, burst


def test_it_is_the_stretch_that_exceeds_the_usual_rate_most() -> None:
    # Of 100 requests 1 is usual: above it are −1, 4, −1, 8, −1, −1; hours 1 to 3 hold 11.
    found = burst(errors([0, 5, 0, 9, 0, 0]), requests([100] * 6), 0.01)
    assert found == Burst(START + HOUR, START + 4 * HOUR, 14)


def test_a_lonely_error_long_before_is_no_part_of_it() -> None:
    # Above 1 an hour: 0, −1, −1, −1, 9: what lies between costs more than the first brings.
    found = burst(errors([1, 0, 0, 0, 10]), requests([100] * 5), 0.01)
    assert found == Burst(START + 4 * HOUR, START + 5 * HOUR, 10)


def test_more_traffic_alone_is_no_burst() -> None:
    assert burst(errors([1, 10]), requests([100, 1000]), 0.01) is None


def test_without_a_request_there_is_none() -> None:
    assert burst(errors([]), requests([]), 0.01) is None


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_no_other_stretch_holds_more_above_the_usual(counts: list[int]) -> None:
    found = burst(errors(counts), requests([100] * len(counts)), 0.03)
    above = [count - 3 for count in counts]
    most = max(sum(above[a:b]) for a, b in combinations(range(len(counts) + 1), 2))
    if found is None:
        assert most <= 0
        return
    first, last = ((at - START) // HOUR for at in (found.start, found.end))
    assert sum(above[first:last]) == pytest.approx(most)
    assert sum(counts[first:last]) == found.error_count
