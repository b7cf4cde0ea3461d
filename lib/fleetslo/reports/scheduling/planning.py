"""What one run makes: the jobs of the schedule, or of a shard of it, or those that failed."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fleetslo.errors import UsageError
from fleetslo.fleet import Fleet
from fleetslo.reports.jobs import Job
from fleetslo.reports.records.reading import read_record
from fleetslo.reports.schedule import choose, keep_named, plan_jobs
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.records import newest_batch
from fleetslo.reports.scheduling.subjects import Subjects

TODAY = "today"
"""As ``--as-of``: the day that it is where the reports are due."""


@dataclass(frozen=True)
class Choice:
    """What somebody asks of a run.

    Args:
        as_of: the day that periods end on; empty is the newest whole day of data, TODAY the
            present one in the zone of the reports.
        only: names, notebooks or pages to keep; empty keeps all.
        every: the rhythm to keep.
        shard: ``2/8`` keeps the second of eight parts, chosen by a hash of the page's name.
        retry: the run whose failed pages are made again, for the day that it had.
        failed: the same for the newest run.
    """

    as_of: str = ""
    only: Sequence[str] = ()
    every: str | None = None
    shard: str = ""
    retry: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Plan:
    """The jobs of a run, the entries they come from, and how many pages each entry has in all."""

    entries: Sequence[Entry]
    jobs: Sequence[Job]
    planned: Mapping[str, int]
    subjects: Subjects

    @cached_property
    def catalogue(self) -> Mapping[str, dict[str, Any]]:
        """Squad and tier of every service of the plan's periods."""
        return self.subjects.catalogue(self.entries)

    def table(self) -> list[tuple[str, str, str, int, str, str]]:
        """Return a row per report: name, when it is due, for whom, pages, period, parameters."""
        by_entry: dict[str, list[Job]] = {entry.name: [] for entry in self.entries}
        for job in self.jobs:
            by_entry[job.entry].append(job)
        return [
            (
                entry.name,
                f"every {entry.every}" if entry.every else str(entry.timing),
                _for_whom(entry, jobs),
                len(jobs),
                jobs[0].period if jobs else entry.period,
                ", ".join(f"{name}={value}" for name, value in entry.parameters.items()),
            )
            for entry in self.entries
            for jobs in [by_entry[entry.name]]
        ]


def _for_whom(entry: Entry, jobs: Sequence[Job]) -> str:
    if entry.for_each is not None:
        return f"each {entry.for_each}"
    one = next(iter(jobs), None)
    return (one and (one.service or one.squad)) or "the fleet"


def plan_run(fleet: Fleet, entries: Sequence[Entry], choice: Choice, home: Path) -> Plan:
    """Return what a run makes; the warehouse is asked for whom, and nothing runs.

    Raises:
        UsageError: a shard or a run that there is not, or a day that is not the same for all.
        FleetsloError: see ``plan_jobs`` and ``Subjects``.
    """
    again: set[str] | None = None
    if choice.failed:
        choice = replace(choice, retry=choice.retry or _newest(home))
    if choice.retry:
        record = read_record(home, choice.retry)
        if record is None:
            raise UsageError(f"there is no record of a run {choice.retry!r} under {home / 'runs'}")
        choice = replace(choice, as_of=choice.as_of or record.as_of)
        again = {job.path for job in record.missed}
        if not again:
            raise UsageError(f"nothing failed in run {choice.retry}: nothing is to be made again")
    part = _part(choice.shard)
    kept = choose(entries, every=choice.every, only=choice.only)
    as_of = day_of(choice.as_of, kept) or f"{fleet.last_day:%Y-%m-%d}"
    subjects = Subjects(fleet, as_of)
    whole = plan_jobs(kept, as_of=as_of, subjects=subjects)
    jobs = keep_named(whole, choice.only)
    if again is not None:
        jobs = [job for job in jobs if job.path in again]
    if part is not None:
        jobs = [job for job in jobs if shard_of(job.page, part[1]) == part[0]]
    return Plan(kept, jobs, Counter(job.entry for job in whole), subjects)


def shard_of(page: str, shards: int) -> int:
    """Return the shard, from 1, that makes a page; it depends on the name of the page alone."""
    digest = hashlib.sha256(page.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards + 1


def _newest(home: Path) -> str:
    newest = newest_batch(home)
    if newest is None:
        raise UsageError(f"there is no record of a run under {home / 'runs'} to mend")
    return newest.run_id


def _part(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text!r} is no part; write 1/8 to 8/8 for eight parts")
    return int(match[1]), int(match[2])


def day_of(as_of: str, entries: Sequence[Entry]) -> str:
    """Return a day as it was asked for; TODAY is the present one in the zone of the reports.

    Raises:
        UsageError: it is not the same day for all of them.
    """
    if as_of != TODAY:
        return as_of
    zones = sorted({entry.zone for entry in entries})
    if len(zones) > 1:
        raise UsageError(
            f"today is not the same day in {', '.join(zones)}; choose reports of one zone with "
            "--only, or name the day"
        )
    return datetime.now(ZoneInfo(zones[0] if zones else "UTC")).date().isoformat()
