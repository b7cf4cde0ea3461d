"""The records that real runs leave, as the command line makes them."""

import json

import pytest

from fleetslo.cli import run

PARAMETERS = 'service: str = "a"  # which\nperiod: str = "28d"  # how far back\nas_of: str = ""\n'


@pytest.fixture
def own(project, tiny, monkeypatch):
    """A project with one small report of each service, on the tiny fleet, in a home of its own."""
    project.notebook("reports/one", PARAMETERS, "print(service)")
    schedule = project.folder / "notebooks" / "schedule.yaml"
    schedule.write_text("reports:\n- {notebook: reports/one, for_each: service}")
    monkeypatch.setenv("FLEETSLO_HOME", str(project.folder / "home"))
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{tiny / 'warehouse'}")
    return project


def records(project):
    paths = sorted((project.folder / "home" / "runs").glob("*/manifest.json"))
    return [json.loads(path.read_text()) for path in paths]


def test_a_run_says_what_began_it(own):
    assert run(["run"]) == 0
    assert run(["run", "--trigger", "backfill", "--attempt", "3"]) == 0
    began = [(one["trigger"], one["attempt"]) for one in records(own)]
    assert sorted(began) == [("backfill", 3), ("manual", 1)]
    assert run(["run", "--trigger", "nonsense"]) == run(["run", "--attempt", "0"]) == 2
