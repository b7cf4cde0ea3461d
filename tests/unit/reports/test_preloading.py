"""What is imported before the fork: all that a report needs, and nothing of it at work."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).parents[3]

THREADS = """
import os
from pathlib import Path
from fleetslo.reports.engine.preloading import preload, read_questions
from fleetslo.warehouse.queries import list_queries

def threads():
    return {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}

preload()
read_questions([*list_queries(), "no/such"])
print(any(name.startswith("polars-0") for name in threads()))
import polars as pl
pl.DataFrame({"a": [1, 1]}).lazy().group_by("a").len().collect()
print(any(name.startswith("polars-0") for name in threads()))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_polars_is_not_at_work_before_the_fork():
    ran = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "True"], ran.stderr


def test_a_report_imports_nothing_in_its_own_process(tiny, workers):
    document = nbformat.read(ROOT / "notebooks/reports/service_slo.ipynb", as_version=4)
    document.cells.insert(2, new_code_cell("import sys; loaded = set(sys.modules)"))
    document.cells.append(new_code_cell("sorted(set(sys.modules) - loaded)"))
    executed = workers("fork")(document, environ=dict(os.environ))
    assert executed.outcome == "ok", executed.failure
    assert executed.notebook.cells[-1].outputs[0].data["text/plain"] == "[]"
