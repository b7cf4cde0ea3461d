"""What became of the runs of a batch, read from their manifests, the site and the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from fleetslo.errors import OutputError, UnknownName, nearest
from fleetslo.published import read_published_numbers
from fleetslo.reports.page import Page
from fleetslo.reports.scheduling.records import read_record
from fleetslo.reports.site import read_published
from fleetslo.reports.telling.messages import Batch, Failed


def runs(home: Path) -> list[str]:
    """Return the names of all runs that have a manifest, the oldest first."""
    return sorted(path.parent.name for path in (home / "runs").glob("*/manifest.json"))


def newest_run(home: Path) -> str:
    """Return the name of the newest run that has a manifest.

    Raises:
        UnknownName: there is none.
    """
    names = runs(home)
    if not names:
        raise UnknownName(f"nothing has run in {home} yet; 'fleetslo run' makes the reports")
    return names[-1]


def runs_of(home: Path, reports: Sequence[str], as_of: str = "") -> list[str]:
    """Return the runs that were to make any of these reports for a day, the oldest first.

    Without a day it is the newest one that they were made for. Shards of a batch, and attempts
    that an engine started one after the other, are all among them.
    """
    found: list[str] = []
    for name in reversed(runs(home)):
        record = read_record(home, name) or {}
        if set(record.get("planned") or ()) & set(reports) and record["as_of"] == (
            as_of := as_of or record["as_of"]
        ):
            found.append(name)
    return found[::-1]


def read_batch(home: Path, run_ids: Sequence[str], site: str, *, lost: Iterable[str] = ()) -> Batch:
    """Return what became of the runs of a batch: its attempts, or its shards.

    A report that failed in one of them and was made by a later one did not fail. A page that was
    taken over from an earlier run, which published it, is no news.

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
    records = {one: found for one in run_ids if (found := _record(home, one, bool(lost)))}
    entries: dict[str, str] = {}
    failed: dict[str, Failed] = {}
    good: set[str] = set()
    old: set[str] = set()
    for run_id, record in records.items():
        for job in record["jobs"]:
            path = job.get("path") or job["page"]
            entries[path] = job.get("entry") or ""
            failed.pop(path, None)
            if job["outcome"] == "ok":
                good.add(path)
            elif job["outcome"] not in ("cancelled", None):
                failed[path] = _failed(job, run_id)
            if _was_published(home, job.get("reused_from"), run_ids):
                old.add(path)
    named = {one.entry for one in failed.values()}
    said = "its batch failed as a whole; the log of what started it says why"
    nothing = [Failed(name, said, name, run_ids[-1]) for name in lost if name not in named]
    numbers = read_published_numbers(home)
    return Batch(
        run_ids=tuple(run_ids),
        pages=[page for page in _pages(home, run_ids) if page.path not in old],
        failed=[*failed.values(), *nothing],
        told=numbers.filter(pl.col("run_id").is_in(list(run_ids))),
        before=numbers.filter(pl.col("run_id") < min(run_ids)),
        site=site,
        entries=entries,
        good=good,
    )


def _record(home: Path, run_id: str, may_lack: bool) -> Mapping[str, Any] | None:
    path = home / "runs" / run_id / "manifest.json"
    record = read_record(home, run_id)
    if record is None and path.is_file():
        raise OutputError(f"{path}: cannot be read; move it away")
    if record is None and not may_lack:
        known = runs(home)
        raise UnknownName(
            f"there is no run {run_id!r} in {home}.{nearest(run_id, known)} "
            f"The newest is {known[-1] if known else 'none'}"
        )
    return record


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
    return record is None or bool(record.get("release"))


def _failed(job: Mapping[str, Any], run_id: str) -> Failed:
    failure = job.get("failure") or {}
    said = f"{failure.get('error', '')}: {failure.get('message', '')}".strip(": ")
    cell = f"cell {failure['cell']}, " if failure.get("cell") else ""
    says = " ".join(f"{job['outcome']}: {cell}{said}".split()).rstrip(": ")
    return Failed(job["page"], says, job.get("entry") or "", run_id, job.get("path") or "")
