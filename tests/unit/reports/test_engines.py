"""A notebook is run, on either engine, and what became of it is told truthfully."""

import os
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest
from engine_runs import ENVIRON, notebook, printed, text_of

from fleetslo.reports.engine.executing import execute
from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.engine.outcomes import durations_s
from fleetslo.reports.html import render_failure


def statuses(executed):
    return [cell.metadata.papermill.status for cell in executed.notebook.cells]


def test_values_and_surroundings_arrive_as_they_are(tmp_path, run):
    hostile = "he\"l\\lo\n{x} <ü> '); 1/0 #"
    executed = run(
        notebook("a", "day", "import sys, os; sys.executable", "os.getcwd()"),
        {"a": hostile, "day": date(2026, 11, 1)},
        folder=tmp_path,
    )
    assert (executed.outcome, executed.failure) == ("ok", None)
    # The injected cell stands after the parameters cell: the cells of the test begin at 3.
    a, day, interpreter, here = executed.notebook.cells[3:]
    assert text_of(a) == repr(hostile)
    assert text_of(day) == "datetime.date(2026, 11, 1)"
    assert text_of(interpreter) == repr(sys.executable)
    assert text_of(here) == repr(str(tmp_path))
    assert run.told == [(number, 7) for number in range(1, 8)]
    assert executed.notebook.metadata.papermill.parameters == {"a": hostile, "day": "2026-11-01"}
    assert str(tmp_path) not in nbformat.writes(executed.notebook).replace(text_of(here), "")
    durations = durations_s(executed.notebook)
    assert durations[0] is None
    assert all(0 <= duration < 60 for duration in durations[1:])


def test_a_raising_cell_is_named_with_its_line(run):
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


def test_a_syntax_error_is_named_with_its_line(run):
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
def test_a_notebook_that_ends_before_its_end_is_no_success(run, cell, outcome, says):
    executed = run(notebook("print('before', flush=True)", cell, "3"))
    assert executed.outcome == outcome
    assert str(executed.failure).startswith("cell 4 of 5: ")
    assert says in str(executed.failure)
    assert executed.notebook.cells[2].outputs[0].text == "before\n"  # what ran is kept
    page = render_failure(executed.notebook, title="T", assets="a", reason=str(executed.failure))
    assert "Cell 4 of 5 failed." in page
    assert ("Traceback" in page) == ("SystemExit" in says)
    assert statuses(executed) == ["completed"] * 3 + ["failed", "pending"]


def test_the_whole_notebook_has_one_time_limit(run):
    # Two cells of 3 s each pass a limit of 5.5 s only if it were one per cell.
    executed = run(notebook(*["import time; time.sleep(3)"] * 2), limits=Limits(5.5))
    assert executed.outcome == "timed_out"
    assert str(executed.failure) == "cell 4 of 4: TimeoutError: the notebook took longer than 5.5 s"


def test_a_kernel_that_does_not_start_is_a_failure(workers):
    environ = {**ENVIRON, "PYTHONHOME": "/nowhere"}
    executed = workers("kernel")(notebook("1"), environ=environ)
    assert executed.outcome == "failed"
    assert str(executed.failure).startswith("before its first cell: RuntimeError: Kernel died")


def test_a_cell_that_may_be_skipped_is_no_early_end(run):
    document = notebook("1", "", "2")
    document.cells[2].metadata.tags = ["skip-execution"]
    assert run(document).outcome == "ok"


def test_one_cell_has_a_time_limit(run):
    cells = ["import time; time.sleep(0.1)", "time.sleep(60)"]
    executed = run(notebook(*cells), limits=Limits(60, cell_timeout_s=4))
    assert executed.outcome == "timed_out"
    assert str(executed.failure) == "cell 4 of 4: TimeoutError: the cell took longer than 4 s"


def test_notebooks_know_nothing_of_each_other(run):
    lines = "import os, sys; sys.modules['left'] = sys; os.environ['LEFT'] = '1'; left = 1"
    assert run(notebook(lines)).outcome == "ok"
    looks = "import os, sys; ('left' in sys.modules, 'LEFT' in os.environ, 'left' in globals())"
    assert text_of(run(notebook(looks)).notebook.cells[2]) == "(False, False, False)"


def test_outputs_are_those_of_a_notebook(run):
    executed = run(
        notebook(
            "from IPython.display import display, clear_output, HTML\n"
            "print('gone'); clear_output(); print('kept')\n"
            "h = display('first', display_id='h'); display(HTML('<b>b</b>'))\n'last'",
            "h.update('second')",
            "import asyncio, sys\nprint('one'); print('two', file=sys.stderr)\n"
            "await asyncio.sleep(0)\n7;",
            "!echo $((6 * 7))\nimport os; _ = os.write(1, b'from C\\n')",
            "%%bash\necho $HOME_OF_X",
            "class Pair:\n    def _repr_mimebundle_(self, **_):\n"
            "        return {'text/plain': 'p', 'application/x+json': {'n': 1.5}}, {'k': 'v'}\nPair()",
            "None",
            "input('name?')",
        ),
        environ={**ENVIRON, "HOME_OF_X": "here"},
    )
    rich, update, streams, shell, bash, pair, nothing, _ = executed.notebook.cells[2:]
    assert [o.output_type for o in rich.outputs] == [
        "stream", "display_data", "display_data", "execute_result",
    ]  # fmt: skip
    assert printed(rich) == "kept\n"
    assert rich.outputs[1].data == {"text/plain": "'second'"}
    assert rich.outputs[2].data["text/html"] == "<b>b</b>"
    # The parameters cell is the first that runs.
    assert (rich.execution_count, rich.outputs[3].execution_count) == (2, 2)
    assert update.outputs == []
    assert (printed(streams), printed(streams, "stderr")) == ("one\n", "two\n")
    assert len(streams.outputs) == 2
    assert printed(shell).replace("\r", "") == "42\nfrom C\n"
    assert printed(bash) == "here\n"
    assert pair.outputs[0].data == {"text/plain": "p", "application/x+json": {"n": 1.5}}
    assert pair.outputs[0].metadata == {"k": "v"}
    assert nothing.outputs == []
    assert executed.failure.name == "StdinNotImplementedError"
    assert executed.notebook.metadata.language_info.name == "python"


def test_a_widget_does_no_harm(run):
    executed = run(notebook("import ipywidgets as w\nw.IntSlider(3)", "w.Output()"))
    assert executed.outcome == "ok"
    assert "IntSlider(value=3)" in text_of(executed.notebook.cells[2])


def test_exit_ends_a_notebook_early(run):
    executed = run(notebook("1", "exit", "import time; time.sleep(5)", "4"))
    assert executed.outcome == "stopped_early"


def test_a_cell_that_may_raise_does_not_stop_the_others(run):
    document = notebook("1 / 0", "2")
    document.cells[2].metadata.tags = ["raises-exception"]
    executed = run(document)
    assert text_of(executed.notebook.cells[3]) == "2"
    assert executed.outcome == "failed"  # an error is on the page


def test_a_traceback_reads_alike_on_both_engines(workers):
    cells = ["def f(n):\n    return 1 / n\n\n\nf(0)"]
    tracebacks = [
        workers(engine)(notebook(*cells)).notebook.cells[2].outputs[0].traceback
        for engine in ("fork", "kernel")
    ]
    assert tracebacks[0] == tracebacks[1]
    assert "\x1b[" in tracebacks[0][0]


def test_a_forked_notebook_says_how_much_memory_it_took(workers):
    # 300 MiB of ones, each page of which is written to.
    executed = workers("fork")(notebook("import numpy as np; x = np.ones(300 * 2**17)"))
    assert 300 * 2**20 <= executed.peak_memory_bytes < 2**30


def test_polars_works_in_each_fork(workers):
    cell = "import polars as pl; pl.DataFrame({'a': range(10**6)}).group_by(pl.col('a') % 7).len().height"
    for _ in range(3):
        executed = workers("fork")(notebook(cell), limits=Limits(30))
        assert text_of(executed.notebook.cells[2]) == "7"


def test_a_kernel_puts_nothing_into_the_temporary_folder_that_stays(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        assert run_here("kernel").outcome == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_too_deep_for_a_socket_file_will_do(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert run_here("kernel").outcome == "ok"


def run_here(engine):
    """Run a notebook from this process, which only the engine with a kernel can."""
    return execute(
        notebook("1"), {}, engine=engine, name="t", environ=dict(os.environ),
        folder=Path("/"), limits=Limits(60),
    )  # fmt: skip
