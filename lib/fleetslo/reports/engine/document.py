"""What a worker does for plain papermill: run a notebook that has its parameters already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.worker import Surroundings


@dataclass(frozen=True)
class RunDocument:
    """Run a notebook that papermill has given its parameters, as the text of a file."""

    document: str
    parameters: Mapping[str, Any]
    environ: Mapping[str, str]
    folder: Path
    limits: Limits
    engine: Literal["fork", "kernel"]

    @property
    def forks(self) -> bool:
        """Whether the worker is forked, and must have one thread only."""
        return self.engine == "fork"

    def run(self, surroundings: Surroundings) -> tuple[str, str, str]:
        """Return the executed document, its outcome, and the outcome in one line."""
        import nbformat

        from fleetslo.reports.engine.executing import ENGINES
        from fleetslo.reports.engine.execution import Execution
        from fleetslo.reports.engine.outcomes import judged
        from fleetslo.reports.engine.parameters import Python, is_injected
        from fleetslo.reports.engine.secrets import secrets_of
        from fleetslo.reports.jobs import SAYS

        secrets = secrets_of(self.parameters, self.environ)
        reading: Any = nbformat.reads
        document = reading(self.document, as_version=4)
        if secrets.values:
            for cell in filter(is_injected, document.cells):
                cell.source = Python.codify(secrets.parameters)
            document.metadata.papermill.parameters = dict(secrets.parameters)
        execution = Execution(
            secrets,
            self.folder,
            self.limits,
            surroundings.running,
            lambda number, cells: surroundings.tell(
                "cell", (number, document.cells[number - 2] if number > 1 else None)
            ),
            connection=surroundings.connection,
            lost=surroundings.lost,
        )
        ENGINES[self.engine].execute_notebook(
            document, "python3", progress_bar=False, execution=execution
        )
        for cell in document.cells:
            secrets.cover_outputs(cell)
        executed = judged(execution, document, "", None)
        says = SAYS[executed.outcome]
        says = f"{says}: {executed.failure}" if executed.failure else says
        writing: Any = nbformat.writes
        return writing(document), executed.outcome, says
