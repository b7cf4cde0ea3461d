"""A project with small reports, and batches of them in processes that can be hurt."""

import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'service: str = "a"\nperiod: str = "28d"\nas_of: str = ""'

RUN = """
import sys
from fleetslo.errors import FleetsloError
from fleetslo.reports.batch import run_batch
from fleetslo.reports.schedule import plan_jobs, read_schedule
from fleetslo.settings import load_settings

jobs = plan_jobs(read_schedule(), as_of=sys.argv[1], subjects=lambda entry: sys.argv[2:])
try:
    run_batch(jobs, load_settings({"jobs": 2}).settings)
except FleetsloError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""

# Leaves its process id behind, and a child's, then goes on for longer than any test.
LINGER = """
import os, subprocess, time
from pathlib import Path
child = subprocess.Popen(["sleep", "600"])
Path(f"{service}.pid").write_text(f"{os.getpid()} {os.getppid()} {child.pid}")
time.sleep(600)
"""


class Project:
    """A project folder with one report that is made for each service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / ".fleetslo"
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        (folder / "fleetslo.toml").write_text("")
        (folder / "notebooks" / "reports").mkdir(parents=True)
        (folder / "notebooks" / "schedule.yaml").write_text(
            "reports:\n- {notebook: reports/one, for_each: service}"
        )
        self.report("service")

    def report(self, *cells: str) -> None:
        """Write the report: a title, its parameters and these cells."""
        declared = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        code = [new_code_cell(text) for text in cells]
        document = new_notebook(cells=[new_markdown_cell("# One"), declared, *code])
        nbformat.write(document, self.folder / "notebooks" / "reports" / "one.ipynb")

    def start(self, as_of: str, *services: str) -> subprocess.Popen:
        """Start a batch in a process of its own."""
        command = [sys.executable, "-c", RUN, as_of, *services]
        environ = {**os.environ, "TMPDIR": str(self.scratch)}
        return subprocess.Popen(
            command, cwd=self.folder, env=environ, stderr=subprocess.PIPE, text=True
        )

    def run(self, as_of: str, *services: str) -> tuple[int, str]:
        """Run a batch to its end; return exit code and message."""
        process = self.start(as_of, *services)
        _, said = process.communicate(timeout=120)
        return process.returncode, said

    def site(self) -> dict[str, bytes]:
        """Return every published file by its path."""
        current = (self.home / "site" / "current").resolve()
        return {
            path.relative_to(current).as_posix(): path.read_bytes()
            for path in current.rglob("*")
            if path.is_file()
        }

    def pids(self, *services: str) -> list[int]:
        """Return kernel, worker and child of the lingering reports, once all of them run."""
        found = []
        for service in services:
            path = self.folder / f"{service}.pid"
            wait_for(lambda path=path: path.is_file() and len(path.read_text().split()) == 3)
            found += [int(pid) for pid in path.read_text().split()]
        return found


def wait_for(met, seconds: float = 60.0) -> None:
    """Wait until a condition is met, and fail when it never is."""
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def gone(pid: int) -> bool:
    """Return whether a process has ended; one that nobody has waited for has, too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
