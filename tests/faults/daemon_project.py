"""A project with the demo fleet's warehouse, and daemons over it that can be hurt."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from fault_project import Project

from fleetslo.reports.scheduling.timing import Timing

COMMAND = [sys.executable, "-P", "-c", "from fleetslo.cli import main; main()"]

BERLIN = ZoneInfo("Europe/Berlin")
# Months, so that a run of any day has them; the demo fleet ends on 1 November 2026.
DAILY = "cron: '{cron}', zone: Europe/Berlin, period: 2026-10, retries: 1"


class DaemonProject(Project):
    """A project whose report ``one`` is due every day.

    It was due six hours ago, so that it is not due again while a test runs, at any time of day.
    """

    def __init__(self, folder: Path, warehouse: str) -> None:
        super().__init__(folder)
        self.warehouse = warehouse
        self.hour = (datetime.now(UTC) - timedelta(hours=6)).astimezone(BERLIN).hour
        self.daily = DAILY.format(cron=f"0 {self.hour} * * *")
        self.key = f"0 0 {self.hour} * * * Europe/Berlin"
        self.schedule(f"reports:\n- {{notebook: reports/one, page: one, {self.daily}}}\n")
        self._started: list[subprocess.Popen] = []

    def end(self) -> None:
        """End what a test has left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()

    def schedule(self, text: str) -> None:
        """Write the schedule."""
        (self.folder / "notebooks" / "schedule.yaml").write_text(text)

    def command(self, *words: str) -> subprocess.Popen:
        """Start a command of the tool; what it says goes to ``said.log``."""
        environ = {
            **os.environ,
            "TMPDIR": str(self.scratch),
            "FLEETSLO_HOME": str(self.home),
            "FLEETSLO_WAREHOUSE": self.warehouse,
        }
        with (self.folder / "said.log").open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, *words], cwd=self.folder, env=environ, stdout=log, stderr=log
            )
        self._started.append(process)
        return process

    def daemon(self, *words: str) -> subprocess.Popen:
        """Start a daemon that waits little before it tries again."""
        return self.command("schedule", "--retry-after", "0.1", *words)

    def said(self) -> str:
        """Return what all commands have said."""
        path = self.folder / "said.log"
        return path.read_text() if path.exists() else ""

    def last_due(self, days_ago: int = 0) -> datetime:
        """Return when the report was due last, or so many days before that."""
        now = datetime.now(UTC)
        times = Timing(f"0 {self.hour} * * *", "Europe/Berlin").between(
            now - timedelta(days=days_ago + 2), now
        )
        return list(times)[-1 - days_ago]

    def last_day(self, days_ago: int = 0) -> str:
        """Return the day of that time."""
        return self.last_due(days_ago).astimezone(BERLIN).date().isoformat()

    def settled(self, key: str = "") -> datetime | None:
        """Return up to when a group has run, as the daemon remembers it."""
        path = self.home / "schedule" / "state.json"
        if not path.exists():
            return None
        text = json.loads(path.read_text())["settled_until"].get(key or self.key)
        return text and datetime.fromisoformat(text)

    def untold(self) -> list[dict]:
        """Return the batches of which people are still to be told, as the daemon remembers them."""
        path = self.home / "schedule" / "state.json"
        return json.loads(path.read_text()).get("untold", [])

    def missed(self, days: int) -> None:
        """Let the last daemon have run an hour before the report was due so many days ago."""
        path = self.home / "schedule" / "state.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        then = self.last_due(days) - timedelta(hours=1)
        path.write_text(json.dumps({"format": 1, "settled_until": {self.key: then.isoformat()}}))

    def runs(self) -> list[dict]:
        """Return the manifests of all runs, oldest first."""
        return [
            json.loads(path.read_text())
            for path in sorted((self.home / "runs").glob("*/manifest.json"))
        ]

    def outcomes(self) -> list[tuple[str, str]]:
        """Return day and outcome of each run, oldest first."""
        return [(run["as_of"], run["outcome"]) for run in self.runs()]


def fetch(project: DaemonProject, path: str) -> str:
    """Return what the newest daemon serves under a path."""
    port = re.findall(r"127\.0\.0\.1:(\d+)/metrics", project.said())[-1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
        return answer.read().decode()


def metrics(project: DaemonProject) -> dict[str, float]:
    """Return the figures of the newest daemon by name and labels."""
    lines = [line for line in fetch(project, "metrics").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
