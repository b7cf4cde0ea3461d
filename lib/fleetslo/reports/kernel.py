"""Running one notebook through papermill, in a kernel of this very interpreter.

papermill reports a killed kernel or a ``sys.exit(0)`` as success, so what became of the notebook
is judged here, from the process and from the cells.
"""

import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillException
from papermill.execute import ERROR_MARKER_TAG, execute_notebook
from papermill.translators import PythonTranslator, papermill_translators

from fleetslo.reports.jobs import Failure, Outcome

ENGINE = "fleetslo-kernel"
# A kernel that has not answered by then is broken; under load a start takes about 2 s.
START_TIMEOUT_S = 60
# Outputs may trail behind the cell that made them; the usual 4 s is short on a busy machine.
OUTPUT_TIMEOUT_S = 60
# Of the 104 bytes that macOS allows for a socket file's name (Linux: 108), less the "-1" to "-5"
# that tell the sockets of a kernel apart, and the final zero.
SOCKET_MAX = 100

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, whatever kernels are installed, spoken to over a socket file.

    Ports would be chosen by each worker for itself, and two could choose the same. They are used
    all the same where the temporary folder's name is too long for a socket file.
    """

    def __init__(self, folder: Path, running: "Running") -> None:
        socket = str(folder / "socket")
        short = len(os.fsencode(socket)) <= SOCKET_MAX
        super().__init__(
            connection_file=str(folder / "kernel.json"),
            **({"transport": "ipc", "ip": socket} if short else {}),
        )
        self.exit_code: int | None = None
        self._running = running

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel to start: this interpreter's."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        with self._running.lock:
            await super()._async_launch_kernel(kernel_cmd, **kw)
            self._running.started(getattr(self.provisioner, "pid", 0))

    async def _async_is_alive(self) -> bool:
        process = getattr(self.provisioner, "process", None)
        alive: bool = await super()._async_is_alive()
        if not alive and process is not None:
            self.exit_code = process.poll()
        return alive

    is_alive = _async_is_alive


class Running:
    """The kernel of this process, for whoever must kill it from another thread."""

    def __init__(self, announce: Callable[[int], None] = lambda pid: None) -> None:
        self.lock = threading.Lock()
        self.pid: int | None = None
        self._announce = announce

    def started(self, pid: int) -> None:
        """Remember and announce the kernel's process id, which is its group's, too."""
        self.pid = pid
        self._announce(pid)

    def kill(self) -> None:
        """Kill the kernel and all that it started; without a kernel, nothing."""
        with self.lock:
            self._kill()

    def end(self) -> None:
        """Kill the kernel and let no other one start: the process is about to end."""
        self.lock.acquire()
        self._kill()

    def _kill(self) -> None:
        pid, self.pid = self.pid, None
        if pid:
            kill_group(pid)


def kill_group(pid: int) -> None:
    """Kill a process group; one that is gone is left alone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@dataclass
class Execution:
    """One run of a notebook while it goes on; ``notebook`` is the document with its outputs.

    The clock starts with the first cell: starting the kernel has a limit of its own.
    """

    environ: Mapping[str, str]
    folder: Path
    timeout_s: float
    running: Running
    on_cell: Callable[[int, int], None]
    deadline: float = field(default=float("inf"), init=False)
    notebook: Any = None
    kernel: OwnKernel | None = None
    began: int | None = None

    def left_s(self, cell: Any = None) -> float:
        """Return how much time is left; never zero, which nbclient takes for no limit."""
        return max(self.deadline - time.monotonic(), 0.01)

    def cell_began(self, cell: Any, cell_index: int) -> None:
        """Remember and announce which cell runs."""
        if self.began is None:
            self.deadline = time.monotonic() + self.timeout_s
        self.began = cell_index
        self.on_cell(cell_index + 1, len(self.notebook.cells))


class KernelEngine(Engine):  # type: ignore[misc]
    """papermill's engine for the ordinary kernel, with a limit on the whole notebook."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, execution: Execution, **kwargs: Any
    ) -> Any:
        """Run the cells; the document lies in ``execution`` even when this raises."""
        execution.notebook = nb_man.nb
        parameters = nb_man.nb.metadata.papermill.get("parameters", {})
        for name, value in parameters.items():
            parameters[name] = value.isoformat() if isinstance(value, date) else value
        with tempfile.TemporaryDirectory(prefix="fleetslo-", ignore_cleanup_errors=True) as folder:
            kernel = execution.kernel = OwnKernel(Path(folder), execution.running)
            client = PapermillNotebookClient(
                nb_man,
                km=kernel,
                kernel_name=kernel_name,
                startup_timeout=START_TIMEOUT_S,
                iopub_timeout=OUTPUT_TIMEOUT_S,
                timeout_func=execution.left_s,
                on_cell_start=execution.cell_began,
                shutdown_kernel="immediate",
            )
            try:
                return client.execute(
                    env=dict(execution.environ), cwd=str(execution.folder), cleanup_kc=True
                )
            finally:
                execution.running.kill()


class DatedPython(PythonTranslator):  # type: ignore[misc]
    """papermill's Python, which cannot pass a date, made able to."""

    @classmethod
    def translate(cls, val: Any) -> str:
        """Return the expression that makes a value."""
        if isinstance(val, date):
            return f"datetime.date({val.year}, {val.month}, {val.day})"
        return str(super().translate(val))

    @classmethod
    def codify(cls, parameters: Mapping[str, Any], comment: str = "Parameters") -> str:
        """Return the cell that sets the parameters."""
        code = str(super().codify(parameters, comment))
        dated = any(isinstance(value, date) for value in parameters.values())
        return f"import datetime\n\n{code}" if dated else code


papermill_engines.register(ENGINE, KernelEngine)
papermill_translators.register("python", DatedPython)


@dataclass(frozen=True)
class Executed:
    """An executed notebook, partial unless ``outcome`` is ok."""

    outcome: Outcome
    notebook: Any
    failure: Failure | None


def execute(
    notebook: Any,
    parameters: Mapping[str, Any],
    *,
    name: str,
    environ: Mapping[str, str],
    folder: Path,
    timeout_s: float,
    running: Running | None = None,
    on_cell: Callable[[int, int], None] = lambda cell, cells: None,
) -> Executed:
    """Return a notebook executed with these parameters, and what became of it.

    ``notebook`` is a document of nbformat, which is changed; ``name`` is recorded in it instead
    of a path of this machine. The kernel has ``environ`` and starts in ``folder``. Whatever goes
    wrong in the notebook or its kernel is in the result; nothing of it is raised.
    """
    execution = Execution(environ, folder, timeout_s, running or Running(), on_cell)
    raised: BaseException | None = None
    try:
        execute_notebook(
            notebook,
            None,
            parameters=dict(parameters),
            engine_name=ENGINE,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            execution=execution,
        )
    except (PapermillException, DeadKernelError, CellTimeoutError, RuntimeError) as error:
        raised = error
    document = execution.notebook if execution.notebook is not None else notebook
    document.cells = [
        cell for cell in document.cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])
    ]
    outcome, at, told = _judge(execution, document, raised)
    failure = _failure(document.cells, at, told) if told else None
    _record(document, name, outcome, at)
    return Executed(outcome, document, failure)


def _judge(
    execution: Execution, document: Any, raised: BaseException | None
) -> tuple[Outcome, int | None, tuple[str, ...]]:
    """Return what became of the notebook, the cell at fault and (error, message, traceback…).

    The process and the cells are asked, papermill's word is not taken.
    """
    cells = document.cells
    for index, cell in enumerate(cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                outcome: Outcome = "stopped_early" if output.ename == "SystemExit" else "failed"
                return outcome, index, (output.ename, output.evalue, *output.traceback)
    at = execution.began
    exit_code = execution.kernel.exit_code if execution.kernel else None
    if isinstance(raised, CellTimeoutError):
        limit = f"the notebook took longer than {execution.timeout_s:g} s"
        return "timed_out", at, ("TimeoutError", limit)
    if isinstance(raised, DeadKernelError) and exit_code is not None and exit_code < 0:
        return "killed", at, ("DeadKernelError", f"{_signal(-exit_code)} ended the kernel")
    if isinstance(raised, DeadKernelError):
        said = f"the kernel ended with exit code {exit_code} before the notebook did"
        return "stopped_early", at, ("DeadKernelError", said)
    if raised is not None:
        said = str(raised).strip() or "no message"
        return "failed", at, (type(raised).__name__, said, *traceback.format_exception(raised))
    for index, cell in enumerate(cells):
        if _should_run(cell) and cell.execution_count is None:
            return "stopped_early", index, ("NotRun", "this cell was never run")
    return "ok", None, ()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _should_run(cell: Any) -> bool:
    return (
        cell.cell_type == "code"
        and bool(cell.source.strip())
        and "skip-execution" not in cell.metadata.get("tags", [])
    )


def _failure(cells: Any, at: int | None, error: tuple[str, ...]) -> Failure:
    """Return the failure of the cell at an index, from (error, message, traceback…).

    Cells are counted as the notebook's author sees them, without the injected one; a failure in
    that one counts as one of the parameters cell before it.
    """
    name, value, *lines = (_ANSI.sub("", text) for text in error)
    injected = [
        i for i, c in enumerate(cells) if "injected-parameters" in c.metadata.get("tags", [])
    ]
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
    document.metadata.papermill.update(
        input_path=f"{name}.ipynb", output_path=None, exception=outcome != "ok"
    )
    for index, cell in enumerate(document.cells):
        told = cell.metadata.get("papermill")
        if told is None or outcome == "ok" or (at is not None and index < at):
            continue
        if index == at:
            told.update(status="failed", exception=True)
        else:
            told.update(status="pending", start_time=None, end_time=None, duration=None)


def durations_s(document: Any) -> tuple[float | None, ...]:
    """Return how long each cell took, in seconds; None for one that did not run."""
    return tuple(
        cell.metadata.get("papermill", {}).get("duration") if cell.cell_type == "code" else None
        for cell in document.cells
    )
