"""What became of a notebook: judged from its process and its cells, no engine's word is taken."""

import re
import signal
import traceback
from dataclasses import dataclass
from typing import Any

from papermill.execute import ERROR_MARKER_TAG

from fleetslo.reports.engine.execution import Ending, Execution
from fleetslo.reports.engine.parameters import is_injected
from fleetslo.reports.jobs import Failure, Outcome

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Outcomes that an error in a cell stands for; every other one is "failed".
_ERRORS: dict[str, Outcome] = {"SystemExit": "stopped_early", "MemoryError": "out_of_memory"}


@dataclass(frozen=True)
class Executed:
    """An executed notebook, partial unless ``outcome`` is ok."""

    outcome: Outcome
    notebook: Any
    failure: Failure | None
    peak_memory_bytes: int | None = None


def judged(execution: Execution, document: Any, name: str, raised: Exception | None) -> Executed:
    """Return what became of a notebook, and write it into the document.

    ``name`` is recorded in it instead of a path of this machine, unless it is empty; ``raised``
    is what came out of the engine.
    """
    document.cells = [
        cell for cell in document.cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])
    ]
    outcome, at, told = _judge(execution, document, raised)
    told = tuple(execution.secrets.cover(text) for text in told)
    failure = failure_of(document.cells, at, told) if told else None
    _record(document, name, outcome, at)
    return Executed(outcome, document, failure, execution.peak_memory_bytes)


def _judge(
    execution: Execution, document: Any, raised: Exception | None
) -> tuple[Outcome, int | None, tuple[str, ...]]:
    """Return what became of the notebook, the cell at fault and (error, message, traceback…)."""
    if ending := execution.ending:
        return ending.outcome, execution.began, (ending.name, ending.says)
    cells = document.cells
    for index, cell in enumerate(cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                outcome = _ERRORS.get(output.ename, "failed")
                return outcome, index, (output.ename, output.evalue, *output.traceback)
    if raised is not None:
        said = str(raised).strip() or "no message"
        trace = traceback.format_exception(raised)
        return "failed", execution.began, (type(raised).__name__, said, *trace)
    for index, cell in enumerate(cells):
        if should_run(cell) and cell.execution_count is None:
            return "stopped_early", index, ("NotRun", "this cell was never run")
    return "ok", None, ()


def ended(exit_code: int) -> Ending:
    """Return the ending of a notebook whose process is gone; a negative code is a signal's."""
    if exit_code < 0:
        return Ending("killed", "DeadKernelError", f"{_signal(-exit_code)} ended the kernel")
    said = f"the kernel ended with exit code {exit_code} before the notebook did"
    return Ending("stopped_early", "DeadKernelError", said)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def should_run(cell: Any) -> bool:
    """Return whether an engine runs a cell."""
    return (
        cell.cell_type == "code"
        and bool(cell.source.strip())
        and "skip-execution" not in cell.metadata.get("tags", [])
    )


def failure_of(cells: Any, at: int | None, error: tuple[str, ...]) -> Failure:
    """Return the failure of the cell at an index, from (error, message, traceback…).

    Cells are counted as the notebook's author sees them, without the injected one; a failure in
    that one counts as one of the parameters cell before it.
    """
    name, value, *lines = (_ANSI.sub("", text) for text in error)
    injected = [index for index, cell in enumerate(cells) if is_injected(cell)]
    source = "" if at is None else cells[at].source
    line = None
    if frame := re.search(r"^Cell In\[\d+\], line (\d+)", "\n".join(lines), re.MULTILINE):
        # IPython does not count the empty lines that a cell begins with.
        line = int(frame[1]) + len(source) - len(source.lstrip("\n"))
    if place := re.search(r" \(\d+\.py, line (\d+)\)$", value):  # a syntax error
        value, line = value[: place.start()], int(place[1])
    return Failure(
        cell=None if at is None else at + 1 - sum(i <= at for i in injected),
        cells=len(cells) - len(injected),
        name=name,
        value=value,
        source=source,
        line=line,
        traceback=tuple(lines),
    )


def _record(document: Any, name: str, outcome: Outcome, at: int | None) -> None:
    """Write the truth into the document, where papermill says "completed" of every cell."""
    document.metadata.fleetslo = {**document.metadata.get("fleetslo", {}), "outcome": outcome}
    document.metadata.setdefault("papermill", {})
    document.metadata.papermill["exception"] = outcome != "ok"
    if name:
        document.metadata.papermill.update(input_path=f"{name}.ipynb", output_path=None)
    for index, cell in enumerate(document.cells):
        told = cell.metadata.get("papermill")
        if told is None or outcome == "ok" or (at is not None and index < at):
            continue
        if index == at:
            told.update(status="failed", exception=True)
        else:
            told.update(status="pending", start_time=None, end_time=None, duration=None)


def durations_s(document: Any) -> tuple[float | None, ...]:
    """Return how long each cell took, in seconds; None for one that did not run.

    Cells are those that ``Failure`` counts: the one that a run adds is none.
    """
    return tuple(
        cell.metadata.get("papermill", {}).get("duration") if cell.cell_type == "code" else None
        for cell in document.cells
        if not is_injected(cell)
    )
