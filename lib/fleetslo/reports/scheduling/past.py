"""When reports were last made, as the records of runs say it, for a daemon that starts."""

from collections import defaultdict
from datetime import datetime
from itertools import islice
from pathlib import Path

from fleetslo.reports.records.reading import records

_MOST = 1000
"""Runs that are looked at; of a report that none of them made it is not known."""


def last_successes(home: Path) -> dict[str, datetime]:
    """Return by the name of a report when all pages of one of its days were last published.

    They may come from several runs: attempts, or shards.
    """
    made: dict[tuple[str, str], set[str]] = defaultdict(set)
    ended: dict[tuple[str, str], datetime] = {}
    found: dict[str, datetime] = {}
    for record in islice(records(home), _MOST):
        if record.publication is None or record.ended_at is None:
            continue
        good = [job for job in record.jobs if job.outcome == "ok"]
        for job in good:
            made[record.as_of, job.entry].add(job.path)
        for name in {job.entry for job in good} & record.planned.keys():
            key = (record.as_of, name)
            ended.setdefault(key, record.ended_at)
            if len(made[key]) >= record.planned[name]:
                found[name] = max(found.get(name, ended[key]), ended[key])
    return found
