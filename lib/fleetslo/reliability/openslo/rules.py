"""What a field of a document may hold, as small checks that are put together into shapes.

A check looks at one value and notes what is wrong with it in the document; it never raises, so
that one reading finds every fault.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fleetslo.errors import ObjectiveError, nearest
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.windows import Unit

Check = Callable[[Document, Trail, Any], None]

LONGEST_DESCRIPTION = 1050  # OpenSLO v1, every `description`
LONGEST_NAME = 255  # OpenSLO v1, notes on the general schema

# OpenSLO v1, duration-shorthand: one letter, and its case matters. How long a month is, OpenSLO
# leaves open; a rolling one is 30 days here (SLO.md).
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "M": timedelta(days=30),
    "Q": timedelta(days=90),
    "Y": timedelta(days=365),
}
_LONGEST = timedelta(days=3660)
_DURATION_RULE = (
    "a duration is a whole number and one letter: m minutes, h hours, d days, w weeks, M months, "
    "Q quarters, Y years"
)


def is_number(value: object) -> bool:
    """Return whether a value is a finite number; ``true`` is none, nor is text that holds one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def anything(doc: Document, trail: Trail, value: Any) -> None:
    """Accept every value."""


def any_text(doc: Document, trail: Trail, value: Any) -> None:
    """Check for text, which may be empty."""
    if not isinstance(value, str):
        doc.fault(trail, "it must be text; write it in quotes")


def text(longest: int | None = None) -> Check:
    """Return a check for text that is not empty, and at most so many characters long."""

    def check(doc: Document, trail: Trail, value: Any) -> None:
        any_text(doc, trail, value)
        if not isinstance(value, str):
            return
        if not value.strip():
            doc.fault(trail, "it must not be empty")
        elif longest is not None and len(value) > longest:
            doc.fault(trail, f"it has {len(value)} characters, and may have {longest}")

    return check


def name(doc: Document, trail: Trail, value: Any) -> None:
    """Check the name of an object: up to 255 characters without spaces or control characters."""
    text(LONGEST_NAME)(doc, trail, value)
    if isinstance(value, str) and re.search(r"\s|[^ -\U0010ffff]", value):
        doc.fault(trail, "a name holds no spaces; write checkout-latency")


def boolean(doc: Document, trail: Trail, value: Any) -> None:
    """Check for true or false."""
    if not isinstance(value, bool):
        doc.fault(trail, "it must be true or false")


def one_of(*names: str) -> Check:
    """Return a check for one of a few words."""

    def check(doc: Document, trail: Trail, value: Any) -> None:
        if value not in names:
            hint = nearest(value, list(names)) if isinstance(value, str) else ""
            doc.fault(trail, f"it must be {' or '.join(names)}.{hint}".removesuffix("."))

    return check


def number(doc: Document, trail: Trail, value: Any) -> None:
    """Check for a finite number."""
    if not is_number(value):
        doc.fault(trail, "it must be a number, without quotes")


def positive(doc: Document, trail: Trail, value: Any) -> None:
    """Check for a finite number over 0."""
    number(doc, trail, value)
    if is_number(value) and value <= 0:
        doc.fault(trail, "it must be over 0")


def mapping(doc: Document, trail: Trail, value: Any) -> None:
    """Check for a mapping of anything."""
    if not isinstance(value, dict):
        doc.fault(trail, "it must be a mapping")


def target(highest: int, other: str) -> Check:
    """Return a check for a target from 0 up to, but not, ``highest``.

    ``other`` is the field that takes the same in the other scale.
    """

    def check(doc: Document, trail: Trail, value: Any) -> None:
        number(doc, trail, value)
        if not is_number(value) or 0 <= value < highest:
            return
        rule = f"it must be at least 0 and less than {highest}"
        if value == highest:
            rule += ": a target of 100 % leaves no budget to divide by"
        elif highest == 1 and 1 < value < 100:
            rule += f"; write percent as {other}"
        doc.fault(trail, rule)

    return check


def slice_target(doc: Document, trail: Trail, value: Any) -> None:
    """Check a time slice's target: over 0, up to and with 1."""
    number(doc, trail, value)
    if is_number(value) and not 0 < value <= 1:
        doc.fault(trail, "it must be over 0 and at most 1")


_SHORTHAND = re.compile(r"([1-9][0-9]{0,5})([mhdwMQY])")
_CALENDAR: dict[str, Unit] = {
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "M": "month",
    "Q": "quarter",
    "Y": "year",
}


def length(shorthand: str) -> timedelta:
    """Return how long a duration shorthand is; a rolling month is 30 days.

    Raises:
        ObjectiveError: it is no duration shorthand.
    """
    match = _SHORTHAND.fullmatch(shorthand)
    if match is None:
        raise ObjectiveError(f"{shorthand!r} is no duration; {_DURATION_RULE}")
    return int(match[1]) * _UNITS[match[2]]


def calendar_length(shorthand: str) -> tuple[int, Unit]:
    """Return how many of which unit of the calendar a sound duration shorthand is."""
    return int(shorthand[:-1]), _CALENDAR[shorthand[-1]]


def shorthand(length: timedelta) -> str:
    """Return a length of whole minutes as a duration shorthand: ``28d``, ``90m``."""
    for letter in "dhm":
        if not length % _UNITS[letter]:
            return f"{length // _UNITS[letter]}{letter}"
    raise ObjectiveError(f"{length} is no whole number of minutes")


def calendar_shorthand(count: int, unit: Unit) -> str:
    """Return a number of units of the calendar as a duration shorthand: ``1M``."""
    return f"{count}{next(letter for letter, name in _CALENDAR.items() if name == unit)}"


def duration(doc: Document, trail: Trail, value: Any) -> None:
    """Check for a duration shorthand: ``5m`` is five minutes, ``1M`` a month."""
    if not (isinstance(value, str) and _SHORTHAND.fullmatch(value)):
        doc.fault(trail, f"{_DURATION_RULE}; write 28d")
    elif length(value) > _LONGEST:
        doc.fault(trail, "it must be at most ten years")


def duration_or_none(doc: Document, trail: Trail, value: Any) -> None:
    """Check for a duration shorthand that may be no time at all: ``0m``."""
    if not (isinstance(value, str) and re.fullmatch("0[mhdwMQY]", value)):
        duration(doc, trail, value)


def duration_or_minutes(doc: Document, trail: Trail, value: Any) -> None:
    """Check for a duration shorthand or a number of minutes over 0."""
    if not is_number(value):
        duration(doc, trail, value)
    elif value <= 0:
        doc.fault(trail, "it must be over 0 minutes")


def local_time(doc: Document, trail: Trail, value: Any) -> None:
    """Check a date with a time and without a zone; YAML makes a datetime of an unquoted one."""
    rule = "it must be a date and time without a zone; write 2026-01-01 00:00:00"
    if isinstance(value, str):
        try:
            value = datetime.strptime(value, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 — it has no zone
        except ValueError:
            doc.fault(trail, rule)
            return
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            doc.fault(trail, f"{rule}, and the zone as timeZone")
        elif value.microsecond:
            doc.fault(trail, f"{rule}: whole seconds")
    elif isinstance(value, date):
        doc.fault(trail, f"{rule}: the time is missing")
    else:
        doc.fault(trail, rule)


def zone(doc: Document, trail: Trail, value: Any) -> None:
    """Check the name of a zone of the IANA database."""
    rule = "it must be a zone of the IANA database; write America/New_York"
    if not isinstance(value, str):
        doc.fault(trail, rule)
        return
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        doc.fault(trail, rule)


def items(check: Check, *, least: int = 0, most: int | None = None) -> Check:
    """Return a check for a list, each item of which passes ``check``."""

    def listed(doc: Document, trail: Trail, value: Any) -> None:
        if not isinstance(value, list):
            doc.fault(trail, "it must be a list; put - before each item")
            return
        if len(value) < least or (most is not None and len(value) > most):
            wanted = f"exactly {least}" if least == most else f"{least} or more"
            doc.fault(trail, f"it has {len(value)} items and must have {wanted}")
        for i, item in enumerate(value):
            check(doc, (*trail, i), item)

    return listed


def fields(
    required: Mapping[str, Check] | None = None, optional: Mapping[str, Check] | None = None
) -> Check:
    """Return a check for a mapping with these fields and no others."""
    needed = required or {}
    known = {**needed, **(optional or {})}

    def mapped(doc: Document, trail: Trail, value: Any) -> None:
        if not isinstance(value, dict):
            doc.fault(trail, f"it must be a mapping with {', '.join(known)}")
            return
        for key in needed:
            if key not in value:
                doc.fault((*trail, key), "it is required")
        for key, item in value.items():
            if key in known:
                known[key](doc, (*trail, key), item)
            else:
                doc.unknown((*trail, key), list(known))

    return mapped


def either(key: str, reference: Check, inline: Check) -> Check:
    """Return a check for an object that is referred to (it has the field ``key``) or inlined."""

    def check(doc: Document, trail: Trail, value: Any) -> None:
        referred = isinstance(value, dict) and key in value
        (reference if referred else inline)(doc, trail, value)

    return check


def exactly_one(doc: Document, trail: Trail, value: Mapping[str, Any], *names: str) -> None:
    """Note a fault unless a mapping has exactly one of these fields."""
    given = [key for key in names if key in value]
    if len(given) > 1:
        doc.fault((*trail, given[1]), f"it cannot stand beside {given[0]}; keep one of them")
    elif not given:
        doc.fault((*trail, names[0]), f"exactly one of {' and '.join(names)} is required")
