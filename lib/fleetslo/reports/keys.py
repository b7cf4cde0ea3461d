"""The key of a job: two jobs with the same key give the same page.

It covers the notebook, the code of fleetslo and of the project, the versions of all that is
installed, the parameters, the period, the settings that change a number or a page, and the data. A
change anywhere in the warehouse changes it: what a notebook reads after the end of its period
(freshness, late data, services that came later) cannot be told from outside of it.

The ledger of published numbers is left out: what it holds for the same data came of this very
page, and a page must not differ because its own numbers were published.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from fleetslo.reports.jobs import Job
from fleetslo.resources import folders
from fleetslo.settings import Settings
from fleetslo.warehouse.base import Warehouse

# Settings that change neither a number nor a page: where things lie, how much is used, kept, paid.
_APART = {
    "project", "home", "jobs", "batch", "report", "page", "engine", "publish", "storage_endpoint",
    "notebook_timeout_s", "cell_timeout_s", "notebook_memory_mib", "keep_releases",
    "keep_releases_days", "keep_runs_days", "keep_days", "price_per_tib", "batch_bytes_limit",
    "bigquery_bytes_limit", "result_bytes_limit", "rollup_horizon_days",
}  # fmt: skip
_CODE = {".py", ".sql", ".yaml", ".yml", ".css", ".js", ".html", ".j2", ".svg", ".json"}


def keyed(jobs: Sequence[Job], settings: Settings, warehouse: Warehouse) -> list[Job]:
    """Return the same jobs, each with its key; without one where nothing tells.

    That is so where the warehouse cannot say whether its data changed, and for a job with a secret:
    what a secret opens may differ each time.
    """
    data = warehouse.fingerprint()
    if not data:
        return list(jobs)
    apart = settings.model_dump(mode="json", exclude=_APART)
    same = _digest(data, code_mark(settings.project), lock_mark(), apart)
    notebooks = {source: _notebook_mark(source) for source in {job.source for job in jobs}}
    return [replace(job, key=_key(job, same, notebooks[job.source])) for job in jobs]


def _key(job: Job, same: str, notebook: str) -> str:
    if any(isinstance(value, SecretStr) for value in job.parameters.values()):
        return ""
    parameters = {
        name: [type(value).__name__, value.isoformat() if isinstance(value, date) else value]
        for name, value in job.parameters.items()
    }
    about = [job.notebook, job.page, job.path, job.service, job.squad, job.period, job.as_of]
    return _digest(same, notebook, about, parameters)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _notebook_mark(path: Path) -> str:
    """Return a digest of a notebook's text and metadata; outputs and counts are left out."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    cells = [[cell["cell_type"], cell["source"], cell.get("metadata")] for cell in stored["cells"]]
    return _digest(cells, stored.get("metadata"))


def code_mark(project: Path) -> str:
    """Return a digest of fleetslo's files, of the questions and objectives, and of own modules."""
    told = hashlib.sha256()
    package = Path(__file__).parents[1]
    roots = [package, *folders("queries")]
    found: list[Iterable[Path]] = [root.rglob("*") for root in roots]
    found += [project.glob("*.py"), *(root.rglob("*.py") for root in folders("notebooks"))]
    for paths in found:
        for path in sorted(paths):
            if path.suffix in _CODE and path.is_file():
                told.update(f"{path}\n".encode())
                told.update(hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()


@cache
def installed() -> dict[str, str]:
    """Return the version of every installed package, by name."""
    found = {one.name: one.version for one in distributions() if one.name}
    return dict(sorted(found.items()))


@cache
def lock_mark() -> str:
    """Return a digest of Python's version and of every installed package's."""
    return _digest(sys.version, [f"{name}=={version}" for name, version in installed().items()])
