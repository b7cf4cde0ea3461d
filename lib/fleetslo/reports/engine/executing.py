"""Running one notebook through papermill, on one of two engines, with the same result.

papermill reports a killed kernel or a ``sys.exit(0)`` as success, so what became of the notebook
is judged afterwards, from the process and from the cells.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from papermill.engines import papermill_engines
from papermill.exceptions import PapermillException
from papermill.execute import execute_notebook
from papermill.translators import papermill_translators

from fleetslo.errors import ParameterError
from fleetslo.reports.engine.execution import Execution, Running
from fleetslo.reports.engine.forking import ForkEngine
from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.engine.outcomes import Executed, failure_of, judged
from fleetslo.reports.engine.parameters import Python
from fleetslo.reports.engine.saving import Saving
from fleetslo.reports.engine.secrets import Secrets, secrets_of
from fleetslo.reports.kernel import KernelEngine

Name = Literal["fork", "kernel"]
ENGINES: Mapping[Name, Any] = {"fork": ForkEngine, "kernel": KernelEngine}
"""papermill's engines, by the name that the setting has for each."""

for _name, _engine in ENGINES.items():
    papermill_engines.register(f"fleetslo-{_name}", _engine)
papermill_translators.register("python", Python)


def execute(
    notebook: Any,
    parameters: Mapping[str, Any],
    *,
    engine: Name,
    name: str,
    environ: Mapping[str, str],
    folder: Path,
    limits: Limits,
    running: Running | None = None,
    on_cell: Callable[[int, int], None] = lambda cell, cells: None,
    partial: Path | None = None,
    connection: int | None = None,
    lost: Callable[[], None] = lambda: None,
) -> Executed:
    """Return a notebook executed with these parameters, and what became of it.

    ``notebook`` is a document of nbformat, which is changed; ``name`` is recorded in it instead
    of a path of this machine. Its cells have ``environ`` and start in ``folder``. Whatever goes
    wrong in the notebook or its process is in the result; nothing of it is raised. While it runs
    it is kept at ``partial``, from time to time. ``lost`` is called, by the engine that forks, when
    ``connection`` is closed.
    """
    try:
        secrets = secrets_of(parameters, environ)
    except ParameterError as error:
        secrets = Secrets({}, environ, frozenset())
        failure = failure_of(notebook.cells, None, ("ParameterError", str(error)))
        return Executed("failed", notebook, failure)
    execution = Execution(
        secrets,
        folder,
        limits,
        running or Running(),
        on_cell,
        saving=Saving(partial),
        connection=connection,
        lost=lost,
    )
    raised: Exception | None = None
    try:
        execute_notebook(
            notebook,
            None,
            parameters=dict(secrets.parameters),
            engine_name=f"fleetslo-{engine}",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            execution=execution,
        )
    except (PapermillException, RuntimeError) as error:
        raised = error
    document = execution.notebook if execution.notebook is not None else notebook
    for cell in document.cells:
        secrets.cover_outputs(cell)
    return judged(execution, document, name, raised)
