"""``papermill --engine fleetslo``, as somebody calls it who knows nothing else of us."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[3]
PYTHON = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}


def declared():
    """Return the entry point that the project declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["entry-points"]["papermill.engine"]["fleetslo"]


@pytest.fixture
def papermill(tmp_path):
    """Run papermill on cells, where the engine is installed; return exit code, words, document."""
    about = tmp_path / "installed" / "engine-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: engine\nVersion: 0\n")
    (about / "entry_points.txt").write_text(f"[papermill.engine]\nfleetslo = {declared()}\n")

    def run(*cells, words=(), metadata=PYTHON, **environ):
        tagged = new_code_cell('x: int = 0\nkey: str = ""', metadata={"tags": ["parameters"]})
        made = [new_markdown_cell("# T"), tagged, *map(new_code_cell, cells)]
        nbformat.write(new_notebook(cells=made, metadata=metadata), tmp_path / "in.ipynb")
        found = [str(about.parent), str(ROOT / "lib"), os.environ.get("PYTHONPATH", "")]
        process = subprocess.run(
            [Path(sys.executable).with_name("papermill"), "--engine", "fleetslo", "in.ipynb",
             "out.ipynb", "--no-progress-bar", *words],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(found), **environ},
            capture_output=True, text=True,
        )  # fmt: skip
        return process.returncode, process.stderr, nbformat.read(tmp_path / "out.ipynb", 4)

    return run


def test_papermill_finds_the_engine_and_gives_it_parameters(papermill):
    code, said, document = papermill(
        "import os\nprint(x + 1, key, os.path.basename(os.getcwd()) != '')",
        words=["-p", "x", "6", "-p", "key", "${DOOR_KEY}"],
        DOOR_KEY="open sesame",
    )
    assert code == 0, said
    injected, last = document.cells[2:]
    assert injected.source == 'import os\n\n# Parameters\nx = 6\nkey = os.environ["DOOR_KEY"]\n'
    assert last.outputs[0].text == "7 •••• True\n"
    told = document.metadata.papermill
    assert (told.parameters, told.exception) == ({"x": 6, "key": "${DOOR_KEY}"}, False)
    assert (told.input_path, told.output_path) == ("in.ipynb", "out.ipynb")
    assert [cell.metadata.papermill.status for cell in document.cells] == ["completed"] * 4
    assert "open sesame" not in said


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("import os; os._exit(0)", "NotebookFailed: it ended before its last cell: cell 4 of 5"),
        pytest.param(
            "raise SystemExit(0)",
            "NotebookFailed: it ended before its last cell: cell 4 of 5",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)",
            "NotebookFailed: its process was killed: cell 4",
            marks=pytest.mark.long,
        ),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_notebook_that_does_not_reach_its_end_is_an_error_and_keeps_what_ran(
    papermill, cell, says
):
    code, said, document = papermill("'kept'", cell, "'never'")
    assert code == 1
    assert says in said
    code_cells = [c for c in document.cells if c.cell_type == "code"]
    texts = [o.data["text/plain"] for c in code_cells for o in c.outputs if "data" in o]
    assert texts == ["'kept'"]


@pytest.mark.long
def test_a_limit_of_papermill_is_kept(papermill):
    code, said, _ = papermill("import time; time.sleep(60)", words=["--execution-timeout", "2"])
    assert code == 1
    assert (
        "took longer than it may: cell 3 of 3: TimeoutError: the cell took longer than 2 s" in said
    )


def test_another_language_is_refused(papermill):
    other = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}
    code, said, _ = papermill("1", metadata=other)
    assert code == 1
    assert "the notebook is in R; the engine 'fleetslo' runs Python" in said
