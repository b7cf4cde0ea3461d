"""Backfill: the scheduled days of a stretch of time, those that were not made yet."""

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import FrameType
from zoneinfo import ZoneInfo

from fleetslo.errors import Cancelled, NotebookFailed, UsageError
from fleetslo.reports.schedule import choose
from fleetslo.reports.scheduling.attempts import Attempts, Ended
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.groups import Due, groups_of
from fleetslo.reports.scheduling.records import Done


@dataclass(frozen=True)
class Stretch:
    """The days from ``first`` to ``last``, both of them, each in the zone of a report."""

    first: date
    last: date

    @classmethod
    def parse(cls, first: str, last: str) -> "Stretch":
        """Return the stretch between two days as people write them.

        Raises:
            UsageError: one is no day, or they stand the wrong way round.
        """
        days = []
        for option, text in (("--from", first), ("--to", last)):
            try:
                days.append(date.fromisoformat(text))
            except ValueError:
                raise UsageError(f"{option} {text!r} is no day; write 2026-11-01") from None
        if days[0] > days[1]:
            raise UsageError(f"--from {first} is after --to {last}; swap them")
        return cls(*days)


def due_days(entries: Sequence[Entry], stretch: Stretch, only: Sequence[str] = ()) -> list[Due]:
    """Return each group at its scheduled days, the oldest first; a day counts once.

    A group that is due several times a day makes the same pages each time, so its last time of
    the day stands for all of them.
    """
    found: dict[tuple[str, str], Due] = {}
    for group in groups_of(choose(entries, only=only)):
        zone = ZoneInfo(group.timing.zone)
        start = datetime(stretch.first.year, stretch.first.month, stretch.first.day, tzinfo=zone)
        day = stretch.last + timedelta(days=1)
        end = datetime(day.year, day.month, day.day, tzinfo=zone)
        instant = timedelta(microseconds=1)
        for at in group.timing.between(start - instant, end - instant):
            due = Due(group, at)
            found[group.key, due.as_of] = due
    return sorted(found.values(), key=lambda due: (due.at, -due.group.priority))


def backfill(
    wanted: Sequence[Due],
    attempts: Attempts,
    home: Path,
    *,
    at_once: int = 1,
    again: bool = False,
    say: Callable[[str], None],
) -> list[Ended]:
    """Run what is wanted, ``at_once`` batches at a time, and return what became of each.

    What earlier runs have made is left out unless ``again``.

    Raises:
        NotebookFailed: something failed; the rest was run all the same.
        Cancelled: SIGINT or SIGTERM; batches that ran were cancelled.
    """
    done = Done(home)
    todo = [due for due in wanted if again or due not in done]
    if len(todo) < len(wanted):
        say(f"{len(wanted) - len(todo)} of {len(wanted)} are made already")
    cancelled = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        cancelled.set()
        threading.Thread(target=attempts.cancel, name="cancel").start()

    def run(due: Due) -> Ended:
        if cancelled.is_set():
            return Ended(due, "cancelled")
        ended = attempts.run(due)
        say(f"{', '.join(due.group.names)} of {due.as_of}: {ended.outcome}")
        return ended

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with ThreadPoolExecutor(at_once) as pool:
            ended = list(pool.map(run, todo))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if cancelled.is_set():
        raise Cancelled("stopped; what had been published stays")
    if failed := [one for one in ended if one.outcome != "ok"]:
        days = ", ".join(sorted({one.due.as_of for one in failed}))
        raise NotebookFailed(f"{len(failed)} of {len(ended)} batches failed: {days}")
    return ended
