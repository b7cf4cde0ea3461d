"""Windows: published ones, odd days, and the law that those of a calendar tile time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.periods import Period
from fleetslo.reliability.windows import CalendarWindow, RollingWindow, Unit, instant_of

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def calendar(count: int, unit: Unit, anchor: str, zone: str = "UTC") -> CalendarWindow:
    return CalendarWindow(count, unit, local(anchor), zone)


LOS_ANGELES, TALLINN = "America/Los_Angeles", "Europe/Tallinn"


@pytest.mark.parametrize(
    ("count", "unit", "anchor", "zone", "start", "end"),
    [
        (1, "week", "2022-10-11 08:00", LOS_ANGELES, "2022-10-11 15:00", "2022-10-18 15:00"),
        (1, "week", "2022-09-05 08:00", LOS_ANGELES, "2022-10-10 15:00", "2022-10-17 15:00"),
        (1, "week", "2022-09-05 09:00", TALLINN, "2022-10-10 06:00", "2022-10-17 06:00"),
        (2, "week", "2022-10-11 08:00", LOS_ANGELES, "2022-10-11 15:00", "2022-10-25 15:00"),
        # Kibana counts the weeks since 5 September in calendar weeks and finds 10 to 24 October.
        # Two weeks each from the 5th: 5 and 19 September, 3 and 17 October.
        (2, "week", "2022-09-05 08:00", LOS_ANGELES, "2022-10-03 15:00", "2022-10-17 15:00"),
        (1, "month", "2022-10-01 08:00", LOS_ANGELES, "2022-10-01 15:00", "2022-11-01 15:00"),
        (1, "month", "2022-09-01 08:00", LOS_ANGELES, "2022-10-01 15:00", "2022-11-01 15:00"),
        # Summer time ends in between: 09:00 is 06:00 UTC, then 07:00.
        (1, "month", "2022-09-05 09:00", TALLINN, "2022-10-05 06:00", "2022-11-05 07:00"),
        (1, "quarter", "2022-09-01 08:00", LOS_ANGELES, "2022-09-01 15:00", "2022-12-01 16:00"),
        (1, "quarter", "2022-06-01 08:00", LOS_ANGELES, "2022-09-01 15:00", "2022-12-01 16:00"),
        (1, "quarter", "2022-06-05 09:00", TALLINN, "2022-09-05 06:00", "2022-12-05 07:00"),
    ],
)
def test_windows_that_kibana_publishes(count, unit, anchor, zone, start, end):
    """elastic/kibana, x-pack/plugins/observability, date_range.test.ts, of 11 Oct 2022, 15:42."""
    found = calendar(count, unit, anchor, zone).at(utc("2022-10-11 15:42"))
    assert found == Period(utc(start), utc(end))


@pytest.mark.parametrize(
    ("unit", "anchor", "at", "start", "end"),
    [
        ("year", "2025-04-15", "2026-04-14", "2025-04-15", "2026-04-15"),
        ("quarter", "2025-04-15", "2025-07-14", "2025-04-15", "2025-07-15"),
        ("month", "2025-04-15", "2025-05-14", "2025-04-15", "2025-05-15"),
        ("week", "2025-04-15", "2025-04-21", "2025-04-15", "2025-04-22"),
        ("day", "2025-04-15 15:00", "2025-04-16 14:59:59", "2025-04-15 15:00", "2025-04-16 15:00"),
    ],
)
def test_windows_that_nobl9_publishes(unit, anchor, at, start, end):
    """docs.nobl9.com/guides/slo-guides/calendar-aligned-slos, "Example start and end dates"."""
    assert calendar(1, unit, anchor).at(utc(at)) == Period(utc(start), utc(end))


def test_a_rolling_window_has_one_length_and_ends_now():
    """Kibana's rolling quarter goes back to the same day three months ago; ours is 90 days."""
    window = RollingWindow(90 * DAY)
    assert window.at(utc("2022-10-11 15:42")) == Period(
        utc("2022-07-13 15:42"), utc("2022-10-11 15:42")
    )
    assert window.nominal == 90 * DAY


def test_the_window_on_an_edge_is_the_one_that_just_ended():
    october = Period(utc("2026-10-01"), utc("2026-11-01"))
    window = calendar(1, "month", "2026-01-01")
    assert window.at(october.end) == october
    assert window.at(october.start + TICK) == october
    assert window.at(october.start) == Period(utc("2026-09-01"), october.start)


def test_windows_lie_before_their_anchor_as_well():
    window = calendar(2, "month", "2030-05-03 12:30")
    assert window.at(utc("2026-11-01")) == Period(utc("2026-09-03 12:30"), utc("2026-11-03 12:30"))


def edges(window: CalendarWindow, first: int, last: int) -> list[str]:
    return [f"{window.edge(number):%Y-%m-%d}" for number in range(first, last)]


def test_a_month_from_the_31st_ends_with_shorter_ones_and_comes_back():
    assert edges(calendar(1, "month", "2027-12-31"), 0, 6) == [
        "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"
    ]  # fmt: skip
    assert edges(calendar(1, "quarter", "2025-11-30"), 0, 4) == [
        "2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30"
    ]  # fmt: skip


def test_a_year_from_29_february_begins_on_the_28th_between_leap_years():
    assert edges(calendar(1, "year", "2024-02-29"), -1, 5) == [
        "2023-02-28", "2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"
    ]  # fmt: skip
    assert calendar(1, "year", "2024-01-01").at(utc("2024-06-01")).days == 366


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        # Clocks change from the first offset to the second; see the zone in the IANA database.
        ("Europe/Stockholm", "2026-03-29", "2026-03-28 23:00", 23),  # +1 to +2 at 02:00
        ("Europe/Stockholm", "2026-10-25", "2026-10-24 22:00", 25),  # +2 to +1 at 03:00
        ("America/New_York", "2026-11-01", "2026-11-01 04:00", 25),  # −4 to −5 at 02:00
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03 13:30", 23.5),  # +10:30 to +11
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04 13:00", 24.5),  # +11 to +10:30
        ("Antarctica/Troll", "2026-03-29", "2026-03-29 00:00", 22),  # +0 to +2 at 01:00
        ("Antarctica/Troll", "2026-10-25", "2026-10-24 22:00", 26),  # +2 to +0 at 03:00
        # Midnight is skipped: the day begins at 01:00.
        ("Africa/Cairo", "2026-04-24", "2026-04-23 22:00", 23),  # +2 to +3
        ("Asia/Beirut", "2026-03-29", "2026-03-28 22:00", 23),  # +2 to +3
        ("America/Havana", "2026-03-08", "2026-03-08 05:00", 23),  # −5 to −4
        ("America/Santiago", "2026-09-06", "2026-09-06 04:00", 23),  # −4 to −3
        ("America/Asuncion", "2024-10-06", "2024-10-06 04:00", 23),  # −4 to −3, the last time
        # The hour after midnight comes twice: the day begins with the first.
        ("America/Havana", "2026-11-01", "2026-11-01 04:00", 25),  # −4 to −5 at 01:00
        # The hour before midnight comes twice.
        ("Africa/Cairo", "2026-10-29", "2026-10-28 21:00", 25),  # +3 to +2 at 24:00
        # No change: 24 hours, also at odd offsets.
        ("Asia/Kathmandu", "2026-10-25", "2026-10-24 18:15", 24),  # +5:45
    ],
)
def test_days_of_22_to_26_hours(zone, day, start, hours):
    found = calendar(1, "day", "2020-01-01", zone).at(
        instant_of(local(f"{day} 12:00"), ZoneInfo(zone))
    )
    assert found == Period(utc(start), utc(start) + timedelta(hours=hours))


def test_a_window_at_a_skipped_time_begins_with_the_first_instant_after_it():
    daily = calendar(1, "day", "2026-01-01 02:30", "Europe/Stockholm")
    # 29 March has no 02:30: at 02:00 (01:00 UTC) it is 03:00.
    assert daily.at(utc("2026-03-29 12:00")) == Period(
        utc("2026-03-29 01:00"), utc("2026-03-30 00:30")
    )
    # 25 October has two: the first is at 00:30 UTC.
    assert daily.at(utc("2026-10-25 12:00")).start == utc("2026-10-25 00:30")


def test_a_day_that_a_zone_skipped_holds_no_time_and_is_no_window():
    """Samoa went from 29 to 31 December 2011 by crossing the date line."""
    daily = calendar(1, "day", "2011-01-01", "Pacific/Apia")
    days = list(daily.between(Period(utc("2011-12-29 10:00"), utc("2011-12-31 10:00"))))
    # 29 December began at 10:00 UTC (−10) and 31 December at 10:00 UTC a day later (+14).
    assert days == [
        Period(utc("2011-12-29 10:00"), utc("2011-12-30 10:00")),
        Period(utc("2011-12-30 10:00"), utc("2011-12-31 10:00")),
    ]


def test_hours_and_minutes_are_elapsed_time():
    """Six hours each from midnight in Stockholm, on the day of 25 hours."""
    window = calendar(6, "hour", "2026-10-25", "Europe/Stockholm")
    assert window.at(utc("2026-10-25 12:00")) == Period(
        utc("2026-10-25 10:00"), utc("2026-10-25 16:00")
    )
    assert window.nominal == 6 * HOUR


# Tiling. Two zones whose offsets change at the same instants by the same amounts are the same zone
# as far as windows go, so each distinct one is looked at once and stands for all its names.


def _changes(zone: ZoneInfo) -> tuple[tuple[datetime, timedelta | None], ...]:
    """Return when the offset of a zone changes around 2024–2030, to the second, and to what."""
    found = []
    moment, end = FIRST - 2 * DAY, LAST + 2 * DAY
    found.append((moment, moment.astimezone(zone).utcoffset()))
    while moment < end:
        if (moment + DAY).astimezone(zone).utcoffset() != found[-1][1]:
            low, high = moment, moment + DAY
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                if middle.astimezone(zone).utcoffset() == found[-1][1]:
                    low = middle
                else:
                    high = middle
            found.append((high, high.astimezone(zone).utcoffset()))
        moment += DAY
    return tuple(found)


@pytest.fixture(scope="module")
def zones() -> dict[tuple[tuple[datetime, timedelta | None], ...], list[str]]:
    """Every zone of the IANA database, by when its offset changes."""
    found: dict[tuple[tuple[datetime, timedelta | None], ...], list[str]] = {}
    for name in sorted(available_timezones()):
        found.setdefault(_changes(ZoneInfo(name)), []).append(name)
    assert sum(map(len, found.values())) == len(available_timezones())
    return found


def _tiles(window: CalendarWindow, first: int, last: int) -> list[datetime]:
    """Return the edges of windows ``first`` to ``last`` after checking that each follows the other.

    The window of an instant is that between the edges around it, also right on and after an edge.
    """
    found = [window.edge(number) for number in range(first, last + 1)]
    assert all(one < other for one, other in pairwise(found)), window
    for before, edge, after in zip(found, found[1:], found[2:], strict=False):
        assert window.at(edge) == Period(before, edge)
        assert window.at(edge + TICK) == Period(edge, after)
    return found


def _on_time(window: CalendarWindow, edge: datetime) -> bool:
    """Return whether an edge is at the anchor's time of day, or the first instant after a gap."""
    zone = ZoneInfo(window.zone)
    wall = edge.astimezone(zone)
    if wall.time() == window.anchor.time():
        return wall.fold == 0
    before = (edge - TICK).astimezone(zone)
    return before.replace(tzinfo=None) + TICK <= wall.replace(tzinfo=None) - timedelta(
        minutes=1
    ) and (before.utcoffset() != wall.utcoffset())


def test_days_from_midnight_tile_2024_to_2030_in_every_zone(zones):
    # 2,557 days: seven years with two leap days.
    for names in zones.values():
        window = calendar(1, "day", "2024-01-01", names[0])
        found = [window.edge(number) for number in range(2558)]
        assert all(one < other for one, other in pairwise(found)), names
        assert all(_on_time(window, edge) for edge in found), names
        assert found[-1] == instant_of(local("2031-01-01"), ZoneInfo(names[0]))


@pytest.mark.long
@pytest.mark.parametrize("minute", [0, 30])
def test_days_from_every_hour_tile_where_a_clock_changes_in_every_zone(zones, minute):
    for changes, names in zones.items():
        for change, _ in changes[1:]:
            day = (change.replace(tzinfo=None) - local("2024-01-01")).days
            for hour in range(24):
                window = calendar(1, "day", f"2024-01-01 {hour:02}:{minute:02}", names[0])
                assert all(_on_time(window, edge) for edge in _tiles(window, day - 1, day + 2))


@pytest.mark.parametrize(
    ("count", "unit", "number"),
    [
        pytest.param(1, "week", 366, marks=pytest.mark.long),
        (1, "month", 84),
        pytest.param(2, "month", 42, marks=pytest.mark.long),
        pytest.param(1, "quarter", 28, marks=pytest.mark.long),
        (1, "year", 7),
    ],
)
@pytest.mark.parametrize("anchor", ["2024-01-01 00:00", "2024-01-31 02:30"])
def test_longer_windows_tile_2024_to_2030_in_every_zone(zones, count, unit, number, anchor):
    for names in zones.values():
        window = calendar(count, unit, anchor, names[0])
        found = _tiles(window, -5, number)
        assert found[0] < FIRST + DAY
        assert found[-1] > LAST - DAY
        assert all(_on_time(window, edge) for edge in found), names


def test_hours_tile_in_every_zone_whatever_its_clocks_do(zones):
    for changes, names in zones.items():
        window = calendar(1, "hour", "2024-01-01 00:00", names[0])
        for change, _ in changes[-2:]:
            number = int((change - window.edge(0)) / HOUR)
            found = _tiles(window, number - 3, number + 3)
            assert {other - one for one, other in pairwise(found)} == {HOUR}


ANCHORS = st.datetimes(local("1999-01-01"), local("2041-01-01")).map(
    lambda found: found.replace(microsecond=0)
)
UNITS = st.sampled_from(["minute", "hour", "day", "week", "month", "quarter", "year"])


@given(
    ANCHORS,
    UNITS,
    st.integers(1, 6),
    st.sampled_from(sorted(available_timezones())),
    st.datetimes(local("2024-01-01"), local("2030-12-31"), timezones=st.just(UTC)),
)
@settings(max_examples=300)
def test_windows_tile_from_any_anchor(anchor, unit, count, zone, until):
    window = CalendarWindow(count, unit, anchor, zone)
    found = window.at(until)
    assert found.start < until <= found.end
    assert window.at(found.start).end == found.start
    following = window.at(found.end + TICK)
    assert following.start == found.end
    assert list(window.between(Period(found.start, following.end))) == [found, following]
    # A clock change, the longest month and a leap year: no window is far from its nominal length.
    assert abs(found.length - window.nominal) <= count * 3 * DAY
