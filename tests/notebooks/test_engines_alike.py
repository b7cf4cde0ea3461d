"""Every notebook of the suite comes out of both engines alike, cell by cell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))

RUN = """
import sys
from pathlib import Path
import nbformat
from fleetslo.reports.environ import notebook_environ
from fleetslo.reports.engine.executing import execute
from fleetslo.reports.engine.limits import Limits
from fleetslo.settings import load_settings

settings = load_settings().settings
for source in sys.argv[3:]:
    executed = execute(
        nbformat.read(source, as_version=4), {}, engine=sys.argv[1], name="t",
        environ=notebook_environ(settings), folder=Path.cwd(), limits=Limits(300),
    )
    assert executed.outcome == "ok", (source, executed.failure)
    nbformat.write(executed.notebook, Path(sys.argv[2]) / Path(source).name)
"""

# What differs from run to run of one engine: names that are drawn by chance, and clocks.
CHANCE = re.compile(
    r"(IPY_MODEL_|model_id'?\"?: ?'?\"?)?\b[0-9a-f]{32}\b|\bid='[^']*'|0x[0-9a-f]+|\d+(\.\d+)? ?m?s\b"
)


def plain(value):
    """Return outputs without what chance made."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in sorted(value.items())}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return CHANCE.sub("…", value) if isinstance(value, str) else value


def outputs_of(cell):
    """Return a cell's outputs, streams merged and in front: a kernel's order is chance."""
    streams, others = {}, []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            streams[output.name] = streams.get(output.name, "") + output.text
        else:
            others.append(output)
    return plain([streams, *others])


@pytest.fixture(scope="module")
def executed(tiny_home, tmp_path_factory):
    """Run every notebook on both engines, each engine in a process of its own."""
    folders = {engine: tmp_path_factory.mktemp(engine) for engine in ("fork", "kernel")}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSLO_")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, engine, folder, *NOTEBOOKS],
            env={**kept, "FLEETSLO_HOME": str(tiny_home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for engine, folder in folders.items()
    ]
    for process in processes:
        _, said = process.communicate()
        assert process.returncode == 0, said
    return folders


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_comes_out_alike(executed, path):
    ours, theirs = (
        nbformat.read(executed[engine] / path.name, as_version=4) for engine in ("fork", "kernel")
    )
    assert len(ours.cells) == len(theirs.cells) > 3
    for mine, other in zip(ours.cells, theirs.cells, strict=True):
        assert mine.source == other.source
        assert mine.get("execution_count") == other.get("execution_count")
        assert outputs_of(mine) == outputs_of(other), mine.source
    assert any(outputs_of(cell) != [{}] for cell in ours.cells if cell.cell_type == "code")
    assert ours.metadata.language_info == theirs.metadata.language_info
