"""The code of a report notebook, run on a fleet that the test holds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from fleetslo.fleet import Fleet
from fleetslo.reports.jobs import Job, Silent
from fleetslo.reports.notebooks import Notebook, find_notebook, source
from fleetslo.reports.questions import ask_beforehand
from fleetslo.reports.schedule import plan_jobs, read_schedule
from fleetslo.reports.scheduling.subjects import Subjects
from fleetslo.settings import load_settings
from fleetslo.warehouse.base import Warehouse
from fleetslo.warehouse.extracts import Extracts, extracted


class Recording(Extracts):
    """The answers of a batch to one notebook, and the names of what it asked."""

    def __init__(self, folder: Path, report: str, warehouse: Warehouse) -> None:
        super().__init__(folder, report, warehouse=warehouse)
        self.names: set[str] = set()

    def query(self, name: str, **parameters: Any) -> pl.DataFrame:
        self.names.add(name)
        return super().query(name, **parameters)


def run(notebook: Notebook, parameters: Mapping[str, Any], fleet: Fleet) -> None:
    """Run a notebook's code, with this fleet for the one that it would open."""
    names: dict[str, Any] = {"fleet_given": fleet}
    for cell in notebook.cells:
        if cell["cell_type"] == "code":
            code = source(cell).replace("fs.open_fleet()", "fleet_given")
            exec(code, names)  # noqa: S102 - our own notebook
            if "parameters" in cell["metadata"].get("tags", []):
                names.update(parameters)


def jobs_of(fleet: Fleet, as_of: datetime, only: Sequence[str] = ()) -> list[Job]:
    """Return the jobs of the packaged schedule."""
    day = f"{as_of:%Y-%m-%d}"
    return plan_jobs(read_schedule(), as_of=day, subjects=Subjects(fleet, day), only=only)


def batch(home: Path, warehouse: Warehouse, only: Sequence[str] = ()) -> dict[str, set[str]]:
    """Run a batch in this process; return the names of what each notebook asked."""
    settings = load_settings({"home": home}).settings
    asked: dict[str, set[str]] = {}
    with extracted(home, warehouse, "run") as extracts:
        fleet = Fleet(settings, extracts)
        jobs = jobs_of(fleet, fleet.last_day, only)
        ask_beforehand(jobs, fleet, extracts, settings, Silent(), lambda _: None)
        for job in jobs:
            of_notebook = Recording(extracts.folder, job.notebook, warehouse)
            run(find_notebook(job.notebook), job.parameters, Fleet(settings, of_notebook))
            asked.setdefault(job.notebook, set()).update(of_notebook.names)
    return asked
