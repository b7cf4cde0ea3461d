"""What is due and waits: one batch at a time per group, the most important group first."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from fleetslo.reports.scheduling.groups import Due

Missed = Literal["latest", "all", "skip"]

# A time that is looked at this late is not missed: the machine is busy, or its clock was put right.
ON_TIME = timedelta(minutes=5)


def to_run(times: Sequence[datetime], now: datetime, missed: Missed) -> list[datetime]:
    """Return which of a group's due times are run, oldest first.

    ``latest`` runs the newest alone, ``all`` every one, ``skip`` the newest unless it is past by
    more than ON_TIME.
    """
    if missed == "all":
        return list(times)
    return [at for at in times[-1:] if missed == "latest" or now - at <= ON_TIME]


class Queue:
    """Groups that wait for a worker, and those that run; shared by threads."""

    def __init__(self, missed: Missed) -> None:
        self._missed = missed
        self._waiting: list[Due] = []
        self._running: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, due: Due) -> None:
        """Put a group in; unless all missed times are run, it takes the place of an older one."""
        with self._changed:
            if self._missed != "all":
                self._waiting = [one for one in self._waiting if one.group.key != due.group.key]
            self._waiting.append(due)
            self._changed.notify_all()

    def take(self) -> Due | None:
        """Wait for a group that may run, and return it; None once the queue is closed.

        A group whose batch still runs waits for its end.
        """
        with self._changed:
            while not self._closed:
                free = [due for due in self._waiting if due.group.key not in self._running]
                if free:
                    due = min(free, key=lambda one: (-one.group.priority, one.at))
                    self._waiting.remove(due)
                    self._running.add(due.group.key)
                    return due
                self._changed.wait()
        return None

    def done(self, due: Due) -> None:
        """Let the group of a batch that ended run again."""
        with self._changed:
            self._running.discard(due.group.key)
            self._changed.notify_all()

    def close(self) -> None:
        """Give out nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many wait."""
        with self._changed:
            return len(self._waiting)

    @property
    def running(self) -> int:
        """How many run."""
        with self._changed:
            return len(self._running)
