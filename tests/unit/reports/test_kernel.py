"""A notebook is run by the ordinary kernel, and what became of it is told truthfully.

Each case starts a real kernel, which takes most of a second.
"""

import os
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fleetslo.reports.html import render_failure
from fleetslo.reports.kernel import Running, durations_s, execute

ENVIRON = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype"}


def notebook(*cells):
    """Return a notebook of a title (cell 1), a parameters cell (cell 2) and these cells."""
    declared = new_code_cell('a: str = "x"', metadata={"tags": ["parameters"]})
    code = [new_code_cell(text) for text in cells]
    return new_notebook(cells=[new_markdown_cell("# T"), declared, *code])


def run(document, parameters=None, *, timeout_s=60, folder=Path("/"), **more):
    return execute(
        document,
        parameters or {},
        name="reports/t",
        environ=ENVIRON,
        folder=folder,
        timeout_s=timeout_s,
        **more,
    )


def text_of(cell):
    return cell.outputs[-1]["data"]["text/plain"]


def statuses(executed):
    return [cell.metadata.papermill.status for cell in executed.notebook.cells]


def test_values_and_surroundings_arrive_as_they_are(tmp_path):
    hostile = "he\"l\\lo\n{x} <ü> '); 1/0 #"
    told, pids = [], []
    executed = run(
        notebook("a", "day", "import sys, os; sys.executable", "os.getcwd()"),
        {"a": hostile, "day": date(2026, 11, 1)},
        folder=tmp_path,
        on_cell=lambda cell, cells: told.append((cell, cells)),
        running=Running(pids.append),
    )
    assert (executed.outcome, executed.failure) == ("ok", None)
    # The injected cell stands after the parameters cell: the cells of the test begin at 3.
    a, day, interpreter, here = executed.notebook.cells[3:]
    assert text_of(a) == repr(hostile)
    assert text_of(day) == "datetime.date(2026, 11, 1)"
    assert text_of(interpreter) == repr(sys.executable)
    assert text_of(here) == repr(str(tmp_path))
    assert told == [(number, 7) for number in range(1, 8)]
    assert len(pids) == 1
    assert executed.notebook.metadata.papermill.parameters == {"a": hostile, "day": "2026-11-01"}
    assert str(tmp_path) not in nbformat.writes(executed.notebook).replace(text_of(here), "")
    durations = durations_s(executed.notebook)
    assert durations[0] is None
    assert all(0 <= duration < 60 for duration in durations[1:])


def test_a_raising_cell_is_named_with_its_line():
    executed = run(
        notebook("1", "\n\ndef f():\n    raise ValueError('boom')\n\nf()", "3"), {"a": "y"}
    )
    failure = executed.failure
    assert executed.outcome == "failed"
    # Title, parameters, 1, the raising one: cell 4 of 5; f() is called on its sixth line.
    assert str(failure) == "cell 4 of 5, line 6: ValueError: boom"
    assert failure.source.startswith("\n\ndef f()")
    assert any("raise ValueError" in line for line in failure.traceback)
    assert not any("\x1b" in line for line in failure.traceback)
    assert statuses(executed) == ["completed"] * 4 + ["failed", "pending"]
    assert executed.notebook.metadata.fleetslo.outcome == "failed"


def test_a_syntax_error_is_named_with_its_line():
    executed = run(notebook("1\nx = ("))
    assert executed.outcome == "failed"
    assert str(executed.failure).startswith("cell 3 of 3, line 2: SyntaxError")


@pytest.mark.parametrize(
    ("cell", "outcome", "says"),
    [
        ("import sys; sys.exit(0)", "stopped_early", "SystemExit: 0"),
        ("import sys; sys.exit('enough')", "stopped_early", "SystemExit: enough"),
        ("import os; os._exit(0)", "stopped_early", "the kernel ended with exit code 0 before"),
        ("import os; os._exit(3)", "stopped_early", "the kernel ended with exit code 3 before"),
        ("import os; os.kill(os.getpid(), 9)", "killed", "SIGKILL ended the kernel"),
        ("import os; os.kill(os.getpid(), 40)", "killed", "signal 40 ended the kernel"),
    ],
)
def test_a_notebook_that_ends_before_its_end_is_no_success(cell, outcome, says):
    executed = run(notebook("print('before', flush=True)", cell, "3"))
    assert executed.outcome == outcome
    assert str(executed.failure).startswith("cell 4 of 5: ")
    assert says in str(executed.failure)
    assert executed.notebook.cells[2].outputs[0].text == "before\n"  # what ran is kept
    page = render_failure(executed.notebook, title="T", assets="a", reason=str(executed.failure))
    assert "Cell 4 of 5 failed." in page
    assert ("Traceback" in page) == ("SystemExit" in says)
    assert statuses(executed) == ["completed"] * 3 + ["failed", "pending"]


def test_the_whole_notebook_has_one_time_limit():
    # Two cells of 3 s each pass a limit of 5.5 s only if it were one per cell.
    executed = run(notebook(*["import time; time.sleep(3)"] * 2), timeout_s=5.5)
    assert executed.outcome == "timed_out"
    assert str(executed.failure) == "cell 4 of 4: TimeoutError: the notebook took longer than 5.5 s"


def test_a_kernel_that_does_not_start_is_a_failure(monkeypatch):
    monkeypatch.setitem(ENVIRON, "PYTHONHOME", "/nowhere")
    executed = run(notebook("1"))
    assert executed.outcome == "failed"
    assert str(executed.failure).startswith("before its first cell: RuntimeError: Kernel died")


def test_a_cell_that_may_be_skipped_is_no_early_end():
    document = notebook("1", "", "2")
    document.cells[2].metadata.tags = ["skip-execution"]
    assert run(document).outcome == "ok"


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(notebook("1")).outcome == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_too_deep_for_a_socket_file_will_do(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert run(notebook("1")).outcome == "ok"
