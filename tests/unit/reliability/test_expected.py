"""How much a window that still runs is expected to hold."""

from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_objectives import START

from fleetslo.periods import Period
from fleetslo.reliability.expected import earlier_stretches, expected_rest, expected_whole

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


def counts(until: datetime, end: datetime, rates: list[int | None]) -> list[tuple[int, int]]:
    """Return what came a minute in each of the weeks before, newest first; None is not covered."""
    found = []
    for tile in earlier_stretches(until, end):
        rate = rates[int((until - tile.start - timedelta(minutes=1)) / WEEK)]
        found.append((0, 0) if rate is None else (rate * tile.minutes, tile.minutes))
    return found


def rest(days: float, rates: list[int | None]) -> Fraction | None:
    end = START + days * DAY
    return expected_rest(counts(START, end, rates), START, end)


def test_the_rest_is_the_mean_of_the_same_hours_of_four_weeks() -> None:
    # Two days of 2,880 minutes at 10, 20, 30 and 40 a minute: 25 x 2,880
    assert rest(2, [10, 20, 30, 40]) == 72_000


def test_whole_weeks_ahead_are_the_mean_week() -> None:
    # 16 days are two weeks of 10,080 minutes and two days
    assert rest(16, [10, 10, 30, 30]) == 20 * (2 * 10_080 + 2_880)
    assert rest(7, [10, 10, 30, 30]) == 20 * 10_080
    # Half a week: both halves are as long, and only the first comes once more.
    assert rest(10.5, [10, 10, 10, 10]) == 10 * 15_120


def test_weeks_that_are_not_covered_are_left_out() -> None:
    assert rest(2, [10, None, None, 30]) == 20 * 2_880
    assert rest(2, [None, None, None, None]) is None


def test_a_week_counts_from_nine_tenths_of_coverage() -> None:
    end = START + DAY
    tiles = earlier_stretches(START, end)
    few = [(1_440, round(0.89 * tile.minutes)) for tile in tiles]
    assert expected_rest(few, START, end) is None
    enough = [(1_440, round(0.9 * tile.minutes)) for tile in tiles]
    # The 1,440 of 1,296 minutes are 1,600 of the whole day's 1,440: nobody reported the others.
    assert expected_rest(enough, START, end) == 1_600


def test_quiet_nights_are_expected_to_be_quiet() -> None:
    """The same hours count, not the mean of all: from 18:00 to midnight nobody came."""
    until, end = START + timedelta(hours=18), START + DAY
    tiles = earlier_stretches(until, end)
    found = [(0 if tile.length == timedelta(hours=6) else 10**6, tile.minutes) for tile in tiles]
    assert expected_rest(found, until, end) == 0


def test_with_nothing_to_go_by_what_came_is_scaled_by_time() -> None:
    # 3 of 30 days brought 3,000
    assert expected_whole(3_000, 3 * 1_440, 27 * 1_440, None) == 30_000
    assert expected_whole(0, 0, 1_440, None) == 0
    assert expected_whole(3_000, 3 * 1_440, 27 * 1_440, Fraction(27_000)) == 30_000


@given(st.integers(1, 40 * 1440))
def test_earlier_stretches_tile_four_weeks(minutes: int) -> None:
    end = START + timedelta(minutes=minutes)
    tiles = sorted(earlier_stretches(START, end))
    assert (tiles[0].start, tiles[-1].end) == (START - 4 * WEEK, START)
    assert all(a.end == b.start for a, b in pairwise(tiles))


@given(st.integers(1, 40 * 1440), st.integers(0, 1000))
def test_steady_traffic_is_expected_to_go_on(minutes: int, rate: int) -> None:
    end = START + timedelta(minutes=minutes)
    assert expected_rest(counts(START, end, [rate] * 4), START, end) == rate * minutes


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "Australia/Lord_Howe"])
def test_hours_are_those_of_utc_so_that_a_change_of_clocks_shifts_no_minute(zone: str) -> None:
    until = datetime(2026, 10, 20, tzinfo=ZoneInfo(zone))
    end = datetime(2026, 11, 1, tzinfo=ZoneInfo(zone))
    length = Period(until, end)  # 12 days and the hour, or half hour, of the change
    tiles = earlier_stretches(length.start, length.end)
    assert tiles[0].length == length.length % WEEK
