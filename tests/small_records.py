"""Records of runs that never were, as a run would have left them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fleetslo.files import write_file
from fleetslo.reports.records.model import RunRecord
from fleetslo.reports.records.reading import record_path


def write_record(
    home: Path, run_id: str, jobs: Sequence[Mapping[str, Any]], **fields: Any
) -> RunRecord:
    """Write the record of a run; of each job what is not given is plain.

    ``release`` is that of the home's site.
    """
    release = fields.pop("release", None)
    at = datetime(2026, 11, 2, 6, tzinfo=UTC)
    given = {
        "fleetslo": "0.1.0",
        "run_id": run_id,
        "outcome": "ok",
        "started_at": at,
        "written_at": at,
        "ended_at": at,
        "duration_s": 0.0,
        "publication": {"release": release} if release else None,
        "jobs": [_job(job) for job in jobs],
        **fields,
    }
    record = RunRecord.model_validate(given)
    write_file(record_path(home, run_id), record.model_dump_json(indent=1))
    return record


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    path = job.get("path") or f"{job.get('page')}.html"
    return {"page": path.removesuffix(".html"), "path": path, "notebook": "reports/one", **job}
