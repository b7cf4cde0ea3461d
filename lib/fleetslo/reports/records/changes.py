"""What differs between two runs, from their records."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from fleetslo.reports.records.model import JobRecord, RunRecord

SLOWER_SHARE = 0.2
"""A duration counts as changed from this much on, of the one before."""


@dataclass(frozen=True)
class Change:
    """One thing that differs; ``before`` or ``after`` is None where it was not there.

    ``of`` is what it belongs to: ``run``, ``version``, ``data`` or ``report``.
    """

    of: str
    what: str
    before: object
    after: object


def changes(before: RunRecord, after: RunRecord) -> list[Change]:
    """Return what differs: of the run, of versions, of the data, then of each report."""
    return [
        *_of_run(before, after),
        *_of_versions(before, after),
        *_of_data(before, after),
        *_of_jobs(before, after),
    ]


def _unlike(
    of: str, before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = ""
) -> Iterator[Change]:
    """Yield a change for each name whose values differ."""
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one != other:
            yield Change(of, f"{prefix}{name}", one, other)


def _of_run(before: RunRecord, after: RunRecord) -> Iterator[Change]:
    def facts(record: RunRecord) -> dict[str, Any]:
        host = record.host
        return {
            "trigger": record.trigger,
            "as of": record.as_of or None,
            "outcome": record.outcome,
            "failure": record.failure.message if record.failure else None,
            "code": record.code_sha256 and record.code_sha256[:12],
            "host": host and host.name,
            "cpus": host and host.cpu_count,
            "reports": len(record.jobs),
            "bytes read": record.bytes_read,
        }

    yield from _unlike("run", facts(before), facts(after))
    if _is_slower(before.duration_s, after.duration_s):
        yield Change("run", "duration", _seconds(before.duration_s), _seconds(after.duration_s))


def _of_versions(before: RunRecord, after: RunRecord) -> Iterator[Change]:
    def versions(record: RunRecord) -> dict[str, str]:
        host = record.host
        known = {"fleetslo": record.fleetslo}
        return {**known, "python": host.python, **host.versions, **known} if host else known

    one, other = versions(before), versions(after)
    if before.host is None or after.host is None:  # an old record does not know of any more
        one, other = ({"fleetslo": found["fleetslo"]} for found in (one, other))
    yield from _unlike("version", one, other)


def _of_data(before: RunRecord, after: RunRecord) -> Iterator[Change]:
    def facts(record: RunRecord) -> dict[str, Any]:
        if record.data is None:
            return {}
        return {
            "warehouse": record.data.warehouse,
            "stored data": record.data.fingerprint[:12] or None,
            "complete until": _moment(record.data.complete_until),
            **{f"{one.table} until": _moment(one.newest_at) for one in record.data.tables},
        }

    yield from _unlike("data", facts(before), facts(after))


def _of_jobs(before: RunRecord, after: RunRecord) -> Iterator[Change]:
    """Yield what differs page by page; what a whole report has in common is one change."""
    one, other = _by_page(before), _by_page(after)
    gone, new = _alone(one, other), _alone(other, one)
    yield from (Change("report", entry, f"{count} pages", None) for entry, count in gone.items())
    yield from (Change("report", entry, None, f"{count} pages") for entry, count in new.items())
    for name in dict.fromkeys([*one, *other]):
        job, then = one.get(name), other.get(name)
        if job is not None and then is not None:
            yield from _of_job(name, job, then)
        elif (found := job or then) and found.entry not in {*gone, *new}:
            told = found.outcome or "not ended"
            yield Change("report", name, job and told, then and told)
    yield from _of_durations(one, other)


def _alone(one: Mapping[str, JobRecord], other: Mapping[str, JobRecord]) -> dict[str, int]:
    """Return the reports of several pages of which the other run has none, and how many."""
    there = {job.entry for job in other.values()}
    counts = Counter(job.entry for job in one.values() if job.entry not in there)
    return {entry: count for entry, count in counts.items() if count > 1}


def _of_durations(
    before: Mapping[str, JobRecord], after: Mapping[str, JobRecord]
) -> Iterator[Change]:
    """Yield how long reports took whose pages ran in both runs, the median of each."""
    took: dict[str, dict[str, tuple[float, float]]] = {}
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        if one.duration_s and other.duration_s and not (one.reused_from or other.reused_from):
            took.setdefault(one.entry, {})[name] = (one.duration_s, other.duration_s)
    for entry, pages in sorted(took.items()):
        what = f"{entry}: duration, median of {len(pages)} pages"
        if len(pages) == 1:
            what = f"{next(iter(pages))}: duration"
        first = median(then for then, _ in pages.values())
        last = median(now for _, now in pages.values())
        if _is_slower(first, last):
            yield Change("report", what, _seconds(first), _seconds(last))


def _by_page(record: RunRecord) -> dict[str, JobRecord]:
    """Return the jobs by page; one that several entries make is told apart by its entry."""
    pages = [job.page for job in record.jobs]
    return {
        job.page if pages.count(job.page) == 1 else f"{job.page} ({job.entry})": job
        for job in record.jobs
    }


def _of_job(name: str, before: JobRecord, after: JobRecord) -> Iterator[Change]:
    def facts(job: JobRecord) -> dict[str, Any]:
        return {
            "outcome": job.outcome,
            "failure": job.failure and f"{job.failure.error}: {job.failure.message}"[:200],
            "notebook": job.notebook_sha256 and job.notebook_sha256[:12],
            "interval": job.interval
            and f"{_moment(job.interval.start)} to {_moment(job.interval.end)}",
            "verdict": job.verdict,
        }

    at = f"{name}: "
    yield from _unlike("report", facts(before), facts(after), at)
    # Where periods end is what the run was asked for, and is told once.
    given, then = (
        {key: value for key, value in job.parameters.items() if key != "as_of"}
        for job in (before, after)
    )
    yield from _unlike("report", given, then, f"{at}parameter ")
    if before.outcome == after.outcome == "ok":
        yield from _unlike("report", before.headline, after.headline, at)


def _is_slower(before: float, after: float) -> bool:
    """Return whether a duration changed, either way, by as much as is worth telling."""
    return abs(after - before) >= SLOWER_SHARE * before and before != after


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _moment(value: datetime | None) -> str | None:
    return f"{value:%Y-%m-%d %H:%M}" if value else None
