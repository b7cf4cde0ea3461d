"""When exclusions happen: RFC 5545's own examples, clocks that change, and rules refused."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.openslo.recurrence import check_start, parse_recurrence

NEW_YORK, STOCKHOLM = ZoneInfo("America/New_York"), ZoneInfo("Europe/Stockholm")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def dates(rule: str, starts: str, before: str, zone: ZoneInfo = NEW_YORK) -> list[date]:
    recurrence = parse_recurrence(rule)
    check_start(recurrence, local(starts), zone)
    end = local(before).replace(tzinfo=zone).astimezone(UTC)
    return [found.date() for found, _ in recurrence.times(local(starts), zone, end)]


def days(*months: tuple[int, int, list[int]]) -> list[date]:
    return [date(year, month, day) for year, month, each in months for day in each]


def to(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


SEPTEMBER = "1997-09-02 09:00"


@pytest.mark.parametrize(
    ("rule", "starts", "expected"),
    [
        ("FREQ=DAILY;COUNT=10", SEPTEMBER, days((1997, 9, to(2, 11)))),
        (
            # The UNTIL is midnight UTC, 19:00 of the 23rd in New York.
            "FREQ=DAILY;UNTIL=19971224T000000Z",
            SEPTEMBER,
            days((1997, 9, to(2, 30)), (1997, 10, to(1, 31)), (1997, 11, to(1, 30)), (1997, 12, to(1, 23))),
        ),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", SEPTEMBER, days((1997, 9, [2, 12, 22]), (1997, 10, [2, 12]))),
        (
            "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
            "1998-01-01 09:00",
            days((1998, 1, to(1, 31)), (1999, 1, to(1, 31)), (2000, 1, to(1, 31))),
        ),
        (
            "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
            "1998-01-01 09:00",
            days((1998, 1, to(1, 31)), (1999, 1, to(1, 31)), (2000, 1, to(1, 31))),
        ),
        (
            "FREQ=WEEKLY;COUNT=10",
            SEPTEMBER,
            days((1997, 9, [2, 9, 16, 23, 30]), (1997, 10, [7, 14, 21, 28]), (1997, 11, [4])),
        ),
        (
            "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
            SEPTEMBER,
            days((1997, 9, [2, 4, 9, 11, 16, 18, 23, 25, 30]), (1997, 10, [2])),
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            SEPTEMBER,
            days((1997, 9, [2, 4, 16, 18, 30]), (1997, 10, [2, 14, 16])),
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            "1997-09-05 09:00",
            days(
                (1997, 9, [5]), (1997, 10, [3]), (1997, 11, [7]), (1997, 12, [5]), (1998, 1, [2]),
                (1998, 2, [6]), (1998, 3, [6]), (1998, 4, [3]), (1998, 5, [1]), (1998, 6, [5]),
            ),
        ),
        (
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            "1997-09-07 09:00",
            days(
                (1997, 9, [7, 28]), (1997, 11, [2, 30]), (1998, 1, [4, 25]), (1998, 3, [1, 29]),
                (1998, 5, [3, 31]),
            ),
        ),
        (
            "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            "1997-09-22 09:00",
            days(
                (1997, 9, [22]), (1997, 10, [20]), (1997, 11, [17]), (1997, 12, [22]),
                (1998, 1, [19]), (1998, 2, [16]),
            ),
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            SEPTEMBER,
            days((1997, 9, [2, 15]), (1997, 10, [2, 15]), (1997, 11, [2, 15]), (1997, 12, [2, 15]), (1998, 1, [2, 15])),
        ),
        (
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            "1997-09-30 09:00",
            days(
                (1997, 9, [30]), (1997, 10, [1, 31]), (1997, 11, [1, 30]), (1997, 12, [1, 31]),
                (1998, 1, [1, 31]), (1998, 2, [1]),
            ),
        ),
        (
            "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
            "1997-01-01 09:00",
            days(
                (1997, 1, [1]), (1997, 4, [10]), (1997, 7, [19]), (2000, 1, [1]), (2000, 4, [9]),
                (2000, 7, [18]), (2003, 1, [1]), (2003, 4, [10]), (2003, 7, [19]), (2006, 1, [1]),
            ),
        ),
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", "1997-05-19 09:00", days((1997, 5, [19]), (1998, 5, [18]), (1999, 5, [17]))),
        (
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3",
            "1997-05-12 09:00",
            days((1997, 5, [12]), (1998, 5, [11]), (1999, 5, [17])),
        ),
        (
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=10",
            "1997-09-13 09:00",
            days(
                (1997, 9, [13]), (1997, 10, [11]), (1997, 11, [8]), (1997, 12, [13]), (1998, 1, [10]),
                (1998, 2, [7]), (1998, 3, [7]), (1998, 4, [11]), (1998, 5, [9]), (1998, 6, [13]),
            ),
        ),
        (
            # Friday the 13th. The RFC starts it on a Tuesday and excepts that; we refuse such a start.
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=5",
            "1998-02-13 09:00",
            days((1998, 2, [13]), (1998, 3, [13]), (1998, 11, [13]), (1999, 8, [13]), (2000, 10, [13])),
        ),
        (
            # U.S. presidential election day.
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
            "1996-11-05 09:00",
            days((1996, 11, [5]), (2000, 11, [7]), (2004, 11, [2])),
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
            "1997-09-04 09:00",
            days((1997, 9, [4]), (1997, 10, [7]), (1997, 11, [6])),
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=7",
            "1997-09-29 09:00",
            days(
                (1997, 9, [29]), (1997, 10, [30]), (1997, 11, [27]), (1997, 12, [30]), (1998, 1, [29]),
                (1998, 2, [26]), (1998, 3, [30]),
            ),
        ),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05 09:00", days((1997, 8, [5, 10, 19, 24]))),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05 09:00", days((1997, 8, [5, 17, 19, 31]))),
        (
            # An invalid date (30 February) is ignored.
            "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "2007-01-15 09:00",
            days((2007, 1, [15, 30]), (2007, 2, [15]), (2007, 3, [15, 30])),
        ),
    ],
)  # fmt: skip
def test_the_examples_of_rfc_5545(rule, starts, expected):
    """RFC 5545, section 3.8.5.3, all in America/New_York; endless ones are cut by COUNT."""
    assert dates(rule, starts, "2010-01-01") == expected


def test_every_other_day_in_the_autumn_of_1997_stays_at_nine():
    """RFC 5545: October 2, 4, … 24 at 9:00 EDT, October 26, 28, 30 at 9:00 EST."""
    recurrence = parse_recurrence("FREQ=DAILY;INTERVAL=2")
    found = list(recurrence.times(local(SEPTEMBER), NEW_YORK, datetime(1997, 11, 1, tzinfo=UTC)))
    hours = {at.date(): instant.hour for at, instant in found}
    assert hours[date(1997, 10, 24)] == 13  # 9:00 at −4
    assert hours[date(1997, 10, 26)] == 14  # 9:00 at −5


def test_a_time_that_is_skipped_is_read_with_the_offset_before_the_gap():
    """RFC 5545, 3.3.5: "20070311T023000 indicates March 11, 2007 at 3:30 A.M. EDT"."""
    recurrence = parse_recurrence("FREQ=DAILY;COUNT=3")
    found = recurrence.times(local("2007-03-10 02:30"), NEW_YORK, datetime(2008, 1, 1, tzinfo=UTC))
    assert [f"{instant:%d %H:%M}" for _, instant in found] == ["10 07:30", "11 07:30", "12 06:30"]


def test_of_a_time_that_comes_twice_the_first_counts():
    """RFC 5545, 3.3.5: "20071104T013000 indicates November 4, 2007 at 1:30 A.M. EDT"."""
    recurrence = parse_recurrence("FREQ=DAILY;COUNT=2")
    found = recurrence.times(local("2007-11-03 01:30"), NEW_YORK, datetime(2008, 1, 1, tzinfo=UTC))
    assert [f"{instant:%d %H:%M}" for _, instant in found] == ["03 05:30", "04 05:30"]


def test_nothing_comes_before_its_start_or_from_the_end_on():
    recurrence = parse_recurrence("FREQ=DAILY")
    end = datetime(2026, 1, 3, 1, tzinfo=UTC)  # 02:00 in Stockholm
    found = [at for _, at in recurrence.times(local("2026-01-01 02:00"), STOCKHOLM, end)]
    assert found == [end - timedelta(days=2), end - timedelta(days=1)]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "a rule is made of NAME=VALUE"),
        ("every Sunday", "a rule is made of NAME=VALUE"),
        ("FREQ=", "a rule is made of NAME=VALUE"),
        ("BYDAY=1SU", "FREQ must be HOURLY or DAILY or WEEKLY or MONTHLY or YEARLY"),
        ("FREQ=FORTNIGHTLY", "FREQ must be"),
        ("FREQ=SECONDLY", "every minute leaves nothing to judge"),
        ("FREQ=MINUTELY;INTERVAL=5", "every minute leaves nothing to judge"),
        ("FREQ=DAILY;FREQ=DAILY", "it has FREQ twice"),
        ("FREQ=DAILY;INTERVALL=2", "RRULE has no part 'INTERVALL'. Did you mean 'INTERVAL'?"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL must be a whole number over 0"),
        ("FREQ=DAILY;COUNT=-1", "COUNT must be a whole number over 0"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20260101T000000Z", "COUNT and UNTIL both end it"),
        ("FREQ=DAILY;UNTIL=20260101", "UNTIL is an instant in UTC; write UNTIL=20261231T235959Z"),
        ("FREQ=DAILY;UNTIL=20260101T020000", "UNTIL is an instant in UTC"),
        ("FREQ=DAILY;UNTIL=20260231T020000Z", "UNTIL is an instant in UTC"),
        ("FREQ=WEEKLY;WKST=1MO", "WKST must be one of MO, TU"),
        ("FREQ=WEEKLY;BYDAY=SUN", "BYDAY holds days such as SU"),
        ("FREQ=WEEKLY;BYDAY=1SU", "with FREQ=WEEKLY write a day"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1SU", "beside BYWEEKNO write a day"),
        ("FREQ=MONTHLY;BYDAY=6SU", "BYDAY=6SU never happens: there are at most 5"),
        ("FREQ=MONTHLY;BYDAY=0SU", "BYDAY holds days such as SU"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY holds numbers from 1 to 31, or -31 to -1"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY holds numbers from 1 to 31"),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH holds numbers from 1 to 12, not '-1'"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR holds numbers from 0 to 23, not '24'"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY belongs to FREQ=HOURLY or DAILY or MONTHLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO belongs to FREQ=YEARLY, not MONTHLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS picks from what another BY part names"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rule, message):
    with pytest.raises(ObjectiveError) as caught:
        parse_recurrence(rule)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "starts", "message"),
    [
        (
            "FREQ=MONTHLY;BYDAY=1SU",
            "2026-01-05 02:00",
            "an occurrence itself, and BYDAY=1SU is not met",
        ),
        ("FREQ=MONTHLY;BYDAY=1SU", "2026-01-11 02:00", "the first is 2026-02-01 02:00:00"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "2026-01-05 02:00", "BYMONTH=2 is not met"),
        ("FREQ=DAILY;BYHOUR=3", "2026-01-05 02:00", "BYHOUR=3 is not met"),
        ("FREQ=YEARLY;BYYEARDAY=-1", "2026-01-05 02:00", "BYYEARDAY=-1 is not met"),
        ("FREQ=DAILY;UNTIL=20251231T000000Z", "2026-01-05 02:00", "FREQ=DAILY never happens"),
    ],
)
def test_a_start_that_is_no_occurrence_is_refused(rule, starts, message):
    """RFC 5545, 3.8.5.3: what such a start does is undefined."""
    with pytest.raises(ObjectiveError) as caught:
        check_start(parse_recurrence(rule), local(starts), STOCKHOLM)
    assert message in str(caught.value)
