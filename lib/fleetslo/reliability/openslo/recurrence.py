"""When something happens again: an iCalendar RRULE, refused where it cannot be meant.

Source: RFC 5545, section 3.3.10 (the rule) and 3.3.5 (local times). On a local time that a zone
skips the RFC says two things: 3.3.10 that it must be ignored, and a few lines on that it is read
with the offset before the gap, so that 02:30 happens at 03:30. Here it happens, as in Google
Calendar: what was agreed for every night is not lost in one of them. Of a local time that comes
twice the first counts.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from fleetslo.errors import ObjectiveError, nearest

_FREQUENCIES = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(rf"(?P<which>[+-]?[1-9]\d?)?(?P<day>{'|'.join(_DAYS)})")
_UNTIL = "%Y%m%dT%H%M%SZ"

# The numbers that a part may hold, and whether they may count from the end (RFC 5545, 3.3.10).
# Its second 60 is left out: no clock that stamps minutes shows it.
_NUMBERS: Mapping[str, tuple[int, int, bool]] = {
    "BYSECOND": (0, 59, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS)

# Parts that the RFC keeps to some frequencies.
_ONLY: Mapping[str, tuple[str, ...]] = {
    "BYWEEKNO": ("YEARLY",),
    "BYYEARDAY": ("HOURLY", "YEARLY"),
    "BYMONTHDAY": ("HOURLY", "DAILY", "MONTHLY", "YEARLY"),
}

# What a time must have for a part to hold; -1 is the last day of a month or year.
_HELD: Mapping[str, Callable[[datetime], set[str]]] = {
    "BYSECOND": lambda at: {str(at.second)},
    "BYMINUTE": lambda at: {str(at.minute)},
    "BYHOUR": lambda at: {str(at.hour)},
    "BYDAY": lambda at: {_DAYS[at.weekday()]},
    "BYMONTHDAY": lambda at: {
        str(at.day),
        str(at.day - monthrange(at.year, at.month)[1] - 1),
    },
    "BYYEARDAY": lambda at: {
        str(at.timetuple().tm_yday),
        str(at.timetuple().tm_yday - (366 if isleap(at.year) else 365) - 1),
    },
    "BYMONTH": lambda at: {str(at.month)},
}


@dataclass(frozen=True)
class Recurrence:
    """A rule by which something happens again.

    Attributes:
        text: the rule as written, without UNTIL.
        until: the last instant at which it may happen; None for no end, or one by COUNT.
    """

    text: str
    until: datetime | None

    def times(
        self, starts: datetime, zone: ZoneInfo, before: datetime
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield the occurrences before an instant: their local times without a zone, and instants.

        ``starts`` is the local time of the first.
        """
        for local in _rule(self.text, starts):
            instant = moment(starts if local == starts else local, zone)
            if self.until is not None and instant > self.until:
                return
            if instant >= before:
                return
            yield local, instant


@lru_cache(maxsize=1024)
def _rule(text: str, starts: datetime) -> rrule:
    """Return the rule, which remembers what it has worked out."""
    found = rrulestr(text, dtstart=starts, cache=True)
    assert isinstance(found, rrule)  # noqa: S101 — a set only comes of several lines
    return found


def moment(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) of a local time, as RFC 5545, 3.3.5 reads it.

    One that comes twice is the first, unless its ``fold`` says the second; one that is skipped is
    read with the offset before the gap.
    """
    return local.replace(tzinfo=zone).astimezone(UTC)


def parse_recurrence(text: str) -> Recurrence:
    """Return the recurrence that an RRULE states, such as ``FREQ=MONTHLY;BYDAY=1SU``.

    Raises:
        ObjectiveError: the text is none, or none that can be meant; the message is the rule that
            it breaks, as a clause.
    """
    parts = _parts(text)
    frequency = parts.get("FREQ")
    if frequency in ("SECONDLY", "MINUTELY"):
        raise ObjectiveError("an exclusion that comes every minute leaves nothing to judge")
    if frequency not in _FREQUENCIES:
        raise ObjectiveError(
            f"FREQ must be {' or '.join(_FREQUENCIES)}; write FREQ=MONTHLY;BYDAY=1SU"
        )
    for key in ("INTERVAL", "COUNT"):
        if key in parts and not re.fullmatch("[1-9][0-9]{0,5}", parts[key]):
            raise ObjectiveError(f"{key} must be a whole number over 0")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ObjectiveError("COUNT and UNTIL both end it; keep one of them")
    if parts.get("WKST", "MO") not in _DAYS:
        raise ObjectiveError(f"WKST must be one of {', '.join(_DAYS)}")
    for key, bounds in _NUMBERS.items():
        if key in parts:
            _check_numbers(key, parts[key], *bounds)
    for key, allowed in _ONLY.items():
        if key in parts and frequency not in allowed:
            raise ObjectiveError(f"{key} belongs to FREQ={' or '.join(allowed)}, not {frequency}")
    if "BYDAY" in parts:
        _check_days(parts["BYDAY"], frequency, "BYWEEKNO" in parts)
    if "BYSETPOS" in parts and not any(key[:2] == "BY" for key in parts.keys() - {"BYSETPOS"}):
        raise ObjectiveError("BYSETPOS picks from what another BY part names, and there is none")
    until = parts.pop("UNTIL", None)
    kept = ";".join(f"{key}={value}" for key, value in parts.items())
    return Recurrence(kept, None if until is None else _until(until))


def check_start(recurrence: Recurrence, starts: datetime, zone: ZoneInfo) -> None:
    """Refuse a local start that is not the first occurrence; the RFC leaves open what it would do.

    Raises:
        ObjectiveError: it is not; the message is the rule that it breaks, as a clause.
    """
    # Each part on its own first: it says more, and a rule that nothing meets (30 February) is
    # found without looking at every day until the year 9999.
    for key, value in _parts(recurrence.text).items():
        wanted = [item.lstrip("+") for item in value.split(",")]
        if key == "BYDAY":
            wanted = [item[-2:] for item in wanted]
        elif key in _HELD:
            wanted = [str(int(item)) for item in wanted]
        if key in _HELD and not _HELD[key](starts) & set(wanted):
            raise ObjectiveError(f"it must be an occurrence itself, and {key}={value} is not met")
    first = next(iter(_rule(recurrence.text, starts)), None)
    ended = recurrence.until is not None and moment(starts, zone) > recurrence.until
    if first is None or ended:
        raise ObjectiveError(f"from then on {recurrence.text} never happens")
    if first != starts:
        raise ObjectiveError(f"it must be an occurrence itself; the first is {first}")


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.upper().split(";"):
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or not value:
            raise ObjectiveError("a rule is made of NAME=VALUE;…; write FREQ=MONTHLY;BYDAY=1SU")
        if key not in _PARTS:
            raise ObjectiveError(f"RRULE has no part {key!r}.{nearest(key, list(_PARTS))}")
        if key in found:
            raise ObjectiveError(f"it has {key} twice; keep one")
        found[key] = value
    return found


def _check_numbers(key: str, value: str, low: int, high: int, from_end: bool) -> None:
    sign = "[+-]?" if from_end else ""
    for item in value.split(","):
        if not re.fullmatch(rf"{sign}\d{{1,3}}", item) or not low <= abs(int(item)) <= high:
            also = f", or -{high} to -{low} from the end" if from_end else ""
            raise ObjectiveError(f"{key} holds numbers from {low} to {high}{also}, not {item!r}")


def _check_days(value: str, frequency: str, has_weeks: bool) -> None:
    for item in value.split(","):
        match = _DAY.fullmatch(item)
        if match is None:
            raise ObjectiveError(
                f"BYDAY holds days such as SU, 1SU (the first) or -1SU (the last), not {item!r}"
            )
        if not match["which"]:
            continue
        if frequency not in ("MONTHLY", "YEARLY") or has_weeks:
            where = "beside BYWEEKNO" if has_weeks else f"with FREQ={frequency}"
            raise ObjectiveError(f"BYDAY={item} counts in a month or year; {where} write a day")
        most = 5 if frequency == "MONTHLY" else 53
        if abs(int(match["which"])) > most:
            raise ObjectiveError(f"BYDAY={item} never happens: there are at most {most} of a day")


def _until(value: str) -> datetime:
    try:
        return datetime.strptime(value, _UNTIL).replace(tzinfo=UTC)
    except ValueError:
        raise ObjectiveError("UNTIL is an instant in UTC; write UNTIL=20261231T235959Z") from None
