"""The rules that every notebook keeps (see CONTRIBUTING, "Notebooks")."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
TYPES = {"str", "int", "float", "bool", "list[str]", "date"}


def cells(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "text": "".join(cell["source"])} for cell in found]


def code(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    names = {path.stem for path in NOTEBOOKS}
    assert {"service_slo", "fleet_overview", "explore_latency"} <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_it_opens_with_its_title_and_its_question(self, path: Path) -> None:
        first = cells(path)[0]
        assert first["cell_type"] == "markdown"
        lines = [line for line in first["text"].splitlines() if line.strip()]
        assert lines[0].startswith("# ")
        assert len(lines) == 2
        assert lines[1].count("?") == 1
        assert lines[1].endswith("?")

    def test_its_parameters_are_typed_and_explained(self, path: Path) -> None:
        second = cells(path)[1]
        assert second["metadata"]["tags"] == ["parameters"]
        for line in second["text"].splitlines():
            match = re.fullmatch(r"(\w+): ([\w\[\]]+) = (.+?)  # (.+)", line)
            assert match, line
            assert match[2] in TYPES, line
            ast.literal_eval(match[3])

    def test_a_cell_is_short_and_holds_no_machinery(self, path: Path) -> None:
        for cell in code(path):
            lines = [line for line in cell["text"].splitlines() if line.strip()]
            assert len(lines) <= 8, cell["text"]
            for node in ast.walk(ast.parse(cell["text"])):
                assert not isinstance(
                    node,
                    ast.FunctionDef
                    | ast.ClassDef
                    | ast.For
                    | ast.While
                    | ast.Lambda
                    | ast.ListComp,
                ), cell["text"]
                if isinstance(node, ast.Import | ast.ImportFrom):
                    assert "plotly" not in ast.unparse(node)
            assert not re.search(r"\bSELECT\b.*\bFROM\b", cell["text"], re.S)

    def test_every_view_is_introduced_and_the_sources_come_last(self, path: Path) -> None:
        found = cells(path)
        assert found[-1]["cell_type"] == "code"
        assert "sources" in found[-1]["text"]
        assert found[-2]["cell_type"] == "markdown"
        runs = "".join("m" if cell["cell_type"] == "markdown" else "c" for cell in found[2:])
        assert "mm" not in runs

    def test_nothing_that_it_printed_is_stored(self, path: Path) -> None:
        for cell in code(path):
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
        assert "widgets" not in json.loads(path.read_text(encoding="utf-8"))["metadata"]
