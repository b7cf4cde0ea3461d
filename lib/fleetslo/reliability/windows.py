"""Windows over which an objective is judged: rolling ones, and calendar ones in a zone.

Source: OpenSLO v1, ``timeWindow``. What it leaves open (SLO.md): a calendar window is anchored at
``startTime``, so that a month may run from the 3rd at 12:30; a month anchored on the 31st ends on
the last day of a shorter one, and comes back to the 31st; a local time that a zone skips is the
first instant after the skip, one that it repeats is the first of the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from fleetslo.periods import Period

Unit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

_NOMINAL: dict[Unit, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "quarter": timedelta(days=90),
    "year": timedelta(days=365),
}
_MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class RollingWindow:
    """A stretch of fixed length that ends at the instant for which it is judged."""

    length: timedelta

    @property
    def nominal(self) -> timedelta:
        """Its length, as alert factors and pages speak of it."""
        return self.length

    def at(self, until: datetime) -> Period:
        """Return the window that ends at an instant."""
        return Period(until - self.length, until)


@dataclass(frozen=True)
class CalendarWindow:
    """Stretches of the local calendar, one after the other from an anchor on, and before it.

    Attributes:
        count: how many units each lasts.
        unit: of the calendar; minutes and hours are elapsed time.
        anchor: local date and time, without a zone, at which one of the windows begins.
        zone: a zone of the IANA database.
    """

    count: int
    unit: Unit
    anchor: datetime
    zone: str

    @property
    def nominal(self) -> timedelta:
        """Its usual length: a month is 30 days, a quarter 90, a year 365."""
        return self.count * _NOMINAL[self.unit]

    def at(self, until: datetime) -> Period:
        """Return the window that holds the instant just before ``until``; it may still run."""
        return _at(self, until)

    def between(self, period: Period) -> Iterator[Period]:
        """Yield the windows that overlap a period, in order."""
        found = self.at(period.start + timedelta(microseconds=1))
        while found.start < period.end:
            yield found
            found = self.at(found.end + timedelta(microseconds=1))

    def edge(self, number: int) -> datetime:
        """Return the instant at which a window begins: the anchor's own is number 0."""
        zone, ahead = ZoneInfo(self.zone), number * self.count
        if self.unit in ("minute", "hour"):
            return instant_of(self.anchor, zone) + ahead * _NOMINAL[self.unit]
        if self.unit in _MONTHS:
            return instant_of(self.anchor + relativedelta(months=ahead * _MONTHS[self.unit]), zone)
        return instant_of(self.anchor + ahead * _NOMINAL[self.unit], zone)


@lru_cache(maxsize=4096)  # a fleet asks for the same few windows once per objective
def _at(window: CalendarWindow, until: datetime) -> Period:
    number = (until - window.edge(0)) // window.nominal
    while window.edge(number) >= until:
        number -= 1
    while window.edge(number + 1) < until:
        number += 1
    return Period(window.edge(number), window.edge(number + 1))


Window = RollingWindow | CalendarWindow


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) of a local time without a zone.

    A time that the zone skips is the first instant after the skip; of one that it repeats, the
    first counts.
    """
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    # Skipped: with the offset after the skip it lies before the change, with that before it after.
    early = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    late, before = found, early.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        if middle <= early:
            break
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late
