"""When a report is due: a cron expression in a zone, and the instants that it names."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

EVERY = {
    "day": "0 6 * * *",  # at 06:00, when the day before has arrived
    "week": "0 6 * * 1",  # on Monday, for the week's first meeting
    "month": "0 6 1 * *",
}
"""What ``every:`` stands for, as a cron expression in the report's zone."""

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

# Each field of a cron expression: its name, first and last value, names of values from the first.
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("second", 0, 59, []),
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _DAYS),  # 0 and 7 are both Sunday, as in cron
)

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Timing:
    """A cron expression of five fields, or six with seconds in front, and an IANA zone.

    Raises:
        ValueError: a field cannot be read, or no day ever fits; the message says what to write.
    """

    cron: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what cannot be read, or never comes."""
        object.__setattr__(self, "cron", " ".join(self.cron.lower().split()))
        fields = self.fields
        try:
            ZoneInfo(self.zone)
        except (KeyError, OSError, ValueError):
            raise ValueError(
                f"there is no zone {self.zone!r}; write an IANA name, such as Europe/Berlin"
            ) from None
        if fields["day"] is not None and fields["weekday"] is not None:
            # cron reads the two as 'either', systemd as 'both': no engine would agree with another.
            raise ValueError(
                f"{self.cron!r} names a day of the month and a weekday; write two reports, "
                "each with one of them"
            )
        days, months = fields["day"], fields["month"]
        if days and months and not any(day <= _longest(month) for day in days for month in months):
            raise ValueError(f"{self.cron!r} names a day that no month has")

    @cached_property
    def fields(self) -> dict[str, tuple[int, ...] | None]:
        """Values of each field in rising order, None where every value fits; Sunday is 0."""
        words = self.cron.split()
        if len(words) == 5:
            words = ["0", *words]
        if len(words) != 6:
            raise ValueError(
                f"{self.cron!r} has {len(words)} fields; write five: minute, hour, day of the "
                "month, month, weekday, such as '0 6 * * mon'"
            )
        return {
            name: _values(word, name, low, high, names)
            for word, (name, low, high, names) in zip(words, _FIELDS, strict=True)
        }

    @cached_property
    def trigger(self) -> "CronTrigger":
        """The same as a trigger of APScheduler.

        APScheduler counts weekdays from Monday, where cron counts from Sunday, so they are named.
        """
        from apscheduler.triggers.cron import CronTrigger

        texts = {
            name: "*" if values is None else ",".join(map(str, values))
            for name, values in self.fields.items()
            if name != "weekday"
        }
        weekdays = self.fields["weekday"]
        named = "*" if weekdays is None else ",".join(_DAYS[value] for value in weekdays)
        return CronTrigger(**texts, day_of_week=named, timezone=ZoneInfo(self.zone))

    def after(self, moment: datetime) -> datetime:
        """Return the first instant after ``moment`` that is due, in the zone of the timing.

        A time that the clocks jump over in spring comes as much later as they jump. In autumn a
        time that comes twice is due the first time only, unless the report is made every hour.
        """
        zone = ZoneInfo(self.zone)
        now = moment.astimezone(UTC) + _INSTANT
        while True:
            # What the clocks jump over has no spelling of its own; UTC and back gives it one.
            instant = self.trigger.get_next_fire_time(None, now.astimezone(zone)).astimezone(UTC)
            due: datetime = instant.astimezone(zone)
            repeated = due.fold == 1 and self.fields["hour"] is not None
            if instant > moment and not repeated:
                return due
            now = max(instant, now) + timedelta(seconds=1)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the instants that are due after ``start``, up to and including ``end``."""
        due = self.after(start)
        while due <= end:
            yield due
            due = self.after(due)

    def day(self, due: datetime) -> str:
        """Return the day in the zone on which an instant lies: the ``--as-of`` of its run."""
        return due.astimezone(ZoneInfo(self.zone)).date().isoformat()

    @property
    def key(self) -> str:
        """The same text for every expression that names the same times."""
        fields = ("*" if one is None else ",".join(map(str, one)) for one in self.fields.values())
        return f"{' '.join(fields)} {self.zone}"

    def __str__(self) -> str:
        """Return expression and zone: ``0 6 * * 1 Europe/Berlin``."""
        return f"{self.cron} {self.zone}"


def _longest(month: int) -> int:
    return {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)


def _values(word: str, field: str, low: int, high: int, names: list[str]) -> tuple[int, ...] | None:
    if word == "*":
        return None
    found: set[int] = set()
    for part in word.split(","):
        stretch, slash, step_text = part.partition("/")
        first_text, dash, last_text = stretch.partition("-")
        try:
            step = int(step_text) if slash else 1
            if stretch == "*":
                first, last = low, high - (field == "weekday")
            else:
                first = _value(first_text, low, names)
                last = _value(last_text, low, names) if dash else (high if slash else first)
        except ValueError:
            step = first = last = -1
        if not (low <= first <= last <= high and step >= 1):
            raise ValueError(
                f"{part!r} is no {field}; write {low} to {high}, 1-5, */2 or 1,3"
                + (f", or {names[0]} to {names[-1]}" if names else "")
            )
        found.update(range(first, last + 1, step))
    if field == "weekday":
        found = {value % 7 for value in found}
    return tuple(sorted(found))


def _value(text: str, low: int, names: list[str]) -> int:
    return low + names.index(text) if text in names else int(text)
