from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.charts import words
from fleetslo.charts.words import THIN


def thin(text: str) -> str:
    """Return a text with the spaces of its units as words writes them."""
    return text.replace("_", THIN)


@pytest.mark.parametrize(
    ("ratio", "read"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0, "0_%"),
        (1.0, "100_%"),
        (0.99904, "99.904_%"),  # 0.096 % away from all: two digits of it
        (0.9931, "99.31_%"),  # 0.69 % away
        (0.95, "95.0_%"),
        (0.5, "50_%"),
        (0.00021, "0.021_%"),
        (1.2, "120_%"),
        (-0.3, "−30_%"),
        (0.99999999999, "> 99.99999_%"),  # one bad in 10^11 is not all
    ],
)
def test_percent_grows_digits_near_the_ends(ratio, read):
    assert words.percent(ratio) == thin(read)


def test_a_missed_target_never_reads_like_the_target():
    assert words.percent(0.99896) == thin("99.90_%")  # 0.104 % away: 0.10
    assert words.percent(0.99896, against=0.999) == thin("99.896_%")
    assert words.percent(0.9989999, against=0.999) == thin("99.89999_%")
    assert words.percent(0.999, against=0.999) == thin("99.90_%")


@given(st.floats(0, 1), st.sampled_from([0.9, 0.99, 0.995, 0.999, 0.9999]))
def test_percent_says_all_and_none_only_of_all_and_none(ratio, target):
    read = words.percent(ratio, against=target)
    assert (read == thin("100_%")) == (ratio * 100 == 100)
    if ratio == 0:
        assert read == thin("0_%")


@pytest.mark.parametrize(
    ("ratio", "read"),
    [
        (0.58, "58_%"),
        (-0.9, "−90_%"),
        (0.004, "0.4_%"),
        (0.9996, "99.9_%"),  # not all of it
        (-0.003, "−0.3_%"),
        (1.0, "100_%"),
        (0.00001, "< 0.01_%"),
        (-0.00001, "> −0.01_%"),
        (None, "–"),
        (float("-inf"), "−∞_%"),
    ],
)
def test_share(ratio, read):
    assert words.share(ratio) == thin(read)
    assert words.budget(ratio) == thin(read)


def test_target_is_said_as_it_was_written():
    assert [words.target(one) for one in (0.999, 0.9995, 0.99, 0.5)] == [
        thin(one) for one in ("99.9_%", "99.95_%", "99_%", "50_%")
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, "0"),
        (842, "842"),
        (31_204, "31,204"),
        (99_999, "99,999"),
        (100_000, "100_k"),
        (999_999, "1.00_M"),  # 1,000 k is a million
        (1_930_000, "1.93_M"),
        (2_010_000_000, "2.01_G"),
        (412e9, "412_G"),
        (7.1e12, "7.10_T"),
        (-1_930_000, "−1.93_M"),
        (12.5, "12.5"),
        (None, "–"),
    ],
)
def test_count(value, read):
    assert words.count(value) == thin(read)


@pytest.mark.parametrize(
    ("seconds", "read"),
    [
        (None, "–"),
        (0, "0_s"),
        (0.04, "40_ms"),
        (41, "41_s"),
        (2418, "40.3_min"),  # 2418 / 60
        (6720, "1_h 52_min"),
        (7200, "2_h"),
        (53 * 3600, "2_d 5_h"),
        (48 * 3600, "2_d"),
        (300 * 86400, "300_d"),
        (-2418, "−40.3_min"),
    ],
)
def test_duration(seconds, read):
    assert words.duration(seconds) == thin(read)


@pytest.mark.parametrize(
    ("seconds", "read"),
    [
        (None, "–"),
        (0, "0_ms"),
        (0.0000021, "2.1_µs"),
        (0.00422, "4.2_ms"),
        (0.148, "148_ms"),
        (0.9996, "1_s"),
        (1.236, "1.24_s"),
    ],
)
def test_latency(seconds, read):
    assert words.latency(seconds) == thin(read)


def test_milliseconds_leave_the_unit_to_the_head():
    assert words.milliseconds(0.2718) == "272"
    assert words.milliseconds(1.236) == "1,240"
    assert words.milliseconds(None) == "–"


def test_burn_and_ratios():
    assert [words.burn(one) for one in (None, 0, 0.01, 0.3, 14.4, 132.4, float("inf"))] == [
        thin(one) for one in ("–", "0_×", "< 0.1_×", "0.3_×", "14.4_×", "132_×", "∞_×")
    ]
    assert words.ratio(1.84) == thin("1.84_×")
    assert words.times(1.84) == "1.8 times"
    assert words.ratio(None) == words.times(None) == "–"


def test_numbers_have_a_true_minus_and_no_minus_zero():
    assert words.number(-1.5) == "−1.5"
    assert words.share(-0.0) == thin("0_%")
    assert words.number(float("inf")) == "∞"
    assert words.number(0.012345) == "0.0123"


def test_prose():
    assert words.numeral(2) == "two"
    assert words.numeral(12) == "12"
    assert words.plural(1, "service") == "1 service"
    assert words.plural(1204, "service") == "1,204 services"
    assert words.plural(2, "query", "queries", spelled=True) == "two queries"
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.listed(list("abcdefg")) == "a, b, c and 4 more"
    assert words.capital("checkout is fine") == "Checkout is fine"


def test_times_are_utc():
    at = datetime(2026, 10, 15, 12, 48, tzinfo=datetime.strptime("+0200", "%z").tzinfo)
    assert words.moment(at) == "15 Oct 10:48"
    assert words.day(at, year=True) == "15 Oct 2026"
    assert words.day(date(2026, 3, 1)) == "1 Mar"
    assert words.day(None) == words.moment(None) == "–"
    start = datetime(2026, 10, 15, 10, 48, tzinfo=UTC)
    assert words.span(start, start + timedelta(minutes=112)) == "15 Oct 10:48 – 12:40"
    assert words.span(start, start + timedelta(hours=20)) == "15 Oct 10:48 – 16 Oct 06:48"
    assert words.span(start, None) == "since 15 Oct 10:48"


def test_windows():
    assert words.window(timedelta(days=28)) == "28 days"
    assert words.window(timedelta(days=1)) == "1 day"
    assert words.window(3600) == thin("1_h")
    assert words.window(1800) == thin("30_min")
    assert words.window(30) == thin("30_s")


def test_bounds_say_a_shared_unit_once():
    low, high = words.percent(0.99901), words.percent(0.99907)
    assert words.bounds(low, high) == thin("99.901 – 99.907_%")
    assert words.bounds(high, high) == high
    assert words.bounds(thin("980_ms"), thin("1.1_s")) == thin("980_ms – 1.1_s")


def test_every_verdict_has_a_shape_and_a_word_of_its_own():
    marks = list(words.MARKS.values())
    assert len({mark.shape for mark in marks}) == len({mark.word for mark in marks}) == 4
    assert words.verdict_mark("unjudged") == ("○", "Cannot be judged yet")
