"""When reports were last made, as the records of runs say it, for a daemon that starts."""

from collections import defaultdict
from datetime import datetime
from pathlib import Path

from fleetslo.reports.scheduling.records import read_record

_MOST = 1000
"""Runs that are looked at; of a report that none of them made it is not known."""


def last_successes(home: Path) -> dict[str, datetime]:
    """Return by the name of a report when all pages of one of its days were last published.

    They may come from several runs: attempts, or shards.
    """
    made: dict[tuple[str, str], set[str]] = defaultdict(set)
    ended: dict[tuple[str, str], datetime] = {}
    found: dict[str, datetime] = {}
    names = sorted((path.name for path in (home / "runs").glob("2*")), reverse=True)
    for run_id in names[:_MOST]:
        record = read_record(home, run_id) or {}
        if not record.get("release") or not record.get("ended_at"):
            continue
        for job in record["jobs"]:
            if job["outcome"] == "ok":
                made[record["as_of"], job.get("entry", "")].add(job["path"])
        for name, pages in record.get("planned", {}).items():
            key = (record["as_of"], name)
            ended.setdefault(key, datetime.fromisoformat(record["ended_at"]))
            if len(made[key]) >= pages:
                found[name] = max(found.get(name, ended[key]), ended[key])
    return found
