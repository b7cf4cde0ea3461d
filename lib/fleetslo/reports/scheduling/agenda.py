"""What has become due since the last look, by whatever clock there is."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from fleetslo.reports.scheduling.groups import Due, Group
from fleetslo.reports.scheduling.memory import Memory
from fleetslo.reports.scheduling.queue import Missed, Queue, to_run


class Agenda:
    """Puts groups into a queue when they are due, each of their times once.

    A clock that was put forward makes the times in between missed ones. After one that was put
    back nothing is due until it has come to where it was, for all of that has run.
    """

    def __init__(
        self, memory: Memory, queue: Queue, missed: Missed, say: Callable[[str], None]
    ) -> None:
        self._memory = memory
        self._queue = queue
        self._missed: Missed = missed
        self._say = say
        self._groups: dict[str, Group] = {}
        self._taken: dict[str, datetime] = {}
        self._looked: datetime | None = None
        self._lock = threading.Lock()

    @property
    def groups(self) -> list[Group]:
        """The groups that are followed."""
        with self._lock:
            return list(self._groups.values())

    def follow(self, groups: Sequence[Group], now: datetime) -> None:
        """Follow these groups from now on, and no others.

        Raises:
            OutputError: it cannot be written down.
        """
        with self._lock:
            self._memory.follow([group.key for group in groups], now)
            self._groups = {group.key: group for group in groups}
            self._taken = {
                key: self._taken.get(key, self._memory.until(key)) for key in self._groups
            }
            for group in groups:
                self._warn(group, now)

    def look(self, now: datetime) -> None:
        """Put into the queue what has become due since the last look.

        Raises:
            OutputError: it cannot be written down that a time is left out.
        """
        with self._lock:
            if self._looked is not None and now < self._looked:
                back_s = (self._looked - now).total_seconds()
                self._say(f"the clock was put back by {back_s:.0f} s; what had run stays run")
                for group in self._groups.values():
                    self._warn(group, now)
            self._looked = now
            for key, group in self._groups.items():
                times = list(group.timing.between(self._taken[key], now))
                if times:
                    self._taken[key] = times[-1]
                    self._take(group, times, now)

    def _take(self, group: Group, times: Sequence[datetime], now: datetime) -> None:
        chosen = to_run(times, now, self._missed)
        for at in chosen:
            self._queue.add(Due(group, at))
        if len(chosen) < len(times):
            self._say(
                f"{', '.join(group.names)}: {len(times) - len(chosen)} missed times are left out"
            )
        if not chosen:
            self._memory.settle(group.key, times[-1], now)

    def _warn(self, group: Group, now: datetime) -> None:
        until = self._memory.until(group.key)
        if until > now:
            self._say(
                f"{', '.join(group.names)}: ran for {until:%Y-%m-%d %H:%M} UTC already, which is "
                "still to come by this clock; nothing is run until then. Where the clock was wrong "
                f"then, stop, remove {self._memory.path} and start again"
            )
