"""Stretches of time, half-open and in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fleetslo.errors import PeriodError

_HOW = "write 28d, 2026-10, 2026-W44 or 2026-10-01/2026-11-01"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def instant(value: str | date | datetime) -> datetime:
    """Return a UTC datetime for a date, an ISO text or an aware datetime.

    A date means its midnight in UTC. A datetime without a zone is refused, since nobody can
    tell which instant it names; a text without a zone is UTC.

    Raises:
        PeriodError: the value names no instant.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            value = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            raise PeriodError(
                f"{text!r} is not a date or time; write 2026-11-01 or 2026-11-01T06:00Z"
            ) from None
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.tzinfo is None:
        raise PeriodError(f"{value.isoformat()} has no zone; give it one, such as UTC")
    return value.astimezone(UTC)


def _spell(moment: datetime) -> str:
    midnight = moment.hour == moment.minute == moment.second == moment.microsecond == 0
    if midnight:
        return moment.strftime("%Y-%m-%d")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if moment.second else "%Y-%m-%dT%H:%MZ")


@dataclass(frozen=True, order=True)
class Period:
    """The instants from ``start`` up to, but not including, ``end``; both in UTC.

    Raises:
        PeriodError: ``start`` is not before ``end``.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Turn both ends into UTC and refuse an empty period."""
        object.__setattr__(self, "start", instant(self.start))
        object.__setattr__(self, "end", instant(self.end))
        if self.start >= self.end:
            raise PeriodError(
                f"{_spell(self.start)}/{_spell(self.end)} holds no time; put the earlier end first"
            )

    @classmethod
    def ending(cls, end: str | date | datetime, *, days: float) -> "Period":
        """Return the period of so many days that ends at ``end``."""
        last = instant(end)
        return cls(last - timedelta(days=days), last)

    @classmethod
    def parse(cls, text: str, *, as_of: str | date | datetime | None = None) -> "Period":
        """Return the period that a text names.

        ``28d``, ``36h`` and ``4w`` end at ``as_of``; ``2026-10`` is a month, ``2026-W44`` an
        ISO week, ``2026-10-01/2026-11-01`` a stretch between two instants.

        Raises:
            PeriodError: the text names no period, or needs ``as_of`` and has none.
        """
        text = text.strip()
        if match := re.fullmatch(r"(\d+)([hdw])", text):
            if as_of is None:
                raise PeriodError(f"{text!r} needs a day to end on; add --as-of 2026-11-01")
            count, unit = int(match[1]), match[2]
            if count == 0:
                raise PeriodError(f"{text!r} holds no time; {_HOW}")
            hours = count * {"h": 1, "d": 24, "w": 168}[unit]
            return cls.ending(as_of, days=hours / 24)
        try:
            if match := re.fullmatch(r"(\d{4})-(\d{2})", text):
                year, month = int(match[1]), int(match[2])
                following = date(year + month // 12, month % 12 + 1, 1)
                return cls(instant(date(year, month, 1)), instant(following))
            if match := re.fullmatch(r"(\d{4})-W(\d{2})", text):
                monday = instant(date.fromisocalendar(int(match[1]), int(match[2]), 1))
                return cls(monday, monday + timedelta(days=7))
        except ValueError:
            raise PeriodError(f"{text!r} does not exist in the calendar; {_HOW}") from None
        if text.count("/") == 1:
            first, last = text.split("/")
            return cls(instant(first), instant(last))
        raise PeriodError(f"{text!r} is not a period; {_HOW}")

    @property
    def length(self) -> timedelta:
        """How long the period is."""
        return self.end - self.start

    @property
    def days(self) -> float:
        """How long the period is, in days of 24 hours."""
        return self.length / timedelta(days=1)

    @property
    def minutes(self) -> int:
        """How many whole minutes the period holds."""
        return int(self.length / timedelta(minutes=1))

    @property
    def slug(self) -> str:
        """The period as a folder name: ``2026-10-04_2026-11-01``."""
        return f"{_spell(self.start)}_{_spell(self.end)}".replace(":", "")

    @property
    def label(self) -> str:
        """The period as a reader says it: ``4 Oct – 1 Nov 2026``; the end is exclusive."""
        first, last = self.start, self.end
        left = f"{first.day} {_MONTHS[first.month - 1]}"
        right = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
        if first.year != last.year:
            left += f" {first.year}"
        if (first.hour, first.minute, last.hour, last.minute) != (0, 0, 0, 0):
            left += first.strftime(" %H:%M")
            right += last.strftime(" %H:%M")
        return f"{left} – {right}"

    def __str__(self) -> str:
        """Return the period as ``parse`` reads it: ``2026-10-04/2026-11-01``."""
        return f"{_spell(self.start)}/{_spell(self.end)}"

    def __contains__(self, moment: datetime) -> bool:
        """Return whether an aware datetime lies in the period."""
        return self.start <= moment < self.end

    def _is_months(self) -> bool:
        first, last = self.start, self.end
        whole = (first.day, last.day) == (1, 1) and _spell(first)[10:] + _spell(last)[10:] == ""
        return whole and (last.year - first.year) * 12 + last.month - first.month == 1

    def previous(self) -> "Period":
        """Return the period before this one: the month before a month, else the same length."""
        if self._is_months():
            return Period.parse((self.start - timedelta(days=1)).strftime("%Y-%m"))
        return Period(self.start - self.length, self.start)

    def next(self) -> "Period":
        """Return the period after this one: the month after a month, else the same length."""
        if self._is_months():
            return Period.parse(self.end.strftime("%Y-%m"))
        return Period(self.end, self.end + self.length)

    def last(self, length: timedelta) -> "Period":
        """Return the stretch of this length that ends where this period ends."""
        return Period(self.end - length, self.end)
