"""How long a run of 1,000 pages takes in which nothing changed, against the run that made them."""

import subprocess
import tempfile
from pathlib import Path

import nbformat
import polars as pl
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.bench.__main__ import TOOL, environ, tell, timed

PARAMETERS = 'service: str = "a"\nperiod: str = "28d"\nas_of: str = ""'


def project(folder: Path, pages: int) -> None:
    """Make a project with a short report for each of so many services."""
    (folder / "fleetslo.toml").touch()
    reports = folder / "notebooks" / "reports"
    reports.mkdir(parents=True)
    (folder / "notebooks" / "schedule.yaml").write_text(
        "reports:\n- {notebook: reports/one, for_each: service}"
    )
    declared = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# One"), declared, new_code_cell("service")]
    nbformat.write(new_notebook(cells=cells), reports / "one.ipynb")
    fleetslo(folder, "demo", "--size", "tiny")
    (catalogue,) = folder.glob("home/warehouse/services/*.parquet")
    known = pl.read_parquet(catalogue)
    names = [f"made-{n:04}" for n in range(pages - known["service"].n_unique())]
    more = [known.head(1).with_columns(service=pl.lit(name)) for name in names]
    pl.concat([known, *more]).write_parquet(catalogue)


def fleetslo(folder: Path, *words: str) -> None:
    """Run the command in a project."""
    given = environ(folder / "home")
    subprocess.run([TOOL, *words], cwd=folder, env=given, check=True, capture_output=True)


def unchanged(pages: int = 1000) -> None:
    """A run in which nothing changed, the whole command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, pages)
        first = timed(lambda: fleetslo(folder, "run"))
        again = timed(lambda: fleetslo(folder, "run"))
    tell(
        f"{pages:,} pages, nothing changed",
        f"{again:.1f} s",
        f"{first / again:.0f} x the first run's rate ({first:.0f} s)",
        "under 5 s",
    )


if __name__ == "__main__":
    unchanged()
