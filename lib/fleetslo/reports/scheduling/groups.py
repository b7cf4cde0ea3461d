"""Reports that are due at the same times: they run as one batch, and ask the warehouse once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.timing import Timing


@dataclass(frozen=True)
class Group:
    """The reports of one timing, highest priority first."""

    timing: Timing
    entries: Sequence[Entry]

    @property
    def key(self) -> str:
        """What the group is remembered by: its timing, so that a report may join or leave it."""
        return self.timing.key

    @property
    def names(self) -> list[str]:
        """The names of its reports."""
        return [entry.name for entry in self.entries]

    @property
    def priority(self) -> int:
        """The highest priority of its reports."""
        return max(entry.priority for entry in self.entries)

    @property
    def retries(self) -> int:
        """How often a batch that made nothing at all is tried again."""
        return max(entry.retries for entry in self.entries)


@dataclass(frozen=True)
class Due:
    """A group at one of its times."""

    group: Group
    at: datetime

    @property
    def as_of(self) -> str:
        """The day that periods end on: the scheduled one in the zone of the group."""
        return self.group.timing.day(self.at)

    def __str__(self) -> str:
        """Return it as a log names it."""
        return f"{', '.join(self.group.names)} of {self.at:%Y-%m-%d %H:%M:%S %Z}"


def groups_of(entries: Iterable[Entry]) -> list[Group]:
    """Return the groups of a schedule, those of higher priority first."""
    by_timing: dict[str, list[Entry]] = {}
    for entry in entries:
        by_timing.setdefault(entry.timing.key, []).append(entry)
    groups = [
        Group(same[0].timing, tuple(sorted(same, key=lambda entry: -entry.priority)))
        for same in by_timing.values()
    ]
    return sorted(groups, key=lambda group: -group.priority)
