"""An exported schedule in a real Airflow: it is imported, run, retried, and makes the same site."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.listening import Hook, listening
from tests.site.comparing import fields_of, site_differences

from fleetslo.reports.schedule import read_schedule
from fleetslo.reports.scheduling.exports.files import files_for
from fleetslo.reports.scheduling.exports.parts import Surroundings
from fleetslo.reports.scheduling.groups import groups_of

ROOT = Path(__file__).parents[2]
AIRFLOW = ROOT / ".fleetslo" / "airflow"

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(580),
    pytest.mark.skipif(not (AIRFLOW / "bin/airflow").exists(), reason="no Airflow: make airflow"),
    pytest.mark.xdist_group("runs-notebooks"),
]


class Dags:
    """A project folder whose schedule an Airflow of its own runs."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "my project"
        self.program = self.project / ".venv" / "bin" / "fleetslo"
        self.program.parent.mkdir(parents=True)
        (self.project / "notebooks").mkdir()
        (self.project / "fleetslo.toml").write_text("")
        self.home = folder / "airflow"
        (self.home / "dags").mkdir(parents=True)
        self.environ = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }

    def write(self, schedule: str, program: str, shards: int = 1) -> None:
        """Write the schedule, its DAGs, and what is run as fleetslo."""
        path = self.project / "notebooks" / "schedule.yaml"
        path.write_text(schedule)
        self.program.write_text(program)
        self.program.chmod(0o755)
        groups = groups_of(read_schedule(path))
        files = files_for("airflow", groups, Surroundings(str(self.project), "x", shards, True))
        for name, text in files.items():
            (self.home / "dags" / name).write_text(text)
        self.airflow("db", "migrate")

    def airflow(self, *words: str, code: int = 0) -> str:
        """Run a command of Airflow and return what it says."""
        done = subprocess.run(
            [str(AIRFLOW / "bin/airflow"), *words],
            env=self.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def dags(tmp_path: Path) -> Dags:
    return Dags(tmp_path)


def test_a_dag_runs_its_shards_and_then_tells_once(dags: Dags) -> None:
    hostile = "10%_of$HOME;{{x}}$(reboot)"
    dags.write(
        "reports:\n"
        "- {notebook: reports/x, name: tokyo, cron: '30 5 * * mon', zone: Asia/Tokyo, retries: 0}\n"
        f"- {{notebook: reports/x, name: '{hostile}', every: month, retries: 0}}\n",
        # Each command leaves a file; that of the second shard fails.
        '#!/bin/sh\nfor last; do :; done\nprintf "%s\\n" "$@" > "said-$1${last%/*}"\n'
        '[ "$last" != 2/2 ] || [ ! -e fails ]\n',
        shards=2,
    )
    # 05:30 in Tokyo on Monday, 2 November, is still Sunday in UTC.
    dags.airflow("dags", "test", "fleetslo-tokyo", "2026-11-01T20:30:00+00:00")
    words = {path.name: path.read_text().splitlines() for path in dags.project.glob("said-*")}
    day = ["--as-of", "2026-11-02", "--only", "tokyo"]
    assert words == {
        "said-run1": ["run", "--trigger", "export", *day, "--shard", "1/2"],
        "said-run2": ["run", "--trigger", "export", *day, "--shard", "2/2"],
        "said-telltokyo": ["tell", *day],
    }
    for path in dags.project.glob("said-*"):
        path.unlink()
    # A shard that fails fails the run, and people are told all the same.
    (dags.project / "fails").touch()
    listed = json.loads(dags.airflow("dags", "list", "-o", "json").splitlines()[-1])
    (name,) = [one["dag_id"] for one in listed if one["dag_id"] != "fleetslo-tokyo"]
    said = dags.airflow("dags", "test", name, "2026-11-01T06:00:00+00:00", code=1)
    assert "DagRun failed" in said
    words = {path.name: path.read_text().splitlines() for path in dags.project.glob("said-*")}
    assert {one[one.index("--only") + 1] for one in words.values()} == {hostile}
    assert sorted(one[0] for one in words.values()) == ["run", "run", "tell"]


def test_the_site_that_airflow_makes_is_that_of_a_run_by_hand(
    dags: Dags, tmp_path: Path, tiny_home: Path
) -> None:
    environ = {
        **os.environ,
        "FLEETSLO_WAREHOUSE": f"duckdb://{tiny_home}/warehouse",
        "FLEETSLO_HOME": str(tmp_path / "by hand"),
    }
    python = f"'{sys.executable}' -P -c 'from fleetslo.cli import main; main()'"
    with listening() as hook:
        dags.write(
            "reports:\n"
            "- {notebook: reports/fleet_overview, every: month, period: 28d}\n"
            "- {notebook: reports/squad_review, every: month, period: 28d, for_each: squad}\n",
            "#!/bin/sh\n"
            f"export PYTHONPATH='{os.environ.get('PYTHONPATH', '')}'\n"
            f"export FLEETSLO_WAREHOUSE='{environ['FLEETSLO_WAREHOUSE']}'\n"
            f"export FLEETSLO_HOME='{tmp_path / 'by airflow'}' HOOK='{_address(hook)}'\n"
            f'exec {python} "$@"\n',
        )
        (dags.project / "notebooks" / "recipients.yaml").write_text(
            "recipients: {all: {fleet: true, webhook: '${HOOK}'}}"
        )
        dags.airflow("dags", "test", "fleetslo-fleet-overview", "2026-11-01T06:00:00+00:00")
        told = hook.texts
    subprocess.run(
        [sys.executable, "-P", "-c", "from fleetslo.cli import main; main()", "run", "--as-of", "2026-11-01"],
        cwd=dags.project, env=environ, check=True, capture_output=True,
    )  # fmt: skip
    sites = [tmp_path / name / "site" / "current" for name in ("by airflow", "by hand")]
    runs = [site.resolve().name for site in sites]
    pages = sorted(sites[0].rglob("*.html"))
    assert sum(fields_of(page.read_text()) for page in pages) > 1000
    assert site_differences(*sites, {runs[1]: runs[0]}) == []
    assert len(told) == 1


def _address(hook: Hook) -> str:
    return f"http://127.0.0.1:{hook.server_port}/"
