"""Numbers as a reader says them: "99.904 %", "1.93 M", "40.3 min", "0.3 ×".

Ratios and seconds come in, as everywhere else; this is the only place that rounds. No data is
an en dash. Between a number and its unit stands a thin space that does not break, and a minus
is a minus sign, not a hyphen.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

NOTHING = "–"
THIN = "\u202f"
MINUS = "\u2212"


class Mark(NamedTuple):
    """A verdict as a reader sees it: its shape and its word (its colour is in style.css)."""

    shape: str
    word: str


MARKS: dict[str, Mark] = {
    "met": Mark("●", "Met"),
    "at_risk": Mark("▲", "At risk"),
    "missed": Mark("■", "Missed"),
    "unjudged": Mark("○", "Cannot be judged yet"),
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MOST_DIGITS = 7  # of a percentage: 99.9999999 % is a request in a thousand million
_COUNT_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_EXACT_BELOW = 100_000  # counts under this are written in full: 31,204


def verdict_mark(verdict: str) -> Mark:
    """Return the shape and the word of a verdict; KeyError when there is no such verdict."""
    return MARKS[verdict]


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _fixed(value: float, digits: int) -> str:
    """Return a number with so many digits, a true minus sign, and never "−0"."""
    text = f"{value:,.{max(digits, 0)}f}"
    if text.startswith("-"):
        text = MINUS + text[1:] if re.search(r"[1-9]", text) else text[1:]
    return text


def _digits(value: float, significant: int) -> int:
    """Return how many decimals show so many significant digits of a value."""
    if value == 0 or math.isinf(value):
        return 0
    magnitude = float(f"{abs(value):.12g}")  # 0.1 stays 0.1 after it came from 100 - 99.9
    return max(0, significant - 1 - math.floor(math.log10(magnitude)))


def number(value: float | None, significant: int = 3) -> str:
    """Return a plain number with sensible digits: 0.0123, 1.23, 12.3, 1,234."""
    if _missing(value):
        return NOTHING
    assert value is not None  # noqa: S101 -- narrows the type; _missing has seen to it
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if float(value).is_integer():
        return _fixed(value, 0)
    text = _fixed(value, _digits(value, significant))
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(ratio: float | None, digits: int | None = None, *, against: float | None = None) -> str:
    """Return a ratio as a percentage whose digits grow with its nearness to 0 and to 1.

    Two significant digits of the nearer distance are shown: 0.99904 is "99.904 %", since what
    matters there is the 0.096 %. 1 is said only of all and 0 only of none. With ``against`` (a
    target) digits are added until both can be told apart: 0.99896 against 0.999 is "99.896 %".

    Args:
        ratio: 0 to 1 as a rule; beyond both is shown as it is. None is "–".
        digits: how many decimals, to overrule all of this.
        against: another ratio that must not look equal unless it is.
    """
    if _missing(ratio):
        return NOTHING
    assert ratio is not None  # noqa: S101 -- narrows the type
    value = ratio * 100
    if math.isinf(value):
        return number(value) + THIN + "%"
    if digits is None and value in (0, 100):
        digits = 0
    elif digits is None:
        distance = min(abs(value), abs(100 - value)) or 100.0
        digits = min(_digits(distance, 2), _MOST_DIGITS)
        while digits < _MOST_DIGITS and _looks_equal(value, 100.0, digits):
            digits += 1
        if against is not None:
            while digits < _MOST_DIGITS and _looks_equal(value, against * 100, digits):
                digits += 1
        if value < 100 and _looks_equal(value, 100.0, digits):
            return f"> 99.99999{THIN}%"
    return _fixed(value, digits) + THIN + "%"


def _looks_equal(value: float, other: float, digits: int) -> bool:
    return not math.isclose(value, other, rel_tol=1e-12, abs_tol=1e-12) and (
        round(value, digits) == round(other, digits)
    )


def share(ratio: float | None) -> str:
    """Return a part of a whole in whole per cent: "58 %"; under 1 % "0.4 %", overspent "−90 %".

    Fits budgets and shares, where two digits are plenty; 0 and 100 are said only of exactly that.
    """
    if _missing(ratio):
        return NOTHING
    assert ratio is not None  # noqa: S101 -- narrows the type
    value = ratio * 100
    if math.isinf(value):
        return number(value) + THIN + "%"
    if 0 < abs(value) < 1:
        if abs(value) < 0.01:
            return f"{'> ' + MINUS if value < 0 else '< '}0.01{THIN}%"
        return _fixed(value, _digits(value, 1)) + THIN + "%"
    if 99 < value < 100:
        return f"{math.floor(value * 10) / 10:.1f}{THIN}%"
    return _fixed(value, 0) + THIN + "%"


budget = share
"""A budget left or spent, signed: "4 %", "−90 %"."""


def target(ratio: float) -> str:
    """Return a target exactly as it was written: 0.999 is "99.9 %", 0.9995 "99.95 %"."""
    text = format((Decimal(repr(ratio)) * 100).normalize(), "f")
    return text + THIN + "%"


def count(value: float | None) -> str:
    """Return a count: "842", "31,204", and from 100,000 on three digits: "1.93 M", "412 G"."""
    if _missing(value):
        return NOTHING
    assert value is not None  # noqa: S101 -- narrows the type
    size = abs(value)
    if size < _EXACT_BELOW:
        return _fixed(value, 0) if float(value).is_integer() else number(value)
    for position, (unit, letter) in enumerate(_COUNT_UNITS):
        if size >= unit:
            scaled = float(f"{value / unit:.3g}")
            if abs(scaled) >= 1000 and position > 0:
                scaled, letter = scaled / 1000, _COUNT_UNITS[position - 1][1]
            return _fixed(scaled, _digits(scaled, 3)) + THIN + letter
    raise AssertionError(f"{value} has no unit")  # sizes start at 100,000


def volume(byte_count: float) -> str:
    """Return a size in bytes: "12.3 MB"."""
    value = float(byte_count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g}{THIN}{unit}"
        value /= 1000
    return f"{value:.3g}{THIN}TB"


def duration(seconds: float | None) -> str:
    """Return how long something took: "41 s", "40.3 min", "1 h 52 min", "2 d 5 h"."""
    if _missing(seconds):
        return NOTHING
    assert seconds is not None  # noqa: S101 -- narrows the type
    if seconds < 0:
        return MINUS + duration(-seconds)
    if seconds == 0:
        return f"0{THIN}s"
    if seconds < 1:
        return latency(seconds)
    if seconds < 90:
        return number(seconds, 2) + THIN + "s"
    if seconds < 5400:
        return number(round(seconds / 60, 1)) + THIN + "min"
    minutes = round(seconds / 60)
    if minutes < 36 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours}{THIN}h" + (f" {rest}{THIN}min" if rest else "")
    hours = round(seconds / 3600)
    days, rest = divmod(hours, 24)
    if days >= 100:
        return f"{days:,}{THIN}d"
    return f"{days}{THIN}d" + (f" {rest}{THIN}h" if rest else "")


def latency(seconds: float | None) -> str:
    """Return a latency: "4.2 ms", "148 ms", "1.24 s"; under a tenth of a ms in µs."""
    if _missing(seconds):
        return NOTHING
    assert seconds is not None  # noqa: S101 -- narrows the type
    if seconds == 0:
        return f"0{THIN}ms"
    if seconds < 1e-4:
        return number(float(f"{seconds * 1e6:.2g}")) + THIN + "µs"
    if seconds < 0.9995:
        milliseconds = float(f"{seconds * 1e3:.{2 if seconds < 0.01 else 3}g}")
        return number(milliseconds) + THIN + "ms"
    return number(float(f"{seconds:.3g}")) + THIN + "s"


def milliseconds(seconds: float | None) -> str:
    """Return a latency in milliseconds without the unit, for a column that is headed "ms"."""
    if _missing(seconds):
        return NOTHING
    assert seconds is not None  # noqa: S101 -- narrows the type
    return number(float(f"{seconds * 1e3:.3g}"))


def burn(rate: float | None) -> str:
    """Return a burn rate with its sign of multiplication: "0.3 ×", "14.4 ×"."""
    if _missing(rate):
        return NOTHING
    assert rate is not None  # noqa: S101 -- narrows the type
    if math.isinf(rate):
        return f"∞{THIN}×"
    if rate == 0:
        return f"0{THIN}×"
    if 0 < rate < 0.05:
        return f"< 0.1{THIN}×"
    return (_fixed(rate, 1) if rate < 99.95 else _fixed(rate, 0)) + THIN + "×"


def ratio(value: float | None) -> str:
    """Return a factor between two amounts: "1.84 ×", "0.5 ×"."""
    return NOTHING if _missing(value) else number(value) + THIN + "×"


def times(value: float | None) -> str:
    """Return a factor in prose: "doubled"-like sentences say "1.8 times"; a whole one "3 times"."""
    return NOTHING if _missing(value) else number(value, 2) + " times"


def numeral(value: int) -> str:
    """Return a count for prose: "no", "one" … "nine", then digits."""
    return _NUMERALS[value] if 0 <= value < len(_NUMERALS) else count(value)


def ordinal(place: int) -> str:
    """Return a place in an order: 1st, 2nd, 3rd, 4th … 11th … 21st."""
    teens = place % 100 in (11, 12, 13)
    return f"{place:,}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th')}"


def plural(value: int, one: str, many: str | None = None, *, spelled: bool = False) -> str:
    """Return a count with its noun: "1 service", "1,204 services"; spelled "one service"."""
    noun = one if value == 1 else (many or one + "s")
    return f"{numeral(value) if spelled else count(value)} {noun}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return names as prose: "a, b and c"; more than ``most`` end in "and 4 more"."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most:,} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)


def capital(text: str) -> str:
    """Return a sentence with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def _utc(moment: date | datetime) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def day(moment: date | datetime | None, *, year: bool = False) -> str:
    """Return a UTC day: "15 Oct", with its year "15 Oct 2026"."""
    if moment is None:
        return NOTHING
    at = _utc(moment)
    return f"{at.day} {_MONTHS[at.month - 1]}" + (f" {at.year}" if year else "")


def moment(at: date | datetime | None, *, year: bool = False) -> str:
    """Return a UTC instant to the minute: "15 Oct 10:48"."""
    return NOTHING if at is None else f"{day(at, year=year)} {_utc(at):%H:%M}"


def span(start: datetime, end: datetime | None) -> str:
    """Return when something was: "15 Oct 10:48 – 12:40", over midnight with both days."""
    if end is None:
        return f"since {moment(start)}"
    last = moment(end) if _utc(start).date() != _utc(end).date() else f"{_utc(end):%H:%M}"
    return f"{moment(start)} – {last}"


def window(length: timedelta | float) -> str:
    """Return the length of a window, given as timedelta or seconds: "28 days", "1 h", "30 min"."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    for unit, name in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            whole = int(seconds // unit)
            return plural(whole, name) if name == "day" else f"{whole}{THIN}{name}"
    return duration(seconds)


def bounds(low: str, high: str) -> str:
    """Return two worded bounds as one range, saying a shared unit once: "99.901 – 99.907 %"."""
    if low == high:
        return low
    left, _, unit = low.partition(THIN)
    return f"{left if unit and high.endswith(THIN + unit) else low} – {high}"
