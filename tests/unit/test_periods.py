from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import PeriodError
from fleetslo.periods import Period, instant


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("28d", utc(2026, 10, 4), utc(2026, 11, 1)),  # October has 31 days: 32 - 28 = 4
        ("4w", utc(2026, 10, 4), utc(2026, 11, 1)),
        ("36h", utc(2026, 10, 30, 12), utc(2026, 11, 1)),
        ("2026-10", utc(2026, 10, 1), utc(2026, 11, 1)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        (
            "2026-W44",
            utc(2026, 10, 26),
            utc(2026, 11, 2),
        ),  # ISO 8601: 1 Nov 2026 is a Sunday of W44
        ("2026-10-01/2026-11-01", utc(2026, 10, 1), utc(2026, 11, 1)),
        ("2026-10-01T06:30Z/2026-10-01T07:00+00:00", utc(2026, 10, 1, 6, 30), utc(2026, 10, 1, 7)),
    ],
)
def test_every_way_to_write_a_period(text: str, start: datetime, end: datetime) -> None:
    period = Period.parse(text, as_of="2026-11-01")
    assert (period.start, period.end) == (start, end)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("28", "is not a period"),
        ("0d", "holds no time"),
        ("2026-13", "does not exist"),
        ("2026-W54", "does not exist"),
        ("2026-11-01/2026-10-01", "holds no time"),
        ("2026-10-01/soon", "not a date"),
        ("last week", "is not a period"),
    ],
)
def test_a_wrong_period_is_refused_with_the_way_to_write_it(text: str, says: str) -> None:
    with pytest.raises(PeriodError, match=says):
        Period.parse(text, as_of="2026-11-01")


def test_a_length_needs_a_day_to_end_on() -> None:
    with pytest.raises(PeriodError, match="--as-of"):
        Period.parse("28d")


def test_instants() -> None:
    assert instant(date(2026, 11, 1)) == utc(2026, 11, 1)
    # 06:00 at two hours east of Greenwich is 04:00 in UTC
    east = datetime(2026, 11, 1, 6, tzinfo=timezone(timedelta(hours=2)))
    assert instant(east) == utc(2026, 11, 1, 4)
    with pytest.raises(PeriodError, match="no zone"):
        instant(datetime(2026, 11, 1))  # noqa: DTZ001


def test_neighbours_of_a_month_are_months() -> None:
    october = Period.parse("2026-10")
    assert october.previous() == Period.parse("2026-09")
    assert october.next() == Period.parse("2026-11")
    assert Period.parse("2026-01").previous() == Period.parse("2025-12")


def test_words() -> None:
    period = Period.ending("2026-11-01", days=28)
    assert period.label == "4 Oct – 1 Nov 2026"
    assert period.slug == "2026-10-04_2026-11-01"
    assert Period.parse("2025-12-30/2026-01-02").label == "30 Dec 2025 – 2 Jan 2026"
    assert Period.parse("2026-10-31T18:00/2026-11-01").label == "31 Oct 18:00 – 1 Nov 2026 00:00"
    assert ":" not in Period.parse("2026-10-31T18:00/2026-11-01").slug


def test_a_period_is_half_open() -> None:
    period = Period.parse("2026-10-01/2026-10-02")
    assert utc(2026, 10, 1) in period
    assert utc(2026, 10, 2) not in period
    assert (period.days, period.minutes) == (1.0, 1440)
    assert period.last(timedelta(hours=1)) == Period(utc(2026, 10, 1, 23), utc(2026, 10, 2))


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1)),  # noqa: DTZ001
    st.integers(1, 10**6),
)
def test_a_period_reads_back_from_its_text(start: datetime, seconds: int) -> None:
    first = start.replace(microsecond=0, tzinfo=UTC)
    period = Period(first, first + timedelta(seconds=seconds))
    assert Period.parse(str(period)) == period
    if period.length != timedelta(0):
        assert period.previous().end == period.start
        assert period.next().start == period.end
