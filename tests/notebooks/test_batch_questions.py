"""What the scheduled notebooks ask in a batch is what they declare, no more and no less."""

from pathlib import Path

import pytest
from tests.notebooks.asked_notebooks import batch

from fleetslo.reports.notebooks import find_notebook
from fleetslo.reports.questions import declared
from fleetslo.resources import packaged
from fleetslo.settings import load_settings
from fleetslo.warehouse.base import open_warehouse

# Of the demo's objectives, one by slices and one with excluded minutes; the tiny fleet lacks theirs.
MOVED = {"search-query": "playlist-indexer", "ads-decision": "checkout"}


@pytest.fixture
def demo_objectives(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with the demo's objectives, written for services that the tiny fleet has."""
    (tmp_path / "fleetslo.toml").write_text("")
    own = tmp_path / "queries" / "objectives"
    own.mkdir(parents=True)
    for path in (packaged("queries") / "objectives" / "demo").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for theirs, ours in MOVED.items():
            text = text.replace(f"service: {theirs}", f"service: {ours}")
            text = text.replace(f"[{theirs}]", f"[{ours}]")
        (own / path.name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("demo_objectives")
def test_every_question_is_declared_and_every_declaration_is_used(tmp_path: Path) -> None:
    asked = batch(tmp_path / "home", open_warehouse(load_settings().settings.warehouse))
    assert set(asked) == {
        "reports/fleet_overview", "reports/service_slo", "reports/squad_review",
    }  # fmt: skip
    for name, names in asked.items():
        # One that is not declared would have raised.
        assert names == {one.name for one in declared(find_notebook(name))}, name
