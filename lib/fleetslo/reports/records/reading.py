"""The records of runs in a home folder: which there are, and what each says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fleetslo.errors import OutputError, UnknownName, nearest
from fleetslo.reports.records.model import FORMAT, RunRecord

LATEST = "latest"
"""Names the newest run."""
PREVIOUS = "previous"
"""Names the one before it."""
_MOST_NAMED = 5


def runs_folder(home: Path) -> Path:
    """Return the folder with a folder per run."""
    return home / "runs"


def record_path(home: Path, run_id: str) -> Path:
    """Return the file with the record of a run."""
    return runs_folder(home) / run_id / "manifest.json"


def run_ids(home: Path) -> list[str]:
    """Return the names of the runs that left a record, the newest first."""
    found = [path.parent.name for path in runs_folder(home).glob("*/manifest.json")]
    return sorted(found, reverse=True)


def read_run(home: Path, run_id: str) -> RunRecord:
    """Return the record of a run; one that format 1 was written in is understood, too.

    Raises:
        OutputError: there is none, it is damaged, or a newer fleetslo wrote it.
    """
    path = record_path(home, run_id)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict):
            raise ValueError("it is no object")
        written = stored.get("format")
        if written == 1:
            stored = _from_format_1(stored, datetime.fromtimestamp(path.stat().st_mtime, UTC))
        elif written != FORMAT:
            raise ValueError(f"written by another fleetslo, in format {written!r}; upgrade")
        return RunRecord.model_validate(stored)
    except FileNotFoundError:
        raise OutputError(f"{path}: there is no such record") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(map(str, first["loc"]))
        raise OutputError(f"{path}: cannot be read ({at}: {first['msg']})") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        said = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be read ({said})") from None


def read_record(home: Path, run_id: str) -> RunRecord | None:
    """Return the record of a run, or None where it left none that can be read."""
    try:
        return read_run(home, run_id)
    except OutputError:
        return None


def records(home: Path) -> Iterator[RunRecord]:
    """Yield the records that can be read, the newest first."""
    for run_id in run_ids(home):
        record = read_record(home, run_id)
        if record is not None:
            yield record


def find_run(home: Path, text: str) -> str:
    """Return the name of a run: ``latest``, ``previous``, a name, or the beginning of just one.

    Raises:
        UnknownName: nothing has run yet, no run is called so, or several begin so.
    """
    known = run_ids(home)
    if not known:
        raise UnknownName(f"nothing has run in {home} yet; 'fleetslo run' makes the reports")
    if text == LATEST:
        return known[0]
    if text == PREVIOUS:
        if len(known) == 1:
            raise UnknownName(f"{known[0]} is the only run in {home}; there is none before it")
        return known[1]
    if text in known:
        return text
    found = [name for name in known if text and name.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        more = ", …" if len(found) > _MOST_NAMED else ""
        raise UnknownName(
            f"{len(found)} runs in {home} begin with {text!r}: "
            f"{', '.join(found[:_MOST_NAMED])}{more}; write more of the name"
        )
    raise UnknownName(
        f"there is no run {text!r} in {home}.{nearest(text, known)} The newest is {known[0]}"
    )


def _from_format_1(stored: dict[str, Any], changed_at: datetime) -> dict[str, Any]:
    """Return a record of format 1 in the present form; what was not written then is unknown."""
    release = stored.get("release")
    outcome = stored.get("outcome")
    return {
        **stored,
        "format": FORMAT,
        # It held no lock, so nobody would call it killed.
        "outcome": "killed" if outcome == "running" else outcome,
        "written_at": changed_at,
        "publication": {"release": release} if release else None,
        "jobs": [_job_from_format_1(job) for job in stored["jobs"]] if "jobs" in stored else [],
    }


def _job_from_format_1(job: dict[str, Any]) -> dict[str, Any]:
    start, _, end = str(job.get("period") or "").partition("/")
    known = {name: value for name, value in job.items() if value is not None}
    return {**known, "interval": {"start": start, "end": end} if end else None}
