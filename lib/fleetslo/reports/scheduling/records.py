"""What the records of runs say: which reports have been made, for which day."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleetslo.reports.scheduling.groups import Due


def read_record(home: Path, run_id: str) -> dict[str, Any] | None:
    """Return the manifest of a run, or None where it left none that can be read."""
    path = home / "runs" / run_id / "manifest.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) else None


def newest_batches(home: Path) -> list[str]:
    """Return the names of the runs of the schedule that have ended, the newest first."""
    found = []
    for path in sorted((home / "runs").glob("*/manifest.json"), reverse=True):
        record = read_record(home, path.parent.name)
        if record is not None and record.get("planned") and record["outcome"] != "running":
            found.append(path.parent.name)
    return found


class Done:
    """The pages that earlier runs made and published, by day and report."""

    def __init__(self, home: Path) -> None:
        self._made: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._planned: dict[tuple[str, str], int] = {}
        for path in sorted((home / "runs").glob("*/manifest.json")):
            record = read_record(home, path.parent.name)
            if record is not None and record.get("release"):
                self._add(record)

    def _add(self, record: Mapping[str, Any]) -> None:
        for name, pages in record.get("planned", {}).items():
            self._planned[record["as_of"], name] = pages
        for job in record["jobs"]:
            if job["outcome"] == "ok":
                self._made[record["as_of"], job.get("entry", "")].add(job["path"])

    def __contains__(self, due: Due) -> bool:
        """Return whether every page of a group was made for its day, in one run or in several.

        A report that was made for fewer pages than the newest run planned for it is not done.
        """
        keys = [(due.as_of, name) for name in due.group.names]
        return all(
            key in self._planned and len(self._made[key]) >= self._planned[key] for key in keys
        )
