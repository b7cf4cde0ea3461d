from pathlib import Path

import pytest

from fleetslo import resources
from fleetslo.errors import SettingsError
from fleetslo.settings import load_settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleetslo.toml").write_text("jobs = 3\ncoverage_minimum = 0.8\n")
    return tmp_path


def test_later_sources_win_and_each_is_named(project: Path) -> None:
    loaded = load_settings({"jobs": 5}, {"FLEETSLO_COVERAGE_MINIMUM": "0.7", "HOME": "/x"})
    assert loaded.settings.jobs == 5
    assert loaded.settings.coverage_minimum == 0.7
    assert loaded.origins["jobs"] == "flag"
    assert loaded.origins["coverage_minimum"] == "FLEETSLO_COVERAGE_MINIMUM"
    assert loaded.origins["at_risk_budget_left"] == "default"
    assert load_settings({"jobs": None}, {}).origins["jobs"] == "fleetslo.toml"


def test_the_warehouse_lies_in_the_home_folder_unless_told(project: Path) -> None:
    inner = project / "notebooks" / "explore"
    inner.mkdir(parents=True)
    settings = load_settings({}, {}).settings
    assert settings.home == project / ".fleetslo"
    assert settings.warehouse == f"duckdb://{project.resolve()}/.fleetslo/warehouse"
    moved = load_settings({}, {"FLEETSLO_HOME": str(project / "elsewhere")}).settings
    assert moved.warehouse.endswith("/elsewhere/warehouse")


def test_a_project_is_found_from_a_folder_inside_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project / "notebooks" / "explore"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert load_settings({}, {}).settings.home == project / ".fleetslo"


@pytest.mark.parametrize(
    ("flags", "environ", "says"),
    [
        ({}, {"FLEETSLO_JOBZ": "2"}, "Did you mean 'jobs'"),
        ({}, {"FLEETSLO_JOBS": "none"}, "FLEETSLO_JOBS: setting 'jobs' is 'none'"),
        ({"coverage_minimum": 2}, {}, "flag: setting 'coverage_minimum' is 2"),
    ],
)
def test_a_wrong_setting_is_named_with_its_origin(
    project: Path, flags: dict[str, object], environ: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        load_settings(flags, environ)


def test_a_broken_file_is_named(project: Path) -> None:
    (project / "fleetslo.toml").write_text("jobs = = 3")
    with pytest.raises(SettingsError, match=r"fleetslo\.toml: not valid TOML"):
        load_settings({}, {})


def test_the_projects_files_hide_the_packaged_ones(project: Path) -> None:
    packaged = resources.find("queries", "tables/requests.yaml")
    assert packaged is not None
    own = project / "queries" / "tables" / "requests.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("table: requests\n")
    assert resources.find("queries", "tables/requests.yaml") == own
    names = [name for name, _ in resources.listing("queries", "tables/*.yaml")]
    assert names.count("tables/requests.yaml") == 1
    assert "tables/services.yaml" in names


def test_a_name_cannot_climb_out_of_its_folder(project: Path) -> None:
    assert resources.find("queries", "../fleetslo.toml") is None
