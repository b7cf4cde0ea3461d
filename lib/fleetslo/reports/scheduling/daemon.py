"""The daemon: it looks at the schedule, and starts what is due in processes of their own."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

from apscheduler.events import EVENT_SCHEDULER_STARTED  # type: ignore[import-untyped]
from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.jobstores.base import JobLookupError  # type: ignore[import-untyped]
from apscheduler.schedulers.blocking import BlockingScheduler  # type: ignore[import-untyped]

from fleetslo.errors import FleetsloError
from fleetslo.reports.schedule import read_schedule
from fleetslo.reports.scheduling.agenda import Agenda
from fleetslo.reports.scheduling.attempts import Attempts, Ended
from fleetslo.reports.scheduling.groups import Due, Group, groups_of
from fleetslo.reports.scheduling.memory import Memory
from fleetslo.reports.scheduling.queue import Missed, Queue
from fleetslo.reports.scheduling.teller import Teller

# A clock that was put right, or a machine that slept, is noticed after this long.
_LOOK_S = 15
_LOOK = "look"


class Watcher(Protocol):
    """Somebody who is told what the daemon does; see ``metrics``."""

    def planned(self, groups: Sequence[Group], now: datetime) -> None:
        """Be told the schedule, whenever it was looked at."""

    def ended(self, ended: Ended) -> None:
        """Be told what became of a batch."""

    def told(self, well: bool, waiting: int) -> None:
        """Be told whether people were told of a batch, and how many batches still wait for it."""


class Daemon:
    """Runs the schedule until it is told to stop.

    After the last attempt of a batch people are told of it. SIGTERM and SIGINT let the batches
    that run come to their end and start no other; a second one cancels them. SIGHUP reads the
    schedule again; one that is wrong changes nothing.
    """

    def __init__(
        self,
        memory: Memory,
        attempts: Attempts,
        home: Path,
        *,
        missed: Missed,
        at_once: int,
        wait_s: float = 60.0,
        watcher: Watcher,
        say: Callable[[str], None],
    ) -> None:
        self._memory = memory
        self._attempts = attempts
        self._watcher = watcher
        self._say = say
        self.queue = Queue(missed)
        self._agenda = Agenda(memory, self.queue, missed, say)
        self._teller = Teller(memory, home, told=watcher.told, say=say, first_wait_s=wait_s)
        self._stopping = False
        self._died = ""
        self._reread = False
        self._workers = [
            threading.Thread(target=self._work, name=f"batch-{n}") for n in range(at_once)
        ]
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BlockingScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._started = threading.Event()
        self._ended = threading.Event()
        self._scheduler.add_listener(lambda _: self._started.set(), EVENT_SCHEDULER_STARTED)

    def run(self) -> None:
        """Run until a signal ends it, and every batch has ended.

        Raises:
            FleetsloError: the schedule is wrong, or a thread of this process has died.
        """
        for number, handler in (
            (signal.SIGTERM, self._stop),
            (signal.SIGINT, self._stop),
            (signal.SIGHUP, self._hang_up),
        ):
            signal.signal(number, handler)
        groups = groups_of(read_schedule())
        self._follow(groups)
        self._say(f"follows the schedule: {_reports(groups)}")
        for worker in self._workers:
            worker.start()
        self._teller.start()
        threading.Thread(target=self._tick, name="tick", daemon=True).start()
        self._wake()
        try:
            self._scheduler.start()  # until a handler shuts it down
        except JobLookupError:
            # APScheduler looks in the wrong place for a look that is done just as it is shut down.
            if not self._stopping:
                raise
        self._ended.set()
        for worker in self._workers:
            worker.join()
        self._teller.close()
        if self._died:
            raise FleetsloError(
                f"the daemon ended, for its thread {self._died} did (its error is above); what it "
                "had begun is due again"
            )

    def _follow(self, groups: Sequence[Group]) -> None:
        now = datetime.now(UTC)
        self._agenda.follow(groups, now)
        wanted = {group.key for group in groups}
        for job in self._scheduler.get_jobs():
            if job.id != _LOOK and job.id not in wanted:
                job.remove()
        for group in groups:
            self._scheduler.add_job(
                self._look, group.timing.trigger, id=group.key, replace_existing=True
            )
        self._watcher.planned(groups, now)

    def _look(self) -> None:
        if self._stopping:
            return
        if self._reread:
            self._reread = False
            self._read_again()
        now = datetime.now(UTC)
        try:
            self._agenda.look(now)
        except FleetsloError as error:
            self._say(str(error))
        self._watcher.planned(self._agenda.groups, now)

    def _tick(self) -> None:
        # The scheduler sleeps until a time of the clock that was; this counts seconds as they are.
        while not self._ended.wait(_LOOK_S):
            self._wake()
            dead = [one.name for one in (*self._workers, self._teller.thread) if not one.is_alive()]
            if dead and not self._stopping:
                # Whoever started this process can start it again; this one would run no more.
                self._died = dead[0]
                os.kill(os.getpid(), signal.SIGTERM)

    def _read_again(self) -> None:
        try:
            groups = groups_of(read_schedule())
            self._follow(groups)
        except FleetsloError as error:
            self._say(f"the schedule stays as it was: {error}")
            return
        self._say(f"the schedule is read again: {_reports(groups)}")

    def _work(self) -> None:
        while (due := self.queue.take()) is not None:
            self._say(f"{due}: begins, as of {due.as_of}")
            ended = Ended(due, "failed", failed=due.group.names)
            try:
                ended = self._attempts.run(due, partial(self._memory.begin, due.group.key, due.at))
            except (OSError, FleetsloError) as error:
                self._say(f"{due}: cannot be started: {error}")
            if ended.outcome != "cancelled":
                self._settle(due, ended.failed)
            self._watcher.ended(ended)
            self.queue.done(due)
            failed = f": {', '.join(ended.failed)}" if ended.failed else ""
            self._say(f"{due}: {ended.outcome}{failed}")

    def _settle(self, due: Due, lost: Sequence[str]) -> None:
        try:
            self._memory.settle(due.group.key, due.at, datetime.now(UTC), lost)
        except FleetsloError as error:
            # A full disk must not end the thread; what is remembered is written the next time.
            self._say(f"{due}: {error}")
        self._teller.wake()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            # Not here: a handler may interrupt a thread that holds the lock it would need.
            threading.Thread(target=self._cancel, name="cancel").start()
            return
        self._stopping = True
        threading.Thread(target=self._end, name="end", daemon=True).start()

    def _end(self) -> None:
        if self.queue.running:
            self._say("ends after the batch that runs; a second signal cancels it")
        self.queue.close()
        self._started.wait()  # a scheduler that has not started cannot be shut down
        self._scheduler.shutdown(wait=False)

    def _cancel(self) -> None:
        self._teller.abandon()
        self._attempts.cancel()

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        self._reread = True
        threading.Thread(target=self._wake, name="reread").start()

    def _wake(self) -> None:
        self._scheduler.add_job(self._look, id=_LOOK, replace_existing=True)


def _reports(groups: Sequence[Group]) -> str:
    """Return how many reports there are, and which are due next."""
    count = sum(len(group.entries) for group in groups)
    told = "1 report" if count == 1 else f"{count} reports"
    now = datetime.now(UTC)
    if groups:
        first = min(groups, key=lambda group: group.timing.after(now))
        at = first.timing.after(now).astimezone(UTC)
        told += f"; next {', '.join(first.names)} at {at:%Y-%m-%d %H:%M} UTC"
    return told
