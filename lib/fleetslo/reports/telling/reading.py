"""What became of the runs of a batch, read from their manifests, the site and the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from fleetslo.published import read_published_numbers
from fleetslo.reports.page import Page
from fleetslo.reports.records.model import JobRecord, RunRecord
from fleetslo.reports.records.reading import (
    find_run,
    read_record,
    read_run,
    record_path,
    records,
)
from fleetslo.reports.site import read_published
from fleetslo.reports.telling.messages import Batch, Failed


def runs_of(home: Path, reports: Sequence[str], as_of: str = "") -> list[str]:
    """Return the runs that were to make any of these reports for a day, the oldest first.

    Without a day it is the newest one that they were made for. Shards of a batch, and attempts
    that an engine started one after the other, are all among them.
    """
    found = [record for record in records(home) if set(record.reports) & set(reports)]
    day = as_of or next((record.as_of for record in found), "")
    return [record.run_id for record in found[::-1] if record.as_of == day]


def read_batch(home: Path, run_ids: Sequence[str], site: str, *, lost: Iterable[str] = ()) -> Batch:
    """Return what became of the runs of a batch: its attempts, or its shards.

    A report that failed in one of them and was made by a later one did not fail; one that a run
    was to make which failed as a whole, or was killed, came to nothing unless all its pages are
    there. A page that was taken over from an earlier run, which published it, is no news.

    Args:
        home: the home folder of the settings.
        run_ids: the runs, the oldest first.
        site: where readers open the site; empty where nobody said.
        lost: reports of the schedule that came to nothing, as whoever started the runs knows;
            then a run need not have left a manifest.

    Raises:
        UnknownName: there is no such run.
        OutputError: a manifest, the site or the ledger is damaged.
    """
    lost = list(lost)
    known = {one: found for one in run_ids if (found := _record(home, one, bool(lost)))}
    entries: dict[str, str] = {}
    failed: dict[str, Failed] = {}
    good: set[str] = set()
    old: set[str] = set()
    said = "the log of what started it says why"
    for run_id, record in known.items():
        if record.failure is not None:
            said = f"{record.failure.error}: {record.failure.message}"
        for job in record.jobs:
            entries[job.path] = job.entry
            failed.pop(job.path, None)
            if job.outcome == "ok":
                good.add(job.path)
            elif job.outcome not in ("cancelled", None):
                failed[job.path] = _failed(job, run_id)
            if _was_published(home, job.reused_from, run_ids):
                old.add(job.path)
    made = good | failed.keys()
    done = set(entries.values()) - {entries[path] for path in entries.keys() - made}
    for record in known.values():
        if record.failure is None and record.outcome in ("ok", "failed"):
            done |= set(record.reports) - set(entries.values())  # it had no page to make of them
    for record in known.values():
        if record.failure is not None or record.outcome == "killed":
            lost += [name for name in record.reports if name not in {*done, *lost}]
    named = {one.entry for one in failed.values()}
    said = f"its batch failed as a whole; {said}"
    nothing = [Failed(name, said, name, run_ids[-1]) for name in lost if name not in named]
    numbers = read_published_numbers(home)
    why = {one.page.path: one.path for one in read_published(home / "site").missed}
    return Batch(
        run_ids=tuple(run_ids),
        pages=[page for page in _pages(home, run_ids) if page.path not in old],
        failed=[
            *(replace(one, why=why.get(one.path, "")) for one in failed.values()),
            *nothing,
        ],
        told=numbers.filter(pl.col("run_id").is_in(list(run_ids))),
        before=numbers.filter(pl.col("run_id") < min(run_ids)),
        site=site,
        entries=entries,
        good=good,
    )


def _record(home: Path, run_id: str, may_lack: bool) -> RunRecord | None:
    if may_lack and not record_path(home, run_id).is_file():
        return None
    return read_run(home, find_run(home, run_id))


def _pages(home: Path, run_ids: Sequence[str]) -> list[Page]:
    """Return the pages that runs published, as far as no later one has replaced them."""
    return [page for page in read_published(home / "site").pages if page.run_id in run_ids]


def _was_published(home: Path, earlier: str | None, run_ids: Sequence[str]) -> bool:
    """Return whether a run from which a page was taken over had published what it made.

    One that was killed first had not; one whose record is gone is long past.
    """
    if not earlier or earlier in run_ids:
        return False
    record = read_record(home, earlier)
    return record is None or record.publication is not None


def _failed(job: JobRecord, run_id: str) -> Failed:
    said, cell = "", ""
    if job.failure is not None:
        said = f"{job.failure.error}: {job.failure.message}".strip(": ")
        cell = f"cell {job.failure.cell}, " if job.failure.cell else ""
    says = " ".join(f"{job.outcome}: {cell}{said}".split()).rstrip(": ")
    return Failed(job.page, says, job.entry, run_id, job.path)
