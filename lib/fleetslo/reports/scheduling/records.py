"""What the records of runs say: which reports have been made, for which day."""

from collections import defaultdict
from pathlib import Path

from fleetslo.reports.records.model import RunRecord
from fleetslo.reports.records.reading import records
from fleetslo.reports.scheduling.groups import Due


def newest_batch(home: Path) -> RunRecord | None:
    """Return the newest run of the schedule that has ended, or None."""
    ended = (one for one in records(home) if one.planned and one.outcome != "running")
    return next(ended, None)


class Done:
    """The pages that earlier runs made and published, by day and report."""

    def __init__(self, home: Path) -> None:
        self._made: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._planned: dict[tuple[str, str], int] = {}
        for record in records(home):
            if record.publication:
                self._add(record)

    def _add(self, record: RunRecord) -> None:
        for name, pages in record.planned.items():
            self._planned.setdefault((record.as_of, name), pages)
        for job in record.jobs:
            if job.outcome == "ok":
                self._made[record.as_of, job.entry].add(job.path)

    def __contains__(self, due: Due) -> bool:
        """Return whether every page of a group was made for its day, in one run or in several.

        A report that was made for fewer pages than the newest run planned for it is not done.
        """
        keys = [(due.as_of, name) for name in due.group.names]
        return all(
            key in self._planned and len(self._made[key]) >= self._planned[key] for key in keys
        )
