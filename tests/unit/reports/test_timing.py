"""When reports are due: cron expressions in zones, the days when clocks change included."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.reports.scheduling.timing import EVERY, Timing

BERLIN = ZoneInfo("Europe/Berlin")


def due(cron: str, zone: str, start: str, count: int) -> list[str]:
    moment = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    timing, found = Timing(cron, zone), []
    for _ in range(count):
        moment = timing.after(moment)
        found.append(moment.isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        # 24 November 2026 is a Tuesday.
        ("0 6 * * 1", ["2026-11-30T06:00", "2026-12-07T06:00"]),
        ("0 6 * * mon", ["2026-11-30T06:00", "2026-12-07T06:00"]),
        ("0 6 * * 0", ["2026-11-29T06:00", "2026-12-06T06:00"]),  # 0 and 7 are Sunday, as in cron
        ("0 6 * * 7", ["2026-11-29T06:00", "2026-12-06T06:00"]),
        ("0 6 * * 5-7", ["2026-11-27T06:00", "2026-11-28T06:00", "2026-11-29T06:00", "2026-12-04T06:00"]),
        ("0 6 1 * *", ["2026-12-01T06:00", "2027-01-01T06:00"]),
        ("0 6 31 * *", ["2026-12-31T06:00", "2027-01-31T06:00", "2027-03-31T06:00"]),
        ("30 7 * JAN,jul Mon-Fri", ["2027-01-01T07:30", "2027-01-04T07:30"]),
        ("*/25 6 * * *", ["2026-11-25T06:00", "2026-11-25T06:25", "2026-11-25T06:50", "2026-11-26T06:00"]),
        ("0 9-17/4 * * *", ["2026-11-24T13:00", "2026-11-24T17:00", "2026-11-25T09:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
    ],
)  # fmt: skip
def test_times_are_those_of_the_calendar(cron, expected):
    found = due(cron, "UTC", "2026-11-24T12:00", len(expected))
    assert [text.removesuffix("+00:00") for text in found] == expected


def test_six_fields_begin_with_seconds():
    timing = Timing("*/20 0 6 * * *")
    start = datetime(2026, 11, 24, 5, 59, 50, tzinfo=UTC)
    found = list(islice(timing.between(start, start + timedelta(days=1)), 3))
    assert [f"{at:%H:%M:%S}" for at in found] == ["06:00:00", "06:00:20", "06:00:40"]


def test_a_time_that_the_clocks_jump_over_comes_later_and_once():
    # In Berlin, 29 March 2026 has no 02:00 to 03:00: 02:30 comes as 03:30 of summer time.
    assert due("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == [
        "2026-03-29T03:30+02:00",
        "2026-03-30T02:30+02:00",
    ]
    # New York jumps on 8 March 2026, and Monday's report is not touched by Sunday's jump.
    assert due("0 6 * * 1", "America/New_York", "2026-03-07T12:00", 1) == ["2026-03-09T06:00-04:00"]


def test_a_time_that_comes_twice_is_due_once():
    # On 25 October 2026, Berlin has 02:30 twice; the report is due at the first of them.
    assert due("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
    ]
    # What is made every hour is made in each of the 25 hours of that day.
    day = Timing("0 * * * *", "Europe/Berlin").between(
        datetime(2026, 10, 25, tzinfo=BERLIN) - timedelta(seconds=1),
        datetime(2026, 10, 25, 23, tzinfo=BERLIN),
    )
    assert len(list(day)) == 25


def test_the_day_of_a_run_is_that_of_its_zone():
    # 06:00 in Tokyo on Monday is 21:00 UTC on Sunday.
    timing = Timing("0 6 * * 1", "Asia/Tokyo")
    at = timing.after(datetime(2026, 11, 1, tzinfo=UTC))
    assert at == datetime(2026, 11, 1, 21, tzinfo=UTC)
    assert timing.day(at) == timing.day(at.astimezone(UTC)) == "2026-11-02"


@settings(max_examples=60, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=st.integers(4, 23),  # no clock of these zones changes after four
    weekday=st.sampled_from(["sun", "mon", "tue", "wed", "thu", "fri", "sat", "*"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    days=st.integers(0, 800),
)
def test_times_are_those_that_apscheduler_finds(minute, hour, weekday, zone, days):
    start = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=days)
    theirs = CronTrigger(
        minute=minute, hour=hour, day_of_week=weekday, timezone=ZoneInfo(zone)
    ).get_next_fire_time(None, start + timedelta(microseconds=1))
    assert Timing(f"{minute} {hour} * * {weekday}", zone).after(start) == theirs


@settings(max_examples=40, deadline=None)
@given(
    cron=st.sampled_from(
        ["*/7 * * * *", "30 2 * * *", "0 0 1 * *", "15 1-3 * * *", "*/10 2 * * *"]
    ),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    hours=st.integers(0, 24 * 365),
)
def test_times_always_go_forward(cron, zone, hours):
    timing = Timing(cron, zone)
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    for _ in range(5):
        found = timing.after(moment)
        assert found > moment
        moment = found


@pytest.mark.parametrize(
    ("cron", "zone", "says"),
    [
        ("0 6 * *", "UTC", "'0 6 \\* \\*' has 4 fields; write five: minute, hour, day of the month"),
        ("61 * * * *", "UTC", "'61' is no minute; write 0 to 59, 1-5"),
        ("0 6 * * 8", "UTC", "'8' is no weekday; write 0 to 7.*or sun to sat"),
        ("0 6 0 * *", "UTC", "'0' is no day; write 1 to 31"),
        ("0 5-2 * * *", "UTC", "'5-2' is no hour"),
        ("*/0 * * * *", "UTC", "'\\*/0' is no minute"),
        ("0 6 * feb-foo *", "UTC", "'feb-foo' is no month; .*jan to dec"),
        ("0 0 31 2,4 *", "UTC", "names a day that no month has"),
        ("0 6 1 * 1", "UTC", "a day of the month and a weekday; write two reports"),
        ("0 6 * * *", "Mars/Olympus", "there is no zone 'Mars/Olympus'; write an IANA name"),
        ("0 6 * * *", "../etc", "there is no zone"),
    ],
)  # fmt: skip
def test_what_is_no_timing_is_refused(cron, zone, says):
    with pytest.raises(ValueError, match=says):
        Timing(cron, zone)


def test_the_shorthand_is_six_in_the_morning():
    found = {name: due(cron, "UTC", "2026-11-24T12:00", 1) for name, cron in EVERY.items()}
    assert found == {
        "day": ["2026-11-25T06:00+00:00"],
        "week": ["2026-11-30T06:00+00:00"],  # a Monday
        "month": ["2026-12-01T06:00+00:00"],
    }
